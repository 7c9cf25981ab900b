/**
 * What other rooms do, as events: which words and ids of it stand in clear, and what is sealed.
 */
import type { MailStatus } from '../store/outbox.ts';
import type { ClientSessionRecord, DeliveryRecord, DeliveryStatus, SignOutRecord } from '../store/records.ts';
import type { EventFacts, NewEvent } from './journal.ts';

/** Named after the Sign-out: one that is spread twice is recorded once. `words`: reasons that name nobody. */
export function signOutEvent({ id, scope, reason, actor, at }: SignOutRecord, words: readonly string[]): NewEvent {
  const plain = words.includes(reason);
  return {
    id: `sign-out:${id}`,
    at,
    kind: 'sign-out.made',
    accountId: 'accountId' in scope ? scope.accountId : null,
    actor,
    facts: {
      signOut: id,
      scope: scope.kind,
      ...('clientId' in scope ? { client: scope.clientId } : {}),
      ...('connectionId' in scope ? { connection: scope.connectionId } : {}),
      ...(plain ? { reason } : {}),
    },
    // An operator may have written a name into it.
    detail: plain ? {} : { what: reason },
  };
}

export type DeliveryEnd = {
  readonly delivery: Pick<DeliveryRecord, 'id' | 'signOutId' | 'accountId' | 'clientId'>;
  readonly status: Exclude<DeliveryStatus, 'pending'>;
  readonly outcome: string;
  readonly attempts: number;
  readonly at: Date;
};

export function deliveryEvent({ delivery, status, outcome, attempts, at }: DeliveryEnd): NewEvent {
  const { id, signOutId: signOut, accountId, clientId: client } = delivery;
  const facts: EventFacts = { delivery: id, signOut, client, attempts };
  return { at, kind: `delivery.${status}`, accountId, actor: { kind: 'system' }, outcome, facts };
}

export type MailEnd = {
  readonly mail: { readonly id: string; readonly kind: string; readonly accountId: string | null };
  readonly status: Exclude<MailStatus, 'pending' | 'sent'>;
  readonly outcome: string;
  readonly attempts: number;
  readonly at: Date;
};

export function mailEvent({ mail, status, outcome, attempts, at }: MailEnd): NewEvent {
  const { id, kind, accountId } = mail;
  const facts: EventFacts = { mail: id, mailKind: kind, status, attempts };
  return { at, kind: 'mail.failed', accountId, actor: { kind: 'system' }, outcome, facts };
}

/** A guess at what proves an account that was not let in. The account is known; what was guessed is not said. */
export type Refused = {
  readonly accountId: string;
  readonly authenticator: string;
  readonly outcome: string;
  readonly address: string | undefined;
};

export function refusedEvent({ accountId, authenticator, outcome, address }: Refused): NewEvent {
  const detail = address === undefined ? {} : { address };
  return { kind: 'sign-in.refused', accountId, actor: { kind: 'system' }, outcome, facts: { authenticator }, detail };
}

/** Named after the Grant, which is the device's own. */
export function approvalEvent({
  grantId,
  accountId,
  clientId: client,
}: Pick<ClientSessionRecord, 'grantId' | 'accountId' | 'clientId'>): NewEvent {
  return { id: `device:${grantId}`, kind: 'device.approved', accountId, facts: { client, grant: grantId } };
}
