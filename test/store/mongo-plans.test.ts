/**
 * How MongoDB goes about what it is asked: along an index, to little more than what is asked for, in every method of the port.
 * The server's own profiler says so, over a store with two thousand of everything.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { mongo } from 'mongoose';

import type { Store } from '../../src/store/port.ts';
import { COLLECTIONS } from '../../src/store/mongo/schemas.ts';
import { at } from '../support/records.ts';
import { type Call, callsFor } from '../support/mongodb/calls.ts';
import { fill } from '../support/mongodb/filled.ts';
import { type Fresh, freshDatabase } from '../support/mongodb/fresh.ts';

const ROWS = 2000;
const CALLS = callsFor(ROWS);

/** What may look at more than it gives back, and why. Everything else may not. */
const MAY_LOOK_AT_MUCH: Readonly<Record<string, string>> = {
  inspect: 'an operator asked for it: reads every collection once',
  'accounts.count': 'an operator asked for it, or a dry run: counts what is there',
  'revocations.reach': 'a dry run: counts whom a sign-out would reach',
  [`cohorts.matching {"signedInAfter":"${at(-1).toISOString()}"}`]: 'walks along the accounts until a page is full',
  'cohorts.count': 'a dry run: counts who is there',
  'cohorts.reach': 'a dry run: counts whom an incident would reach',
  'incidents.countMembers': 'counts along an index',
  'incidents.progress': 'counts along an index',
  'incidents.deliveriesByClient': 'a report: counts what an incident owed',
  'incidents.timeline': 'a report: counts what an incident owed',
  'deliveries.counts': 'counts along an index',
  'outbox.counts': 'counts along an index',
  'seals.count': 'an operator asked for it: counts everything that is sealed',
  'journal.forget': 'somebody leaves: reads what happened to them, once',
  'catalogue.listSigningKeys': 'reads all of them: two or three',
  'deliveries.list {"accountId":"person-7"}': 'an operator’s list: walks along the ids until a page is full',
};

const nameOf = ({ method, given }: Call): string => {
  if (!['deliveries.list', 'outbox.list', 'cohorts.matching'].includes(method)) return method;
  const [{ page: _page, ...filter }] = given as [Record<string, unknown>];
  return `${method} ${JSON.stringify(filter)}`;
};

let fresh: Fresh;
let store: Store;
beforeAll(async () => {
  const tidying: (() => Promise<void>)[] = [];
  fresh = await freshDatabase((tidy) => void tidying.unshift(tidy));
  store = await fresh.open();
  await fill(store, ROWS);
  return async () => {
    for (const tidy of tidying) await tidy();
  };
});

/** Asked a second time, some things are refused; how they were looked for counts all the same. */
const again = ({ ask }: Call): Promise<unknown> => ask(store).catch(() => undefined);

/** What the profiler noted of Curfew's commands while it worked. */
async function profiled(work: () => Promise<unknown>): Promise<mongo.Document[]> {
  const { db } = fresh;
  await db.dropCollection('system.profile').catch(() => false);
  await db.createCollection('system.profile', { capped: true, size: 2 ** 24 });
  await db.command({ profile: 2 });
  try {
    await work();
  } finally {
    await db.command({ profile: 0 });
  }
  return db
    .collection('system.profile')
    .find({ appName: 'curfew', planSummary: { $exists: true } })
    .toArray();
}

/** How it was gone about, in a line, where that costs more than what came of it; nothing where it does not. */
function waste(entry: mongo.Document): string | undefined {
  const looked = Math.max(Number(entry['keysExamined'] ?? 0), Number(entry['docsExamined'] ?? 0));
  const got = Number(entry['nreturned'] ?? entry['nMatched'] ?? entry['ndeleted'] ?? 0);
  const plan = String(entry['planSummary']);
  const scans = plan.includes('COLLSCAN');
  if (!scans && looked <= 4 * got + 20) return undefined;
  return `${String(entry['op'])} ${String(entry['ns']).replace(/^[^.]*\./, '')}: ${plan}, looked at ${looked} for ${got}`;
}

describe('every method is answered along an index', () => {
  for (const call of CALLS) {
    test(`${call.method}(${JSON.stringify(call.given).slice(1, 90)}`, async () => {
      const entries = await profiled(() => again(call));
      const wasted = entries.flatMap((entry) => waste(entry) ?? []);
      if (nameOf(call) in MAY_LOOK_AT_MUCH) return;
      expect(wasted).toEqual([]);
    });
  }
});

test('no index is there for nothing', async () => {
  for (const call of CALLS) await again(call);
  const unused: string[] = [];
  for (const { name } of Object.values(COLLECTIONS)) {
    for (const index of await fresh.db
      .collection(name)
      .aggregate([{ $indexStats: {} }])
      .toArray()) {
      // Every collection has one of ids, whether or not it is read by them.
      const servers = index['spec'].expireAfterSeconds !== undefined || index['name'] === '_id_';
      if (!servers && Number(index['accesses'].ops) === 0) unused.push(`${name}.${String(index['name'])}`);
    }
  }
  expect(unused).toEqual([]);
});

test('what may look at much does, or need not be named', async () => {
  const needless = new Set(Object.keys(MAY_LOOK_AT_MUCH));
  for (const call of CALLS) {
    if (!needless.has(nameOf(call))) continue;
    // What changed something the first time may look in vain the second.
    const entries = [...(await profiled(() => call.ask(store))), ...(await profiled(() => call.ask(store)))];
    if (entries.some((entry) => waste(entry) !== undefined)) needless.delete(nameOf(call));
  }
  expect([...needless]).toEqual([]);
});
