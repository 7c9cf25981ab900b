/**
 * The keys Curfew signs with: generated at first start, kept sealed, published from the moment they are written.
 *
 * Rotation needs no coordination between processes, because a key's record says when each thing happens: it is published
 * at once, signs from `signsFrom` (when every process has long published it, and relying parties have had time to fetch
 * it), and its predecessor stays published until the longest token it signed has expired. Every process derives the
 * same picture from the same records; and of several that start for the first time at once, all take the key that was
 * settled first.
 */
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';

import { addSeconds, type Clock } from '../platform/clock.ts';
import type { Keyring, SealBinding } from '../platform/keyring.ts';
import type { CatalogueRepository } from '../store/port.ts';
import type { SigningKeyRecord } from '../store/records.ts';

/** ES256 is the default; EdDSA and RS256 are for Clients that ask. */
export const SIGNING_ALGORITHMS = ['ES256', 'EdDSA', 'RS256'] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** A new key is published this long before it signs: longer than a process's reload, and than most JWKS caches' floor. */
const PUBLISH_AHEAD_SECONDS = 60;
const CLOCK_MARGIN_SECONDS = 60;
/** The longest life of anything signed (an ID Token, one hour), and a margin for clocks. */
const LONGEST_SIGNED_SECONDS = 3600 + 300;

/** What the name of the fact begins with that holds the first key of an algorithm, as JSON; the algorithm follows. */
export const FIRST_SIGNING_KEY = 'first-signing-key:';
/** How the private half of this key is sealed. */
export const signingKeySeal = (kid: string): SealBinding => [
  'signing-key',
  { collection: 'signing_keys', field: 'jwk', id: kid },
];

export type SigningKeyView = {
  readonly kid: string;
  readonly alg: string;
  readonly status: 'next' | 'signing' | 'retiring' | 'retired';
  readonly createdAt: Date;
  readonly signsFrom: Date;
  readonly retiresAt: Date | null;
};

export type SigningKeys = {
  /** Makes sure there is a key of each algorithm. Safe to call from several processes at once. */
  ensure(): Promise<void>;
  /** The private key set as the protocol library wants it: what signs now first, what is to be published after it. */
  load(): Promise<{ readonly jwks: { keys: JWK[] }; readonly version: string }>;
  list(): Promise<readonly SigningKeyView[]>;
  /**
   * Adds a key of each algorithm asked for and retires its predecessors after their last token. `immediately`: it signs at
   * once. `revoke`, for keys that may be in strangers' hands: it signs at once, and every other key of these algorithms leaves
   * the set that is published, whatever it has signed.
   */
  rotate(options: {
    readonly algorithms: readonly SigningAlgorithm[];
    readonly immediately: boolean;
    readonly revoke?: boolean;
  }): Promise<readonly SigningKeyView[]>;
};

