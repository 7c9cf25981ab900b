/**
 * What providers answer when somebody signs out of them from here.
 *
 * Invariant: an answer counts once, for the very question it was asked of that provider, and is read by whoever holds its
 * bearer value and nobody else. Access here had ended before anything was asked: an answer changes nothing but what the person
 * is told.
 */
import { hash } from 'node:crypto';

import { addSeconds, type Clock } from '../platform/clock.ts';
import type { Keyring, SealBinding } from '../platform/keyring.ts';
import { randomSecret } from '../platform/random.ts';
import type { ArtifactRepository } from '../store/port.ts';
import { SIGN_OUT_OFFER_SECONDS } from './upstream-sessions.ts';

/** Whether it did: there and at everybody it told; there at least; not; or nobody can say. */
export type SignOutOutcome = 'everywhere' | 'in-part' | 'refused' | 'not-verified';

export type SignOutAnswer = { readonly connectionId: string; readonly outcome: SignOutOutcome };

/** `requestId` names the message, `relayState` comes back with the answer; neither can be guessed. */
export type SignOutQuestion = { readonly requestId: string; readonly relayState: string };

export type UpstreamAnswers = {
  ask(connectionId: string): Promise<SignOutQuestion>;
  /** The question that an answer belongs to, once; null where it was not asked of this provider, or long ago. */
  take(connectionId: string, relayState: string): Promise<Pick<SignOutQuestion, 'requestId'> | null>;
  /** Resolves to a bearer value. */
  keep(answer: SignOutAnswer): Promise<string>;
  find(bearer: string): Promise<SignOutAnswer | null>;
};

export function createUpstreamAnswers({
  artifacts,
  keyring,
  clock,
}: {
  readonly artifacts: ArtifactRepository;
  readonly keyring: Keyring;
  readonly clock: Clock;
}): UpstreamAnswers {
  const keep = async (model: Model, content: object): Promise<string> => {
    const bearer = randomSecret();
    const key = keyOf(model, bearer);
    const payload = keyring.seal(...upstreamAnswerSeal(model, key), JSON.stringify(content));
    const expiresAt = addSeconds(clock.now(), SIGN_OUT_OFFER_SECONDS);
    await artifacts.save({ model, key, payload, stamps: {}, expiresAt });
    return bearer;
  };
  const open = async (model: Model, bearer: string): Promise<unknown> => {
    if (!/^[\w-]{43}$/.test(bearer)) return null;
    const found = await artifacts.find(keyOf(model, bearer), clock.now());
    return found === null ? null : JSON.parse(keyring.unseal(...upstreamAnswerSeal(model, found.key), found.payload));
  };
  return {
    async ask(connectionId) {
      // An XML ID must not begin with a digit (SAML Core §1.3.4).
      const requestId = `_${randomSecret()}`;
      return { requestId, relayState: await keep('UpstreamSignOutAsked', { connectionId, requestId }) };
    },
    async take(connectionId, relayState) {
      const asked = (await open('UpstreamSignOutAsked', relayState)) as Asked | null;
      if (asked?.connectionId !== connectionId) return null;
      const first = await artifacts.consume(keyOf('UpstreamSignOutAsked', relayState), clock.now());
      return first ? asked : null;
    },
    keep: (answer) => keep('UpstreamSignOutAnswer', answer),
    find: async (bearer) => (await open('UpstreamSignOutAnswer', bearer)) as SignOutAnswer | null,
  };
}

export const UPSTREAM_ANSWER_MODELS = ['UpstreamSignOutAsked', 'UpstreamSignOutAnswer'] as const;
type Model = (typeof UPSTREAM_ANSWER_MODELS)[number];

/** How such an artifact is sealed. */
export function upstreamAnswerSeal(model: Model, key: Uint8Array): SealBinding {
  return ['federation', { collection: 'artifacts', field: model, id: Buffer.from(key).toString('base64url') }];
}

type Asked = { readonly connectionId: string; readonly requestId: string };

const keyOf = (model: Model, bearer: string): Buffer => hash('sha256', `${model}:${bearer}`, 'buffer');
