/**
 * The mail room over a real store and a real mail server, with a clock that can be set ahead: what is due in an hour or held
 * under a lease is reached without waiting.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

import type { MailRoute } from '../../src/config/mail.ts';
import { contentOpener, createMailer, mailIdOf } from '../../src/mail/outbox.ts';
import { createRender } from '../../src/mail/render.ts';
import { createTransport, type Patience } from '../../src/mail/transport.ts';
import { createMailWorker, type MailWorker, type MailWorkerOptions } from '../../src/mail/worker.ts';
import { type Clock, systemClock } from '../../src/platform/clock.ts';
import { createKeyring, openKeyring } from '../../src/platform/keyring.ts';
import { createLog } from '../../src/platform/log.ts';
import { FROM, ISSUER, notice } from './mail-fixtures.ts';
import { openPostOffice, type PostOffice } from './post-office.ts';
import { storeUnderTest } from './store-under-test.ts';

/** Long enough for a busy machine, short enough to be waited for. */
const PATIENCE: Patience = { connecting: 1000, answering: 1000, whole: 2000 };

export async function mailWorld(options: { office?: Parameters<typeof openPostOffice>[0] } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-mail-'));
  const database = await storeUnderTest(folder);
  const store = await database.open();
  const office = await openPostOffice(options.office);
  let secondsAhead = 0;
  const clock: Clock = { ...systemClock, now: () => new Date(Date.now() + secondsAhead * 1000) };
  const keyring = openKeyring(createKeyring(join(folder, 'keyring.json')));
  const lines: { event: string; [field: string]: unknown }[] = [];
  const log = createLog({
    level: 'debug',
    destination: { write: (line) => void lines.push(JSON.parse(line) as (typeof lines)[number]) },
  });
  const workers: MailWorker[] = [];
  const route: MailRoute = {
    by: 'smtp',
    host: '127.0.0.1',
    port: office.port,
    security: 'none',
    user: undefined,
    password: undefined,
  };
  onTestFinished(async () => {
    await office.close();
    await Promise.all(workers.map((each) => each.stop()));
    await store.close();
    await database.dispose();
    rmSync(folder, { recursive: true, force: true });
  });
  const mailer = createMailer({
    outbox: store.outbox,
    keyring,
    clock,
    issuer: ISSUER,
    written: () => {
      for (const worker of workers) worker.wake();
    },
  });
  return {
    folder,
    database,
    store,
    office,
    clock,
    keyring,
    lines,
    mailer,
    route,
    render: createRender({ open: contentOpener(keyring), issuer: ISSUER }),
    advance(seconds: number): void {
      secondsAhead += seconds;
    },
    /** One more worker, as another process would have one. */
    worker(
      overrides: Partial<MailWorkerOptions> & {
        route?: Partial<MailRoute & { by: 'smtp' }>;
        patience?: Patience;
        dies?: boolean;
      } = {},
    ): MailWorker {
      const { route: changed, patience = PATIENCE, dies = false, ...rest } = overrides;
      const worker = createMailWorker({
        outbox: store.outbox,
        render: createRender({ open: contentOpener(keyring), issuer: ISSUER }),
        transport: createTransport({
          route: { ...route, ...changed } as MailRoute,
          from: FROM,
          clock,
          patience,
        }),
        clock,
        random: () => 0.5,
        log,
        ...rest,
      });
      // The dead are not asked to stop.
      if (!dies) workers.push(worker);
      return worker;
    },
    /** Queues a notice about this event; resolves to its id. */
    async queue(eventId: string, to = 'ada@example.org'): Promise<{ readonly id: string }> {
      await mailer.send({ eventId, to, accountId: 'account-1', locale: 'en', mail: notice() });
      return { id: mailIdOf(eventId) };
    },
  };
}

export type MailWorld = Awaited<ReturnType<typeof mailWorld>>;

/** The Message-IDs a post office took, and how often each. */
export function counted(office: PostOffice): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { messageId } of office.taken) counts[messageId] = (counts[messageId] ?? 0) + 1;
  return counts;
}
