/** What makes an acknowledged write last, and a read the latest: what is asked of MongoDB, read on the way to it. */
import mongoose from 'mongoose';
import { expect, onTestFinished, test } from 'vitest';

import { openMongoStore } from '../../src/store/mongo/open.ts';
import { callsFor } from '../support/mongodb/calls.ts';
import { fill } from '../support/mongodb/filled.ts';
import { findProgram } from '../support/mongodb/find.ts';
import { freshDatabase } from '../support/mongodb/fresh.ts';
import { startReplicaSet } from '../support/mongodb/replica-set.ts';
import { type Command, openTap } from '../support/mongodb/tap.ts';

const ROWS = 40;
const WRITES = ['insert', 'update', 'delete', 'findAndModify', 'createIndexes'];

const isWrite = ({ name, body }: Command): boolean =>
  WRITES.includes(name) || JSON.stringify(body['pipeline'] ?? '').match(/\$(out|merge)/) !== null;

/** Of a command: what makes it less than durable, or a read that could be an old one; nothing of one that is right. */
function weakness(command: Command): string | undefined {
  const { writeConcern, readConcern, $readPreference } = command.body;
  const said = JSON.stringify({ writeConcern, readConcern, $readPreference });
  const durable = writeConcern?.w === 'majority' && writeConcern.j === true && writeConcern.wtimeout === undefined;
  if (isWrite(command) && !durable) return said;
  // A driver names the primary by naming nothing; over a line to a single member it says `primaryPreferred`, and means it.
  const primary = $readPreference === undefined || /^primary/.test(String($readPreference.mode));
  return primary && readConcern === undefined ? undefined : said;
}

test('every write of every method waits for the journals of a majority, and every read asks the primary', async () => {
  const fresh = await freshDatabase();
  const tap = await openTap(fresh.address.url);
  onTestFinished(() => tap.cut());
  const store = await openMongoStore({ ...fresh.address, url: tap.url });
  onTestFinished(() => store.close());
  await fill(store, ROWS);
  const weak: unknown[] = [];
  const kinds = new Set<string>();
  const silent: string[] = [];
  const look = (method: string, commands: readonly Command[]): void => {
    if (commands.length === 0) silent.push(method);
    for (const command of commands) {
      if (isWrite(command)) kinds.add(command.name);
      const why = weakness(command);
      if (why !== undefined) weak.push([method, command.name, why]);
    }
  };
  look('open and fill', tap.take());
  for (const { method, ask } of callsFor(ROWS)) {
    await ask(store);
    look(method, tap.take());
  }
  expect(weak).toEqual([]);
  expect(silent).toEqual([]);
  // Had one of these never been asked for, nothing would be known about it.
  expect([...kinds].sort()).toEqual([...WRITES].sort());
});

test.skipIf(findProgram() === undefined)('no other member of a replica set is ever asked', async () => {
  const set = await startReplicaSet({ members: 3 });
  onTestFinished(() => set.stop());
  const members = await Promise.all(
    set
      .url('curfew')
      .replace(/^mongodb:\/\/|\/.*$/g, '')
      .split(',')
      .map(async (host) => {
        const client = new mongoose.mongo.MongoClient(`mongodb://${host}`, { directConnection: true });
        onTestFinished(() => client.close());
        const database = client.db('curfew');
        await database.command({ profile: 2 });
        return database;
      }),
  );
  const store = await openMongoStore({ url: set.url('curfew') });
  onTestFinished(() => store.close());
  await fill(store, ROWS);
  for (const { ask } of callsFor(ROWS)) await ask(store);
  const asked = await Promise.all(
    members.map((member) => member.collection('system.profile').countDocuments({ appName: 'curfew' })),
  );
  const primary = await set.primary();
  expect(asked[primary]).toBeGreaterThan(callsFor(ROWS).length);
  expect(asked.filter((_, at) => at !== primary)).toEqual([0, 0]);
});
