/** What scenarios share: processes started when they are first needed, folders, progress, and where results go. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { dropDatabases, type Engine, engineStore } from './engines.ts';
import { freePort, type Place } from './house.ts';
import { connectTo, type Endpoint } from './load/endpoint.ts';
import { signInAll } from './load/loads.ts';
import type { Tokens } from './load/visitor.ts';
import type { Options } from './options.ts';
import type { Usage } from './measure.ts';
import { type Child, type ChildOptions, startChild } from './process/children.ts';
import { createResults, named, type Results } from './results.ts';

/** A server with people who are signed in to it. */
export type Peopled = { readonly endpoint: Endpoint; readonly tokens: readonly Tokens[]; readonly child: Child };

export type Bench = {
  readonly options: Options;
  readonly results: Results;
  /** Says on stderr what is being measured. */
  tell(what: string): void;
  folder(): string;
  /** SQLite, and MongoDB too when a server was named. */
  readonly engines: readonly Engine[];
  /** An installation that is not there yet, on this engine. */
  place(engine: Engine): Place;
  /** Runs work in a process of its own that ends with it. */
  apart<Result>(name: string, work: (child: Child) => Promise<Result>, options?: ChildOptions): Promise<Result>;
  /** What a Curfew under load uses; the most memory that it held meanwhile is recorded under this name at the end. */
  watch(child: Child, name: string): () => Promise<Usage>;
  /** Curfew with hashing at its cheapest, and the same process each time; one for each engine. */
  curfew(engine: Engine): Promise<Peopled>;
  /** The protocol library over a Map, and the same process each time. */
  mapProvider(): Promise<Peopled>;
  /** To be called once, when everything was measured. */
  recordMemory(): void;
  close(): Promise<void>;
};

export type Scenario = {
  readonly name: string;
  readonly what: string;
  readonly run: (bench: Bench) => Promise<void>;
  /** Takes long: only when it is asked for by its name. */
  readonly onlyNamed?: true;
};

/** People enough that no two attempts at once are the same person's. */
export const PEOPLE = 256;

export function createBench(options: Options): Bench {
  const results = createResults();
  const ended: (() => Promise<void>)[] = [];
  const folders: string[] = [];
  const folder = (): string => {
    const made = mkdtempSync(join(tmpdir(), 'curfew-bench-'));
    folders.push(made);
    return made;
  };
  const databases: string[] = [];
  const place = (engine: Engine): Place => {
    const made = folder();
    if (engine === 'sqlite') return { folder: made };
    const { database, store } = engineStore(options.store ?? '', made);
    databases.push(database);
    return { folder: made, store };
  };
  const start = (name: string, others: ChildOptions = {}): Child =>
    startChild({
      ...others,
      profile: options.profile === undefined ? undefined : { folder: options.profile, name },
    });
  const mostMemory = new Map<string, number>();
  const watch = (child: Child, name: string) => async (): Promise<Usage> => {
    const usage = await child.usage();
    mostMemory.set(name, Math.max(mostMemory.get(name) ?? 0, usage.rssBytes));
    return usage;
  };
  const peopled = async (
    name: string,
    usageOf: (child: Child) => () => Promise<Usage>,
    serve: (child: Child, port: number) => Promise<unknown>,
  ): Promise<Peopled> => {
    const child = start(name);
    const port = await freePort();
    await serve(child, port);
    const endpoint = connectTo(`http://127.0.0.1:${port}`, usageOf(child));
    ended.push(async () => {
      await endpoint.close();
      await child.end();
    });
    return { endpoint, child, tokens: await signInAll(endpoint) };
  };
  const curfews = new Map<Engine, Promise<Peopled>>();
  let mapProvider: Promise<Peopled> | undefined;

  return {
    options,
    results,
    tell: (what) => void process.stderr.write(`${what}\n`),
    folder,
    async apart(name, work, others) {
      const child = start(name, others);
      try {
        return await work(child);
      } finally {
        await child.end();
      }
    },
    watch,
    engines: options.store === undefined ? ['sqlite'] : ['sqlite', 'mongodb'],
    place,
    curfew(engine) {
      const started =
        curfews.get(engine) ??
        peopled(
          named('curfew', engine),
          (child) => watch(child, named('memory, loaded', engine)),
          (child, port) => child.ask('serveCurfew', { place: place(engine), port, cheapHashing: true, people: PEOPLE }),
        );
      curfews.set(engine, started);
      return started;
    },
    mapProvider: () =>
      (mapProvider ??= peopled(
        'map-provider',
        (child) => () => child.usage(),
        (child, port) => child.ask('serveMapProvider', { port }),
      )),
    recordMemory() {
      for (const [name, bytes] of mostMemory) results.value(name, bytes / 2 ** 20, 'MiB');
    },
    async close() {
      for (const end of ended.splice(0)) await end();
      for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
      if (options.store !== undefined) await dropDatabases(options.store, databases.splice(0));
    },
  };
}
