/**
 * A replica set of real servers on this machine, whose primary can be made to step down, or be killed. It elects within
 * a second or two instead of ten, and is otherwise as MongoDB ships it.
 */
import { rmSync } from 'node:fs';
import mongoose from 'mongoose';

import { findProgram } from './find.ts';
import { type Mongod, startMongod } from './mongod.ts';

const NAME = 'curfew';
const PATIENCE_MS = 30_000;

export type ReplicaSet = {
  /** What a configuration says of it. */
  url(database: string): string;
  /** Which member is the primary now; waits until one is. */
  primary(): Promise<number>;
  /** Makes the primary step down, and resolves to the new one. */
  stepDown(): Promise<number>;
  /** SIGKILL. */
  kill(member: number): Promise<void>;
  /** Starts a killed member again over its own data, on its own port; resolves when it takes part again. */
  restart(member: number): Promise<void>;
  stop(): Promise<void>;
};

/** Needs a program to start members with (`findProgram`); a server that somebody else runs is of no use here. */
export async function startReplicaSet({ members: count }: { readonly members: number }): Promise<ReplicaSet> {
  const mongod = findProgram();
  if (mongod === undefined) throw new Error('there is no mongod to start a replica set with');
  const start = (again: { folder?: string; port?: number } = {}): Promise<Mongod> =>
    startMongod({ program: mongod, options: ['--replSet', NAME, '--oplogSize', '32'], ...again });
  const members = await Promise.all(Array.from({ length: count }, () => start()));
  const alive = new Set(members.keys());
  const member = (at: number): Mongod => {
    const found = members[at];
    if (found === undefined) throw new Error(`there is no member ${at}`);
    return found;
  };

  const stateOf = async (at: number): Promise<string> => {
    try {
      const hello = await command(member(at), { hello: 1 });
      if (hello['isWritablePrimary'] === true) return 'primary';
      return hello['secondary'] === true ? 'secondary' : 'neither';
    } catch {
      return 'gone';
    }
  };
  const primary = (): Promise<number> =>
    until('a member is the primary', async () => {
      for (const at of alive) if ((await stateOf(at)) === 'primary') return at;
      return undefined;
    });

  await command(member(0), {
    replSetInitiate: {
      _id: NAME,
      members: members.map(({ port }, at) => ({ _id: at, host: `127.0.0.1:${port}` })),
      settings: { electionTimeoutMillis: 1000, heartbeatIntervalMillis: 200 },
    },
  });
  await primary();
  for (const at of alive) await until(`member ${at} takes part`, () => takesPart(at));

  async function takesPart(at: number): Promise<true | undefined> {
    return ['primary', 'secondary'].includes(await stateOf(at)) ? true : undefined;
  }
  return {
    url: (database) =>
      `mongodb://${members.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${database}?replicaSet=${NAME}`,
    primary,
    async stepDown() {
      const before = await primary();
      // Longer than the test needs, so that it is not elected again at once.
      await command(member(before), { replSetStepDown: 30, secondaryCatchUpPeriodSecs: 10 });
      return until('another member is the primary', async () => {
        const now = await primary();
        return now === before ? undefined : now;
      });
    },
    async kill(at) {
      alive.delete(at);
      await member(at).kill();
    },
    async restart(at) {
      const { folder, port } = member(at);
      members[at] = await start({ folder, port });
      alive.add(at);
      await until(`member ${at} takes part again`, () => takesPart(at));
    },
    async stop() {
      await Promise.all(members.map((each) => each.kill()));
      for (const { folder } of members) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Asks this very member, whatever its part in the set. */
async function command({ port }: Mongod, asked: Record<string, unknown>): Promise<Record<string, unknown>> {
  const client = new mongoose.mongo.MongoClient(`mongodb://127.0.0.1:${port}`, {
    directConnection: true,
    serverSelectionTimeoutMS: 2000,
  });
  try {
    return await client.db('admin').command(asked);
  } finally {
    await client.close();
  }
}

async function until<Answer>(what: string, ask: () => Promise<Answer | undefined>): Promise<Answer> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`still waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
