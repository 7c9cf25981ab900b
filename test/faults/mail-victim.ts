/**
 * The mail room of a real installation in a process of its own, there to be killed: it queues what it was told to, sends what is
 * due, and dies by SIGKILL at the gate it was given. What it says, it says of what is durable.
 */
import { readConfig } from '../../src/config/read.ts';
import { createMail } from '../../src/mail/mail.ts';
import { openStoreAndKeyring } from '../../src/open-store.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createLog } from '../../src/platform/log.ts';
import type { OutboxRepository } from '../../src/store/outbox.ts';

export type MailGate = 'before-queue' | 'after-queue' | 'after-claim' | 'before-settle' | 'none';
export type MailLife = {
  readonly file: string;
  readonly secondsAhead: number;
  readonly gate: MailGate;
  readonly events: readonly string[];
};
export type MailWord = { readonly queued: string } | { readonly idle: true };

const { file, secondsAhead, gate, events } = JSON.parse(process.argv[2] ?? '') as MailLife;
const say = (word: MailWord): Promise<void> => new Promise((resolve) => process.send?.(word, () => resolve()));

function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
}

const gated = (outbox: OutboxRepository): OutboxRepository => ({
  ...outbox,
  async enqueue(mails) {
    if (gate === 'before-queue') return die();
    const queued = await outbox.enqueue(mails);
    return gate === 'after-queue' ? die() : queued;
  },
  async claim(claim) {
    const claimed = await outbox.claim(claim);
    return gate === 'after-claim' && claimed.length > 0 ? die() : claimed;
  },
  settle: (outcome) => (gate === 'before-settle' && outcome.status === 'sent' ? die() : outbox.settle(outcome)),
});

const reading = readConfig({ file, env: {} });
if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
const { config } = reading;
const { store, keyring } = await openStoreAndKeyring(config);
const { mailer, mails } = createMail({
  config,
  outbox: gated(store.outbox),
  keyring,
  clock: { ...systemClock, now: () => new Date(Date.now() + secondsAhead * 1000) },
  log: createLog({ level: 'error', destination: 'stderr' }),
  observe: {},
});
if (mailer === null) throw new Error('no mail is configured');
for (const eventId of events) {
  await mailer.send({
    eventId,
    to: `${eventId}@example.test`,
    accountId: null,
    locale: 'de',
    mail: {
      kind: 'password-changed',
      at: new Date(),
      address: null,
      device: null,
      notMeLink: `${config.issuer}/not-me`,
    },
  });
  await say({ queued: eventId });
}
await mails.runUntilIdle();
await say({ idle: true });
await store.close();
process.disconnect();
