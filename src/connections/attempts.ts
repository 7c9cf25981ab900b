/**
 * Sign-ins on their way through an upstream identity provider: begun here, answered from there, finished in the browser that
 * began them.
 *
 * Invariant: an attempt is answered once, by the provider it was sent to, and what came of it can be picked up once, by the
 * browser that holds the attempt's cookie. The answer arrives without cookies (a cross-site POST carries none), so it signs
 * nobody in: it is exchanged for a code, and code and cookie must meet. An attempt that a Sign-out overtook is not found, nor
 * is one that has had a few answers that were refused: verifying costs more than sending.
 * Bearer values are kept as digests, and the rest sealed.
 */
import { hash, timingSafeEqual } from 'node:crypto';

import { addSeconds, type Clock } from '../platform/clock.ts';
import type { Keyring, SealBinding } from '../platform/keyring.ts';
import { randomSecret } from '../platform/random.ts';
import type { AccountRepository, ArtifactRepository, RevocationRepository } from '../store/port.ts';
import type { ScopeKey, Stamps } from '../store/records.ts';
import { stampEntries } from '../store/standing.ts';
import type { Vouched } from './vouched.ts';

/** What a sign-in upstream is for. */
export type Purpose =
  | { readonly kind: 'sign-in' }
  /** To link whoever comes back to this account, which asked for it while freshly signed in. */
  | { readonly kind: 'link'; readonly accountId: string }
  /** To prove once more that it is them, before an act that asks for it. */
  | { readonly kind: 'confirm'; readonly accountId: string; readonly act: string };

export type Attempt = {
  /** `state`, or RelayState: 256 random bits, and the only name the attempt has outside. */
  readonly state: string;
  readonly connectionId: string;
  readonly purpose: Purpose;
  /** The path at which the browser has its cookies again. */
  readonly continueAt: string;
  readonly returnTo: string;
  readonly requestedAt: Date;
  /** Whether a fresh authentication was demanded. */
  readonly forced: boolean;
  readonly loginHint: string | null;
  readonly nonce: string;
  readonly pkceVerifier: string;
  readonly requestId: string;
  readonly cookieDigest: string;
};

export type Order = Pick<Attempt, 'connectionId' | 'purpose' | 'continueAt' | 'returnTo' | 'forced' | 'loginHint'>;

/** What was picked up, with every epoch it stands on: whatever is made of it is stamped with these. */
export type Redeemed = { readonly attempt: Attempt; readonly vouched: Vouched; readonly epochs: Stamps };

export type Attempts = {
  /** `cookie` is for this browser alone, at `continueAt` alone. */
  begin(order: Order): Promise<{ readonly attempt: Attempt; readonly cookie: string }>;
  /** The attempt that an answer belongs to; null when there is none, it was answered, or a Sign-out ended it. */
  find(state: string): Promise<Attempt | null>;
  /** Counts an answer before anybody spends time on it, this one included; of several at once each has a number of its own. */
  countAnswer(attempt: Attempt): Promise<number>;
  /** True for the first who brings this code of the provider's; for whoever brings it again, or at once, false. */
  claimCode(attempt: Attempt, code: string): Promise<boolean>;
  /** Ends it unanswered. */
  abandon(attempt: Attempt): Promise<void>;
  /** Takes the one answer. Resolves to the code it is exchanged for; null when another was first, or it was used before. */
  answer(attempt: Attempt, vouched: Vouched): Promise<string | null>;
  /** Picks up what came of an attempt, once, in the browser that began it; null otherwise, and then nothing is used up. */
  redeem(code: string, cookie: string | undefined): Promise<Redeemed | null>;
  /** Keeps what was picked up for a while longer, under another code: its person has to prove something first. */
  hold(redeemed: Redeemed): Promise<string>;
  /** Looks without using it up. */
  peek(code: string, cookie: string | undefined): Promise<Redeemed | null>;
};

/** A person may have to find a phone, or a password. */
export const ATTEMPT_SECONDS = 600;
/** How many answers are verified at most. A person sends one, or the same one twice by pressing twice. */
export const MOST_ANSWERS = 5;
/** From the provider's answer to the browser's next request. */
const CODE_SECONDS = 120;

