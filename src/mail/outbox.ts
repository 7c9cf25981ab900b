/**
 * Queueing a mail, and reading one that was queued.
 *
 * Purpose: whoever changes something says so here, in one call that is as good as sent once it resolves. Invariant: one
 * event is one mail, however often it is queued; whom it goes to and what it says lies sealed in the store; every link in it
 * leads to the configured issuer; and it goes to exactly one address. It refuses to know how mail travels and what it
 * looks like.
 */
import { createHash } from 'node:crypto';

import { chooseLocale } from '../languages/choose.ts';
import type { Locale } from '../languages/languages.ts';
import { addSeconds, type Clock } from '../platform/clock.ts';
import type { Keyring } from '../platform/keyring.ts';
import type { MailRecord, OutboxRepository } from '../store/outbox.ts';
import { plainAddress } from './address.ts';
import { linksOf, type Mail } from './mails.ts';

/** What is sealed. */
export type Content = { readonly to: string; readonly locale: Locale; readonly mail: Mail };

export type Mailer = {
  /**
   * Queues a mail; it is durable once this resolves. `eventId` names what it is about, and nothing else ever has the same:
   * the second mail of an event is `queued-before`. Throws RangeError for an address that is not one, and for a link that
   * leads elsewhere; StoreUnavailable.
   */
  send(letter: {
    readonly eventId: string;
    readonly to: string;
    readonly accountId: string | null;
    /** The language the person reads (BCP 47), as far as it is known. */
    readonly locale: string | null;
    readonly mail: Mail;
  }): Promise<'queued' | 'queued-before'>;
};

/** How long a mail is tried, and tried again once an operator says so. */
export const DEADLINE_SECONDS = 72 * 3600;

export function createMailer({
  outbox,
  keyring,
  clock,
  issuer,
  written,
}: {
  readonly outbox: Pick<OutboxRepository, 'enqueue'>;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly issuer: string;
  /** Told that there is something to send. */
  readonly written: () => void;
}): Mailer {
  return {
    async send({ eventId, to, accountId, locale, mail }) {
      for (const link of linksOf(mail)) {
        if (URL.parse(link)?.origin !== issuer)
          throw new RangeError(`a link of ${mail.kind} leads away from the issuer`);
      }
      const id = mailIdOf(eventId);
      const content: Content = { to: plainAddress(to), locale: chooseLocale({ account: locale }), mail };
      const now = clock.now();
      const record: MailRecord = {
        id,
        accountId,
        kind: mail.kind,
        sealed: keyring.seal(PURPOSE, context(id), JSON.stringify(content)),
        status: 'pending',
        attempts: 0,
        nextAttemptAt: now,
        lastAttemptAt: null,
        lastOutcome: null,
        createdAt: now,
        deadlineAt: addSeconds(now, DEADLINE_SECONDS),
      };
      const queued = await outbox.enqueue([record]);
      written();
      return queued === 1 ? 'queued' : 'queued-before';
    },
  };
}

/** The id of the mail about an event: one and the same however often it is asked for. */
export function mailIdOf(eventId: string): string {
  return createHash('sha256').update(`curfew mail\n${eventId}`).digest('base64url');
}

/** Opens a queued mail. Throws SealBroken. */
export function contentOpener(keyring: Keyring): (record: Pick<MailRecord, 'id' | 'sealed'>) => Content {
  return ({ id, sealed }) =>
    JSON.parse(keyring.unseal(PURPOSE, context(id), sealed), (name, value: unknown) =>
      /^at$|At$/.test(name) ? new Date(value as string) : value,
    ) as Content;
}

const PURPOSE = 'mail';
const context = (id: string) => ({ collection: 'mails', field: 'content', id });
