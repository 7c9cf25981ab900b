/**
 * kill -9 at every point of a mail's way: what was acknowledged arrives, and what arrives twice was being sent when somebody
 * died. The oracle is the mail server's own list.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import { mailIdOf } from '../../src/mail/outbox.ts';
import { openPostOffice } from '../support/post-office.ts';
import { storeUnderTest } from '../support/store-under-test.ts';
import type { MailGate, MailLife, MailWord } from './mail-victim.ts';

const ROUNDS = 4;
/** Longer than any lease, and than the wait after a first failed attempt. */
const BETWEEN_LIVES = 200;

test('a mail room killed at every step loses nothing, and repeats only what was on its way', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-mail-crash-'));
  const database = await storeUnderTest(folder);
  const office = await openPostOffice();
  const file = join(folder, 'curfew.yaml');
  writeFileSync(
    file,
    JSON.stringify({
      issuer: 'http://localhost:3000',
      ...database.configuration,
      mail: { url: `smtp://127.0.0.1:${office.port}`, from: 'Curfew <no-reply@example.test>' },
    }),
  );
  let secondsAhead = 0;
  let nth = 0;
  /** What the server took in each life, by Message-ID. */
  const lives: string[][] = [];
  const acknowledged: string[] = [];
  onTestFinished(async () => {
    await office.close();
    await database.check();
    await database.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  const live = async (gate: MailGate, mails: number, whenHeld?: 'kill'): Promise<string> => {
    const events = Array.from({ length: mails }, () => `event-${nth++}`);
    const life: MailLife = { file, secondsAhead, gate, events };
    secondsAhead += BETWEEN_LIVES;
    const before = office.taken.length;
    const held = office.held();
    if (whenHeld === 'kill') await office.catch('holds its answer');
    const child = fork(new URL('./mail-victim.ts', import.meta.url).pathname, [JSON.stringify(life)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let complaints = '';
    child.stderr?.on('data', (chunk) => (complaints += String(chunk)));
    child.on('message', (word: MailWord) => void ('queued' in word && acknowledged.push(word.queued)));
    const ended = once(child, 'exit');
    if (whenHeld === 'kill') {
      await expect.poll(() => office.held(), { timeout: 30_000 }).toBeGreaterThan(held);
      child.kill('SIGKILL');
    }
    const [code, signal] = (await ended) as [number | null, string | null];
    await office.catch('none');
    expect(complaints).toBe('');
    lives.push(office.taken.slice(before).map(({ messageId }) => messageId));
    return signal ?? String(code);
  };

  for (let round = 0; round < ROUNDS; round += 1) {
    expect(await live('before-queue', 1)).toBe('SIGKILL');
    expect(await live('after-queue', 1)).toBe('SIGKILL');
    expect(await live('after-claim', 2)).toBe('SIGKILL');
    expect(await live('before-settle', 3)).toBe('SIGKILL');
    expect(await live('none', 2, 'kill')).toBe('SIGKILL');
  }
  expect(await live('none', 1)).toBe('0');
  expect(await live('none', 0)).toBe('0');

  const times = new Map<string, number>();
  for (const taken of lives) {
    // Never twice by one that did not die in between.
    expect(new Set(taken).size).toBe(taken.length);
    for (const id of taken) times.set(id, (times.get(id) ?? 0) + 1);
  }
  for (const event of acknowledged)
    expect([event, times.has(`<${mailIdOf(event)}@example.test>`)]).toEqual([event, true]);
  // Durable without having been acknowledged: one of each round.
  expect(times.size).toBe(acknowledged.length + ROUNDS);
  // Only a death between the server's yes and the record of it repeats a mail, and there was one a round.
  const extra = [...times.values()].reduce((sum, count) => sum + count - 1, 0);
  expect(extra).toBeGreaterThanOrEqual(ROUNDS);
  for (const count of times.values()) expect(count).toBeLessThanOrEqual(1 + ROUNDS);
  const store = await database.open();
  const { pending, sent, rejected, abandoned } = await store.outbox.counts();
  await store.close();
  expect({ pending, sent, rejected, abandoned }).toEqual({ pending: 0, sent: times.size, rejected: 0, abandoned: 0 });
});
