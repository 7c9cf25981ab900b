/**
 * What happened to whom, for the person themselves and for whoever has to find out later.
 *
 * Invariant: an event is written after the fact it tells of, and never changed; addresses, browsers and names in it are sealed,
 * and forgotten with whom they tell of. What stays in clear, its facts, is nothing personal and no secret. The sealed text is
 * committed to with a salt of its own in it: so the record can be checked without it, and tells nobody what it was.
 * An event that could not be written is a line in the log and never a reason to undo what happened. It refuses to know what
 * events mean to people: pages and mails have the words.
 */
import type { Clock } from '../platform/clock.ts';
import type { Keyring } from '../platform/keyring.ts';
import type { Log } from '../platform/log.ts';
import { randomId } from '../platform/random.ts';
import type { EventRecord, JournalRepository } from '../store/journal.ts';
import type { Actor } from '../store/records.ts';
import { type SealedDetails, sealedDetails } from './details.ts';

/** What a person is told of their own account, in the words of the log. Every language has words for these. */
const PERSONAL_KINDS = [
  'account.signed-in',
  'sign-in.recovery-code',
  'account.signed-out',
  'password.changed',
  'password.reset',
  'password.reset-requested',
  'email.verified',
  'email.changed',
  'email.reverted',
  'username.changed',
  'totp.added',
  'totp.removed',
  'recovery-codes.made',
  'passkey.added',
  'passkey.removed',
  'browser.trusted',
  'browsers.forgotten',
  'identity.linked',
  'identity.unlinked',
  'device.reattached',
  'account.created',
  'account.reported',
] as const;

export type PersonalKind = (typeof PERSONAL_KINDS)[number];

/** Every kind of event: the personal ones, and those that are for the record alone. */
export type EventKind =
  | PersonalKind
  | 'sign-in.refused'
  | 'sign-out.made'
  | 'device.approved'
  | 'delivery.delivered'
  | 'delivery.rejected'
  | 'delivery.abandoned'
  | 'delivery.revived'
  | 'mail.failed'
  | 'mail.revived'
  | 'account.invited'
  | 'account.disabled'
  | 'account.enabled'
  | 'account.deleted'
  | 'client.created'
  | 'client.deleted'
  | 'client.secret-rotated'
  | 'client.drilled'
  | 'drill.stolen-database'
  | 'connection.refreshed'
  | 'signing-keys.rotated'
  | 'keyring.staged'
  | 'keyring.rotated'
  | 'account.contained'
  | 'incident.opened'
  | 'incident.resumed'
  | 'incident.step-done'
  | 'audit.checkpoint'
  | 'audit.pruned';

/** Few words; whatever else is known stays in the log. */
export type EventDetail = {
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
  /** What it happened to, by the name its owner gave it. */
  readonly what?: string | undefined;
};

/** In clear: ids of Clients and keys, counts, words. Nothing personal, and no secret. */
export type EventFacts = { readonly [name: string]: string | number | boolean };

export type NewEvent = {
  /** Derived, where the same may be recorded twice: then it is recorded once. Default: a new one. */
  readonly id?: string;
  readonly kind: EventKind;
  /** Null: to nobody in particular. */
  readonly accountId: string | null;
  /** Whoever it happened to, unless it is said; Curfew itself where that is nobody. */
  readonly actor?: Actor;
  /** How it ended, in a word. */
  readonly outcome?: string;
  readonly facts?: EventFacts;
  readonly detail?: EventDetail;
  /** When it happened, where that is not now. */
  readonly at?: Date;
};

export type Happened = {
  readonly id: string;
  readonly at: Date;
  readonly kind: PersonalKind;
  readonly actor: Actor;
  readonly detail: EventDetail;
};

export type Journal = {
  record(event: NewEvent): Promise<void>;
  /** The same for many, in one write. */
  recordAll(events: readonly NewEvent[]): Promise<void>;
  /** Forgets what happened to somebody who leaves. Before the account is deleted and after it: then nothing is left whenever. */
  forget(accountId: string): Promise<void>;
  /** What a person is told of, newest first. */
  recent(accountId: string, limit: number): Promise<readonly Happened[]>;
};

export function createJournal({
  store,
  keyring,
  clock,
  log,
}: {
  readonly store: Pick<JournalRepository, 'append' | 'eventsOf' | 'forget'>;
  readonly keyring: Pick<Keyring, 'seal' | 'unseal'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Pick<Log, 'error'>;
}): Journal {
  const details = sealedDetails(keyring);
  const opened = ({ id, at, kind, actor, sealed }: EventRecord): Happened => {
    const { salt: _salt, ...detail } = JSON.parse(details.open(id, sealed)) as EventDetail & { salt?: string };
    return { id, at, kind: kind as PersonalKind, actor, detail };
  };
  const recordAll: Journal['recordAll'] = async (events) => {
    if (events.length === 0) return;
    try {
      await store.append(events.map((event) => newRecord(event, { details, now: clock.now() })));
    } catch (err) {
      for (const { kind, accountId } of events)
        log.error({ err, event: kind, account: accountId }, 'journal.not-written');
    }
  };
  return {
    record: (event) => recordAll([event]),
    recordAll,
    forget: (accountId) => store.forget(accountId),
    recent: async (accountId, limit) => (await store.eventsOf(accountId, { limit, kinds: PERSONAL_KINDS })).map(opened),
  };
}

/** An event as it is kept, not chained yet. */
export function newRecord(
  { id = randomId(), kind, accountId, outcome = 'done', facts = {}, detail = {}, actor, at }: NewEvent,
  { details, now }: { readonly details: SealedDetails; readonly now: Date },
): EventRecord {
  return {
    id,
    at: at ?? now,
    kind,
    accountId,
    actor: actor ?? (accountId === null ? { kind: 'system' } : { kind: 'account', accountId }),
    outcome,
    facts: JSON.stringify(facts),
    ...details.seal(id, JSON.stringify(detail)),
    seq: null,
    hash: null,
  };
}
