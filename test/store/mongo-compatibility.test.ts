/**
 * Servers that speak MongoDB's protocol: what every promise rests on is tried before anything is kept. MongoDB passes; one
 * that reads, compares and writes in three steps is refused, by name of what is wrong with it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mongoose from 'mongoose';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { mostWinners } from '../../src/store/mongo/compatibility.ts';
import { connect } from '../../src/store/mongo/database.ts';
import { migrateMongoStore, openMongoStore } from '../../src/store/mongo/open.ts';
import { StoreUnusable } from '../../src/store/port.ts';
import { curfew } from '../commands/support.ts';
import { type Ferretdb, noFerretdb, startFerretdb } from '../support/mongodb/ferretdb.ts';
import { freshDatabase } from '../support/mongodb/fresh.ts';
import { freePort } from '../support/world.ts';

test('MongoDB lets one of many win, each time, and keeps nothing of the trial', async () => {
  const fresh = await freshDatabase();
  const database = await connect(fresh.address);
  onTestFinished(() => database.close());
  for (let time = 0; time < 5; time += 1) expect(await mostWinners(database)).toBe(1);
  expect(await fresh.collection('house').countDocuments()).toBe(0);
});

describe('a server that does not change one document atomically', () => {
  let server: Ferretdb;
  beforeAll(async () => {
    if (noFerretdb !== undefined) return undefined;
    server = await startFerretdb();
    return () => server.stop();
  });

  const REFUSAL = /does not change one document atomically: of 16 that asked at once .* \d+ were told/;

  for (const [what, enter] of Object.entries({ opened: openMongoStore, migrated: migrateMongoStore })) {
    test(`is refused when it is to be ${what}, and nothing of a store is made there`, async ({ skip }) => {
      skip(noFerretdb !== undefined, noFerretdb);
      const url = server.url(what);
      const refusal = await enter({ url }).then(
        () => undefined,
        (fault: unknown) => fault,
      );
      expect(refusal).toBeInstanceOf(StoreUnusable);
      expect((refusal as Error).message).toMatch(REFUSAL);
      const client = new mongoose.mongo.MongoClient(url);
      const names = (await client.db().listCollections().toArray()).map(({ name }) => name);
      const kept = await client.db().collection('house').find().toArray();
      await client.close();
      expect(names).toEqual(['house']);
      expect(kept).toEqual([]);
    });
  }

  test('is refused by the server at its start: 2, and in words', async ({ skip }) => {
    skip(noFerretdb !== undefined, noFerretdb);
    const url = server.url('started');
    const folder = mkdtempSync(join(tmpdir(), 'curfew-unfit-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'curfew.yaml');
    const port = await freePort();
    const listen = { host: '127.0.0.1', port };
    writeFileSync(
      file,
      JSON.stringify({ issuer: `http://127.0.0.1:${port}`, listen, store: url, keyringFile: './keyring.json' }),
    );
    const refused = await curfew(['serve', '--config', file]);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toMatch(/^curfew: the server of started /);
    expect(refused.stderr).toMatch(REFUSAL);
  });
});