export function createAttempts({
  artifacts,
  counters,
  revocations,
  keyring,
  clock,
}: {
  readonly artifacts: ArtifactRepository;
  readonly counters: Pick<AccountRepository, 'countAttempt'>;
  readonly revocations: Pick<RevocationRepository, 'epochs'>;
  readonly keyring: Keyring;
  readonly clock: Clock;
}): Attempts {
  const keep = async (model: Model, bearer: string, content: object, stamps: Stamps, seconds: number) => {
    const key = keyOf(model, bearer);
    const payload = keyring.seal(...attemptSeal(model, key), JSON.stringify(content));
    await artifacts.save({ model, key, payload, stamps, expiresAt: addSeconds(clock.now(), seconds) });
  };
  const open = async (model: Model, bearer: string) => {
    if (!/^[\w-]{43}$/.test(bearer)) return null;
    const key = keyOf(model, bearer);
    const found = await artifacts.find(key, clock.now());
    if (found === null || found.consumedAt !== null) return null;
    const content: unknown = JSON.parse(keyring.unseal(...attemptSeal(model, key), found.payload));
    return { key, content, epochs: found.epochs };
  };

  const openCode = async (code: string, cookie: string | undefined) => {
    const found = await open('FederationCode', code);
    if (found === null || cookie === undefined) return null;
    const { attempt, vouched } = found.content as { attempt: Kept; vouched: KeptVouched };
    const [held, expected] = [Buffer.from(digestOf(cookie)), Buffer.from(attempt.cookieDigest)];
    if (held.length !== expected.length || !timingSafeEqual(held, expected)) return null;
    const redeemed = { attempt: attemptFrom(attempt, ''), vouched: vouchedFrom(vouched), epochs: found.epochs };
    return { key: found.key, redeemed };
  };

  return {
    async begin(order) {
      const cookie = randomSecret();
      const attempt: Attempt = {
        ...order,
        state: randomSecret(),
        requestedAt: clock.now(),
        nonce: randomSecret(),
        pkceVerifier: randomSecret(),
        // An XML ID must not begin with a digit (SAML Core §1.3.4).
        requestId: `_${randomSecret()}`,
        cookieDigest: digestOf(cookie),
      };
      const scopes: ScopeKey[] = ['everyone', `connection:${order.connectionId}`];
      if (order.purpose.kind !== 'sign-in') scopes.push(`account:${order.purpose.accountId}`);
      const { state, ...kept } = attempt;
      await keep('FederationAttempt', state, kept, await revocations.epochs(scopes), ATTEMPT_SECONDS);
      return { attempt, cookie };
    },
    async find(state) {
      const found = await open('FederationAttempt', state);
      return found === null ? null : attemptFrom(found.content as Kept, state);
    },
    countAnswer: ({ state, requestedAt }) =>
      counters.countAttempt({
        key: `federation-answers:${keyOf('FederationAttempt', state).toString('base64url')}`,
        windowStart: requestedAt,
        expiresAt: addSeconds(requestedAt, ATTEMPT_SECONDS),
      }),
    claimCode({ state, requestedAt }, code) {
      const key = keyOf('FederationCodeBrought', JSON.stringify([state, code]));
      const expiresAt = addSeconds(requestedAt, ATTEMPT_SECONDS);
      const brought = { model: 'FederationCodeBrought', key, payload: '{}', stamps: {}, expiresAt };
      return artifacts.insert(brought, clock.now());
    },
    async abandon({ state }) {
      await artifacts.consume(keyOf('FederationAttempt', state), clock.now());
    },
    async answer(attempt, vouched) {
      const found = await open('FederationAttempt', attempt.state);
      if (found === null || !(await artifacts.consume(found.key, clock.now()))) return null;
      const { once } = vouched;
      if (once !== null && !(await unheard(artifacts, once, clock))) return null;
      const code = randomSecret();
      const { state: _, ...kept } = attempt;
      // Stamped with what the attempt saw when it began: a Sign-out since then has ended this as well.
      const stamps = Object.fromEntries(stampEntries(found.epochs));
      await keep('FederationCode', code, { attempt: kept, vouched }, stamps, CODE_SECONDS);
      return code;
    },
    async redeem(code, cookie) {
      const found = await openCode(code, cookie);
      if (found === null || !(await artifacts.consume(found.key, clock.now()))) return null;
      return found.redeemed;
    },
    async hold({ attempt, vouched, epochs }) {
      const code = randomSecret();
      const { state: _, ...kept } = attempt;
      await keep('FederationCode', code, { attempt: kept, vouched }, epochs, ATTEMPT_SECONDS);
      return code;
    },
    peek: async (code, cookie) => (await openCode(code, cookie))?.redeemed ?? null,
  };
}

export const ATTEMPT_MODELS = ['FederationAttempt', 'FederationCode'] as const;
type Model = (typeof ATTEMPT_MODELS)[number];

/** How such an artifact is sealed. */
export function attemptSeal(model: Model, key: Uint8Array): SealBinding {
  return ['federation', { collection: 'artifacts', field: model, id: Buffer.from(key).toString('base64url') }];
}

/** As JSON keeps them: instants are texts. */
type Kept = Omit<Attempt, 'state' | 'requestedAt'> & { readonly requestedAt: string };
type KeptVouched = Omit<Vouched, 'authenticatedAt' | 'once'> & {
  readonly authenticatedAt: string | null;
  readonly once: unknown;
};

const attemptFrom = (kept: Kept, state: string): Attempt => ({
  ...kept,
  state,
  requestedAt: new Date(kept.requestedAt),
});

const vouchedFrom = ({ authenticatedAt, ...kept }: KeptVouched): Vouched => ({
  ...kept,
  authenticatedAt: authenticatedAt === null ? null : new Date(authenticatedAt),
  once: null,
});

/** Remembers what may be heard once from a provider, until it would be refused by its own expiry. */
async function unheard(
  artifacts: ArtifactRepository,
  { issuer, id, expiresAt }: NonNullable<Vouched['once']>,
  clock: Clock,
): Promise<boolean> {
  const key = keyOf('AssertionHeard', JSON.stringify([issuer, id]));
  return artifacts.insert({ model: 'AssertionHeard', key, payload: '{}', stamps: {}, expiresAt }, clock.now());
}

const keyOf = (model: string, bearer: string): Buffer => hash('sha256', `${model}:${bearer}`, 'buffer');
const digestOf = (cookie: string): string => hash('sha256', `attempt-cookie:${cookie}`, 'base64url');
