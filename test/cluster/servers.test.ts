/** The servers of the tests' own: they end with whoever started them, and a replica set of them does what one must. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import mongoose from 'mongoose';
import { describe, expect, onTestFinished, test, vi } from 'vitest';

import { findProgram } from '../support/mongodb/find.ts';
import { startMongod } from '../support/mongodb/mongod.ts';
import { startReplicaSet } from '../support/mongodb/replica-set.ts';

const program = findProgram();

describe.skipIf(program === undefined)('a server of the tests', () => {
  test('ends, and its data with it, when its starter is killed', async () => {
    const module = new URL('../support/mongodb/mongod.ts', import.meta.url).href;
    const script = `
      const { startMongod } = await import(${JSON.stringify(module)});
      const { port, folder } = await startMongod({ program: ${JSON.stringify(program)} });
      process.stdout.write(JSON.stringify({ port, folder }));
      setInterval(() => {}, 1000);`;
    const starter = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void starter.kill('SIGKILL'));
    const [said] = (await once(starter.stdout, 'data')) as [Buffer];
    const { port, folder } = JSON.parse(String(said)) as { port: number; folder: string };
    expect([await answers(port), existsSync(folder)]).toEqual([true, true]);
    starter.kill('SIGKILL');
    await vi.waitUntil(async () => !(await answers(port)) && !existsSync(folder), { timeout: 20_000 });
  });

  test('that cannot start says why', async () => {
    const { folder } = await server();
    // Another one has it locked.
    await expect(startMongod({ program: program ?? '', folder })).rejects.toThrow(/did not start[\s\S]*DBPathInUse/);
  });

  test('keeps its data when it is killed, and goes on where it was', async () => {
    const first = await server();
    const { port, folder } = first;
    const note = { _id: 'note' as never, text: 'kept' };
    await using(port, (database) => database.collection('notes').insertOne(note, { writeConcern: { w: 1, j: true } }));
    await first.kill();
    expect(await answers(port)).toBe(false);
    await server({ port, folder });
    expect(await using(port, (database) => database.collection('notes').find().toArray())).toEqual([note]);
  });
});

describe.skipIf(program === undefined)('a replica set of the tests', () => {
  test('elects another when its primary steps down or is killed, and takes back who was killed', async () => {
    const set = await startReplicaSet({ members: 3 });
    onTestFinished(() => set.stop());
    const client = new mongoose.mongo.MongoClient(set.url('cluster'), { writeConcern: { w: 'majority' } });
    onTestFinished(() => client.close());
    const notes = client.db().collection<{ _id: number }>('notes');
    await notes.insertOne({ _id: 1 });

    const first = await set.primary();
    const second = await set.stepDown();
    expect(second).not.toBe(first);
    await notes.insertOne({ _id: 2 });

    await set.kill(second);
    const third = await set.primary();
    expect(third).not.toBe(second);
    await notes.insertOne({ _id: 3 });

    await set.restart(second);
    // The only other one that is left must agree to every write now.
    await set.kill([0, 1, 2].find((member) => member !== second && member !== third) ?? -1);
    await notes.insertOne({ _id: 4 });
    expect((await notes.find().sort({ _id: 1 }).toArray()).map(({ _id }) => _id)).toEqual([1, 2, 3, 4]);
  });
});

async function server(again: { port?: number; folder?: string } = {}) {
  const started = await startMongod({ program: program ?? '', ...again });
  onTestFinished(async () => {
    await started.kill();
    rmSync(started.folder, { recursive: true, force: true });
  });
  return started;
}

async function using<Result>(port: number, ask: (database: mongoose.mongo.Db) => Promise<Result>): Promise<Result> {
  const url = `mongodb://127.0.0.1:${port}/own`;
  const client = new mongoose.mongo.MongoClient(url, { serverSelectionTimeoutMS: 500 });
  try {
    return await ask(client.db());
  } finally {
    await client.close();
  }
}

async function answers(port: number): Promise<boolean> {
  return using(port, (database) => database.command({ ping: 1 })).then(
    () => true,
    () => false,
  );
}