export function createSigningKeys({
  catalogue,
  keyring,
  clock,
}: {
  readonly catalogue: CatalogueRepository;
  readonly keyring: Keyring;
  readonly clock: Clock;
}): SigningKeys {
  const make = async (alg: SigningAlgorithm, signsFrom: Date): Promise<SigningKeyRecord> => {
    const { privateKey } = await generateKeyPair(alg, {
      extractable: true,
      ...(alg === 'RS256' ? { modulusLength: 2048 } : {}),
      ...(alg === 'EdDSA' ? { crv: 'Ed25519' } : {}),
    });
    const jwk = await exportJWK(privateKey);
    const kid = await calculateJwkThumbprint(jwk);
    const sealedJwk = keyring.seal(...signingKeySeal(kid), JSON.stringify({ ...jwk, kid, use: 'sig', alg }));
    return { kid, alg, sealedJwk, createdAt: clock.now(), signsFrom, retiresAt: null };
  };

  /**
   * The whole record is settled, and not a name for it: whoever offered it first may die before it is added, and then
   * everybody else adds it. Adding it twice is adding it once.
   */
  const addFirst = async (alg: SigningAlgorithm): Promise<void> => {
    const offered = JSON.stringify(await make(alg, clock.now()));
    const settled = JSON.parse(await catalogue.settle(`${FIRST_SIGNING_KEY}${alg}`, offered)) as KeptKey;
    const { createdAt, signsFrom } = settled;
    await catalogue.addSigningKey({ ...settled, createdAt: new Date(createdAt), signsFrom: new Date(signsFrom) });
  };

  const list = async (): Promise<readonly SigningKeyView[]> => {
    const now = clock.now();
    const keys = await catalogue.listSigningKeys();
    return keys.map(({ kid, alg, createdAt, signsFrom, retiresAt }) => {
      const signing = signingKey(keys, alg, now)?.kid === kid;
      const retired = retiresAt !== null && retiresAt <= now;
      const status = signing ? 'signing' : retired ? 'retired' : signsFrom > now ? 'next' : 'retiring';
      return { kid, alg, status, createdAt, signsFrom, retiresAt };
    });
  };

  return {
    list,
    async ensure() {
      const present = new Set((await catalogue.listSigningKeys()).map((key) => key.alg));
      for (const alg of SIGNING_ALGORITHMS) if (!present.has(alg)) await addFirst(alg);
    },
    async load() {
      const now = clock.now();
      const keys = (await catalogue.listSigningKeys()).filter((key) => key.retiresAt === null || key.retiresAt > now);
      const signing = new Set(SIGNING_ALGORITHMS.map((alg) => signingKey(keys, alg, now)?.kid));
      const rank = (key: SigningKeyRecord): number => SIGNING_ALGORITHMS.findIndex((alg) => alg === key.alg);
      const ordered = keys.toSorted(
        (a, b) => Number(signing.has(b.kid)) - Number(signing.has(a.kid)) || rank(a) - rank(b),
      );
      return {
        jwks: {
          keys: ordered.map((key) => JSON.parse(keyring.unseal(...signingKeySeal(key.kid), key.sealedJwk)) as JWK),
        },
        version: ordered.map((key) => key.kid).join(' '),
      };
    },
    async rotate({ algorithms, immediately, revoke = false }) {
      const now = clock.now();
      // Where nothing else is left to sign with, a process whose clock is behind must not wait for it.
      const ahead = revoke ? -CLOCK_MARGIN_SECONDS : immediately ? 0 : PUBLISH_AHEAD_SECONDS;
      const signsFrom = addSeconds(now, ahead);
      const predecessors = (await catalogue.listSigningKeys()).filter(
        (key) => algorithms.some((alg) => alg === key.alg) && (revoke || key.retiresAt === null),
      );
      for (const alg of algorithms) await catalogue.addSigningKey(await make(alg, signsFrom));
      // Only now that the successor is durable may the predecessor's end be set.
      const retiresAt = revoke ? now : addSeconds(signsFrom, LONGEST_SIGNED_SECONDS);
      for (const key of predecessors) await catalogue.retireSigningKey(key.kid, retiresAt);
      for (const key of await catalogue.listSigningKeys()) {
        if (key.retiresAt !== null && key.retiresAt <= now) await catalogue.removeSigningKey(key.kid);
      }
      return list();
    },
  };
}

/** A record as JSON keeps it. */
type KeptKey = Omit<SigningKeyRecord, 'createdAt' | 'signsFrom' | 'retiresAt'> & {
  readonly createdAt: string;
  readonly signsFrom: string;
  readonly retiresAt: null;
};

/** The key of an algorithm that signs now: of those whose time has come, the youngest. */
function signingKey(keys: readonly SigningKeyRecord[], alg: string, now: Date): SigningKeyRecord | undefined {
  return keys
    .filter((key) => key.alg === alg && key.signsFrom <= now && (key.retiresAt === null || key.retiresAt > now))
    .toSorted((a, b) => b.signsFrom.getTime() - a.signsFrom.getTime() || a.kid.localeCompare(b.kid))[0];
}
