/** A record of its own: a store, a keyring, a clock that stands, and the room that keeps it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

import { createAudit } from '../../src/audit/audit.ts';
import { createJournal, type NewEvent } from '../../src/audit/journal.ts';
import { checker } from '../../src/audit/signed.ts';
import { verifyFile } from '../../src/audit/verify-file.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createKeyring, openKeyring } from '../../src/platform/keyring.ts';
import type { Store } from '../../src/store/port.ts';
import { openSqliteStore } from '../../src/store/sqlite/open.ts';
import { start } from './records.ts';

export type Line = { readonly event: string; readonly [field: string]: unknown };
export type AuditWorld = Awaited<ReturnType<typeof auditWorld>>;

export async function auditWorld({
  keepDays = 400,
  wrap = (store: Store) => store,
}: { readonly keepDays?: number; readonly wrap?: (store: Store) => Store } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-audit-'));
  const file = join(folder, 'curfew.db');
  const store = await openSqliteStore({ path: file });
  onTestFinished(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  let now = start;
  const clock = { ...systemClock, now: () => now };
  const logged: Line[] = [];
  const noting = (fields: Record<string, unknown> | string, event?: string) =>
    void logged.push(typeof fields === 'string' ? { event: fields } : { ...fields, event: event ?? '' });
  const log = { debug: noting, info: noting, warn: noting, error: noting, fatal: noting, child: () => log };
  const keyring = openKeyring(createKeyring(join(folder, 'keyring.json')));
  const wrapped = wrap(store);
  const journal = createJournal({ store: wrapped.journal, keyring, clock, log });
  const audit = createAudit({
    store: wrapped,
    keyring,
    clock,
    log,
    issuer: 'https://id.example.test',
    keepDays,
    checkpointMinutes: 10,
  });
  const check = checker((await audit.publicKey()).x);
  return {
    folder,
    file,
    store,
    clock,
    logged,
    keyring,
    journal,
    audit,
    checker: check,
    pass: (seconds: number) => void (now = new Date(now.getTime() + seconds * 1000)),
    /** Something happens, a second after what happened before. */
    async happen(count: number, event: Partial<NewEvent> = {}) {
      for (let nth = 0; nth < count; nth++) {
        now = new Date(now.getTime() + 1000);
        await journal.record({
          kind: 'account.signed-in',
          accountId: `person-${nth % 3}`,
          facts: { nth, client: 'größer \u2028 player' },
          detail: { address: `192.0.2.${nth % 250}`, userAgent: 'Browser "X"\n' },
          ...event,
        });
      }
    },
    /** Lines of an export, each with its newline. */
    async exported(options: { readonly since?: Date; readonly reveal?: boolean } = {}): Promise<string[]> {
      const { pages } = await audit.export({ reveal: false, ...options });
      const lines: string[] = [];
      for await (const page of pages) lines.push(...page.lines.map((line) => `${line}\n`));
      return lines;
    },
    verified: (text: string | Buffer, anchors?: readonly { seq: number; hash: string; at: string }[]) =>
      verifyFile(inChunks(Buffer.from(text)), { checker: check, ...(anchors === undefined ? {} : { anchors }) }),
  };
}

/** Of a size that no line has, so that lines are cut anywhere. */
async function* inChunks(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += 997) yield bytes.subarray(from, from + 997);
}
