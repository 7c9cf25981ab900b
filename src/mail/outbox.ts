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
import type { Keyring, SealBinding } from '../platform/keyring.ts';
import type { MailRecord, OutboxRepository } from '../store/outbox.ts';
import { plainAddress } from './address.ts';
import { linksOf, type Mail } from './mails.ts';

/** What is sealed. */
export type Content = { readonly to: string; readonly locale: Locale; readonly mail: Mail };

/** A mail to be queued. */
export type Letter = {
  /** What it is about; nothing else ever has the same. */
  readonly eventId: string;
  /** What the ids of mails begin with that belong together: letters, digits and `_`. */
  readonly group?: string;
  readonly to: string;
  readonly accountId: string | null;
  /** The language the person reads (BCP 47), as far as it is known. */
  readonly locale: string | null;
  readonly mail: Mail;
};

export type Mailer = {
  /**
   * Queues a mail; it is durable once this resolves. The second mail of an event is `queued-before`. Throws RangeError for an
   * address that is not one, and for a link that leads elsewhere; StoreUnavailable.
   */
  send(letter: Letter): Promise<'queued' | 'queued-before'>;
  /** The same for many, in one write; none is queued when one of them is refused. Resolves to how many were not queued before. */
  sendMany(letters: readonly Letter[]): Promise<number>;
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
  const recordOf = ({ eventId, group, to, accountId, locale, mail }: Letter): MailRecord => {
    for (const link of linksOf(mail)) {
      if (URL.parse(link)?.origin !== issuer) throw new RangeError(`a link of ${mail.kind} leads away from the issuer`);
    }
    const id = mailIdOf(eventId, group);
    const content: Content = { to: plainAddress(to), locale: chooseLocale({ account: locale }), mail };
    const now = clock.now();
    return {
      id,
      accountId,
      kind: mail.kind,
      sealed: keyring.seal(...mailSeal(id), JSON.stringify(content)),
      status: 'pending',
      attempts: 0,
      nextAttemptAt: now,
      lastAttemptAt: null,
      lastOutcome: null,
      createdAt: now,
      deadlineAt: addSeconds(now, DEADLINE_SECONDS),
    };
  };
  const sendMany = async (letters: readonly Letter[]): Promise<number> => {
    if (letters.length === 0) return 0;
    const queued = await outbox.enqueue(letters.map(recordOf));
    written();
    return queued;
  };
  return {
    send: async (letter) => ((await sendMany([letter])) === 1 ? 'queued' : 'queued-before'),
    sendMany,
  };
}

/** The id of the mail about an event: one and the same however often it is asked for. */
export function mailIdOf(eventId: string, group?: string): string {
  const id = createHash('sha256').update(`curfew mail\n${eventId}`).digest('base64url');
  return group === undefined ? id : `${group}-${id}`;
}

/** Opens a queued mail. Throws SealBroken. */
export function contentOpener(keyring: Keyring): (record: Pick<MailRecord, 'id' | 'sealed'>) => Content {
  return ({ id, sealed }) =>
    JSON.parse(keyring.unseal(...mailSeal(id), sealed), (name, value: unknown) =>
      /^at$|At$/.test(name) ? new Date(value as string) : value,
    ) as Content;
}

/** How what this mail says is sealed. */
export const mailSeal = (id: string): SealBinding => ['mail', { collection: 'mails', field: 'content', id }];
