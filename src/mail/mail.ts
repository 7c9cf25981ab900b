/**
 * What we write to people, and the queue it leaves by: the room's one door.
 *
 * Invariant: where no mail is configured there is no mailer, and whoever would write to somebody must say so instead. It
 * refuses to know who writes, and why.
 */
import type { Config } from '../config.ts';
import type { Clock } from '../platform/clock.ts';
import type { Keyring } from '../platform/keyring.ts';
import type { Log } from '../platform/log.ts';
import type { OutboxRepository } from '../store/outbox.ts';
import { contentOpener, createMailer, type Mailer } from './outbox.ts';
import { createRender } from './render.ts';
import { createTransport, type Transport } from './transport.ts';
import { createMailWorker, type MailObserver, type MailWorker } from './worker.ts';

/** All of it, or nothing of it. */
export type MailRoom =
  | { readonly mailer: Mailer; readonly mails: MailWorker; readonly mailTransport: Transport }
  | { readonly mailer: null; readonly mails: null; readonly mailTransport: null };

export function createMail({
  config: { mail, issuer },
  outbox,
  keyring,
  clock,
  log,
  observe,
}: {
  readonly config: Pick<Config, 'mail' | 'issuer'>;
  readonly outbox: OutboxRepository;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly log: Log;
  readonly observe: MailObserver;
}): MailRoom {
  if (mail === null) return { mailer: null, mails: null, mailTransport: null };
  const transport = createTransport({ route: mail.route, from: mail.from, clock });
  const worker = createMailWorker({
    outbox,
    render: createRender({ open: contentOpener(keyring), issuer }),
    transport,
    clock,
    random: Math.random,
    log,
    observe,
    perMinute: mail.perMinute,
  });
  const mailer = createMailer({ outbox, keyring, clock, issuer, written: () => worker.wake() });
  return { mailer, mails: worker, mailTransport: transport };
}
