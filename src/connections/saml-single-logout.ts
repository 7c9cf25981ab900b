/**
 * What arrives at a SAML connection's logout address: a provider's request to sign somebody out, or its answer to ours.
 *
 * Invariant: a request is carried out before it is answered, and answered as often as it is heard; an answer is read only if
 * it belongs to a question that is open, so that nothing else costs a look at its XML. It refuses to know pages and cookies.
 */
import type { Log } from '../platform/log.ts';
import type { InboundLogout } from './inbound-logout.ts';
import type { SamlConnection } from './saml-connection.ts';
import type { InboundLogout as SamlMessage } from './saml/logout.ts';
import type { UpstreamAnswers } from './upstream-answers.ts';

export type SamlLogoutMessage =
  | { readonly binding: 'redirect'; readonly query: string }
  | {
      readonly binding: 'post';
      readonly form: {
        readonly SAMLRequest?: string | undefined;
        readonly SAMLResponse?: string | undefined;
        readonly RelayState?: string | undefined;
      };
    };

/** Where the browser goes with our answer; that it stays here, with what its provider answered; or why neither. */
export type SamlLogoutHeard =
  | { readonly kind: 'answer'; readonly location: string }
  | { readonly kind: 'finished'; readonly answer: string | null }
  | { readonly kind: 'refused'; readonly why: string };

export type SamlSingleLogout = (
  connection: SamlConnection,
  named: { readonly id: string; readonly name: string },
  message: SamlLogoutMessage,
) => Promise<SamlLogoutHeard>;

export function createSamlSingleLogout({
  carryOut,
  answers,
  log,
}: {
  readonly carryOut: InboundLogout;
  readonly answers: UpstreamAnswers;
  readonly log: Log;
}): SamlSingleLogout {
  const hearRequest = async (
    connection: SamlConnection,
    named: { readonly id: string; readonly name: string },
    message: SamlMessage,
  ): Promise<SamlLogoutHeard> => {
    const heard = await connection.hearLogout(message);
    if ('refused' in heard) return { kind: 'refused', why: heard.refused };
    // Heard before, it is answered again: the provider may not have had the answer.
    await carryOut(named, heard);
    const answer = { inResponseTo: heard.id, relayState: heard.relayState, status: 'Success' } as const;
    const location = await connection.answerLogout(answer);
    return location === null ? { kind: 'finished', answer: null } : { kind: 'answer', location };
  };

  const hearAnswer = async (
    connection: SamlConnection,
    connectionId: string,
    { message, relayState }: Pick<Sorted, 'message' | 'relayState'>,
  ): Promise<SamlLogoutHeard> => {
    const question = await answers.take(connectionId, relayState);
    if (question === null) return { kind: 'finished', answer: null };
    const heard = await connection.hearLogoutAnswer(message, question.requestId);
    if ('refused' in heard) {
      log.warn({ connection: connectionId, why: heard.refused }, 'upstream.logout-answer-refused');
    }
    const outcome = 'refused' in heard ? 'not-verified' : heard.outcome;
    return { kind: 'finished', answer: await answers.keep({ connectionId, outcome }) };
  };

  return async (connection, named, message) => {
    const sorted = sort(message);
    if (sorted === null) return { kind: 'refused', why: 'neither a request nor a response' };
    return sorted.kind === 'request'
      ? hearRequest(connection, named, sorted.message)
      : hearAnswer(connection, named.id, sorted);
  };
}

type Sorted = {
  readonly kind: 'request' | 'answer';
  readonly message: SamlMessage;
  /** As it claims to be, to find the question by. */
  readonly relayState: string;
};

/** Whether a message is a request or an answer; null when it is neither, or both. */
function sort(message: SamlLogoutMessage): Sorted | null {
  if (message.binding === 'redirect') {
    const parameters = new URLSearchParams(message.query);
    const kind = kindOf(parameters.has('SAMLRequest'), parameters.has('SAMLResponse'));
    return kind === null ? null : { kind, message, relayState: parameters.get('RelayState') ?? '' };
  }
  const { SAMLRequest, SAMLResponse, RelayState } = message.form;
  const kind = kindOf(SAMLRequest !== undefined, SAMLResponse !== undefined);
  if (kind === null) return null;
  const posted = (kind === 'request' ? SAMLRequest : SAMLResponse) ?? '';
  return {
    kind,
    message: { binding: 'post', message: posted, relayState: RelayState },
    relayState: RelayState ?? '',
  };
}

const kindOf = (request: boolean, answer: boolean): Sorted['kind'] | null => {
  if (request === answer) return null;
  return request ? 'request' : 'answer';
};
