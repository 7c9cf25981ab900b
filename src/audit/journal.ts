/**
 * What happened to whom, for the person themselves and for whoever has to find out later.
 *
 * Invariant: an event is written after the fact it tells of, and never changed; addresses, browsers and names in it are sealed,
 * and forgotten with whom they tell of.
 * An event that could not be written is a line in the log and never a reason to undo what happened. It refuses to know what
 * events mean to people: pages and mails have the words.
 */
import type { Clock } from '../platform/clock.ts';
import type { Keyring } from '../platform/keyring.ts';
import type { Log } from '../platform/log.ts';
import { randomId } from '../platform/random.ts';
import type { EventRecord, JournalRepository } from '../store/journal.ts';
import type { Actor } from '../store/records.ts';

/** Every kind of event, in the words of the log. */
export type EventKind =
  | 'account.signed-in'
  | 'sign-in.recovery-code'
  | 'account.signed-out'
  | 'password.changed'
  | 'password.reset'
  | 'password.reset-requested'
  | 'email.verified'
  | 'email.changed'
  | 'email.reverted'
  | 'username.changed'
  | 'totp.added'
  | 'totp.removed'
  | 'recovery-codes.made'
  | 'passkey.added'
  | 'passkey.removed'
  | 'browser.trusted'
  | 'browsers.forgotten'
  | 'identity.linked'
  | 'identity.unlinked'
  | 'device.reattached'
  | 'account.created'
  | 'account.reported';

/** Few words; whatever else is known stays in the log. */
export type EventDetail = {
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
  /** What it happened to, by the name its owner gave it. */
  readonly what?: string | undefined;
};

export type Happened = {
  readonly id: string;
  readonly at: Date;
  readonly kind: EventKind;
  readonly actor: Actor;
  readonly detail: EventDetail;
};

export type Journal = {
  record(event: {
    readonly kind: EventKind;
    readonly accountId: string;
    readonly actor?: Actor;
    readonly detail?: EventDetail;
  }): Promise<void>;
  /** Forgets what happened to somebody who leaves. Before the account is deleted and after it: then nothing is left whenever. */
  forget(accountId: string): Promise<void>;
  /** Newest first. */
  recent(accountId: string, limit: number): Promise<readonly Happened[]>;
};

export function createJournal({
  store,
  keyring,
  clock,
  log,
}: {
  readonly store: JournalRepository;
  readonly keyring: Pick<Keyring, 'seal' | 'unseal'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Pick<Log, 'error'>;
}): Journal {
  const context = (id: string) => ({ collection: 'events', field: 'detail', id });
  const opened = ({ id, at, kind, actor, sealed }: EventRecord): Happened => ({
    id,
    at,
    kind: kind as EventKind,
    actor,
    detail: JSON.parse(keyring.unseal('event', context(id), sealed)) as EventDetail,
  });
  return {
    async record({ kind, accountId, actor = { kind: 'account', accountId }, detail = {} }) {
      const id = randomId();
      const sealed = keyring.seal('event', context(id), JSON.stringify(detail));
      try {
        await store.append([{ id, at: clock.now(), kind, accountId, actor, sealed }]);
      } catch (err) {
        log.error({ err, event: kind, account: accountId }, 'journal.not-written');
      }
    },
    forget: (accountId) => store.forget(accountId),
    recent: async (accountId, limit) => (await store.eventsOf(accountId, { limit })).map(opened),
  };
}
