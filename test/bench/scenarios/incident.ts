/**
 * A breach: a store full of people is contained, by a list and then as a whole, by a command that is killed again and again;
 * while a server goes on serving whoever has come back. What became of everybody is then asked of the database itself.
 */
import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { accountIdOf, usernameOf } from '../../support/population.ts';
import type { Bench, Scenario } from '../bench.ts';
import { CLIENTS, freePort, SECRET } from '../house.ts';
import { runCommand } from '../load/command.ts';
import { connectTo } from '../load/endpoint.ts';
import { openSink } from '../load/sink.ts';
import { quietDay } from '../load/visits.ts';
import type { Child } from '../process/children.ts';
import type { Verdict } from '../process/containment.ts';
import { probes } from './incident-probes.ts';

const APPS = 200;
const DEVICES = 3;
const KILLS = 20;
const QUIET_SECONDS = 20;
/** Of the people who sign in: those of before, and those who come after. */
const BEFORE = 0;
const AFTER = 1_000_000;

type Installation = {
  readonly accounts: number;
  readonly configFile: string;
  readonly place: ReturnType<Bench['place']>;
  readonly told: { readonly bySid: string[]; readonly bySub: string[] };
  readonly server: Child;
  readonly endpoint: ReturnType<typeof connectTo>;
  readonly bystander: Child;
};

async function incident(bench: Bench): Promise<void> {
  const { options, tell, results, apart } = bench;
  const accounts = options.accounts ?? (options.quick ? 20_000 : 1_000_000);
  const sink = await openSink();
  const apps = Array.from({ length: APPS }, (_, nth) => `app-${nth}`);
  // A fifth of the apps can be told, half of those by sid and half by sub.
  const told = {
    bySid: apps.filter((_, nth) => nth % 10 === 0),
    bySub: apps.filter((_, nth) => nth % 10 === 5),
  };
  const configuration = {
    clients: [...CLIENTS, ...apps.map((id, nth) => clientOf(id, sink.origins[nth % sink.origins.length] ?? '', told))],
    // The outbox is what is looked at: hardly any of it may leave.
    mail: { url: 'file:./mail', from: 'no-reply@bench.test', perMinute: 1 },
  };
  const place = bench.place('sqlite');
  const seconds = stopwatch();
  tell(`  filling a store with ${accounts} accounts on ${accounts * DEVICES} devices`);
  await apart('population', (child) =>
    child.ask('fill', { place, configuration, accounts, clients: apps, devices: DEVICES }),
  );
  results.value('incident, seconds to fill the store', seconds(), 's');
  await apart('incident', (server) =>
    apart('bystander', async (bystander) => {
      const port = await freePort();
      await server.ask('serveWatched', { place, port, cheapHashing: false, configuration });
      const endpoint = connectTo(`http://127.0.0.1:${port}`, () => server.usage());
      try {
        await server.ask('welcome', { from: BEFORE, count: 100 });
        const house = {
          accounts,
          configFile: join(place.folder, 'curfew.yaml'),
          place,
          told,
          server,
          endpoint,
          bystander,
        };
        tell('  a quiet day');
        const idle = await quietDay(endpoint, { from: BEFORE, over: AbortSignal.timeout(QUIET_SECONDS * 1000) });
        results.value('incident, sign-in when idle', idle.signInMs, 'ms');
        results.value('incident, refresh when idle', idle.refreshMs, 'ms');
        await byList(bench, house);
        await everyone(bench, house, idle);
        results.value('incident, notices that apps heard meanwhile', sink.heard(), 'count');
      } finally {
        await endpoint.close();
      }
    }),
  );
  await sink.close();
}

function clientOf(id: string, origin: string, { bySid, bySub }: Installation['told']) {
  const told = bySid.includes(id) || bySub.includes(id);
  return {
    client_id: id,
    client_name: id,
    client_secret: SECRET,
    redirect_uris: [`http://${id}.test/callback`],
    ...(told ? { backchannel_logout_uri: `${origin}/${id}` } : {}),
    ...(bySid.includes(id) ? { backchannel_logout_session_required: true } : {}),
  };
}

/** A tenth of them, from a file. */
async function byList({ tell, results }: Bench, house: Installation): Promise<void> {
  const { accounts, configFile, place, told } = house;
  const listed = Array.from({ length: Math.floor(accounts / 10) }, (_, nth) => nth * 10);
  const file = join(place.folder, 'list');
  writeFileSync(file, listed.map((nth) => `${usernameOf(nth)}\n`).join(''));
  tell(`  ${listed.length} accounts from a file`);
  const reason = 'A list was lost';
  const seconds = stopwatch();
  const rates = createRates();
  const ended = await runCommand(
    configFile,
    [
      'incident',
      'open',
      '--account-file',
      file,
      '--require-password-reset',
      '--notify',
      '--reason',
      reason,
      ...QUIETLY,
    ],
    (line) => rates.reached(line),
  );
  if (ended.code !== 0 && ended.code !== 3)
    throw new Error(`the command ended with ${ended.code}: ${ended.complaints}`);
  results.value('incident by list, seconds', seconds(), 's');
  results.value('incident by list, contained', rates.perSecond(/^Contain/), 'per second');
  results.value('incident by list, command, most memory', ended.rssBytes / 2 ** 20, 'MiB');
  tell('  asking the database');
  report(results, 'incident by list', await askApart(house, reason, listed.map(accountIdOf), told));
}

async function everyone(
  bench: Bench,
  house: Installation,
  idle: { signInMs: number; refreshMs: number },
): Promise<void> {
  const { tell, results } = bench;
  const { accounts, configFile, server, endpoint, bystander, told } = house;
  const reason = 'A database was lost';
  const order = ['--everyone', '--require-password-reset', '--notify', '--reason', reason];
  tell('  a dry run of everyone');
  const dry = await runCommand(configFile, ['incident', 'open', ...order, '--dry-run', '--json']);
  if (dry.code !== 0) throw new Error(`the dry run ended with ${dry.code}: ${dry.complaints}`);
  results.value('incident, dry run', dry.seconds, 's');

  tell(`  everyone, killed ${KILLS} times`);
  await Promise.all([server.ask('watchLoop'), bystander.ask('watchLoop')]);
  const rates = createRates();
  const seconds = stopwatch();
  const over = new AbortController();
  let meanwhile: ReturnType<typeof quietDay> | undefined;
  let [kills, rssBytes, id] = [0, 0, ''];
  try {
    for (;;) {
      const words = id === '' ? ['incident', 'open', ...order, ...QUIETLY] : ['incident', 'resume', id, ...ALONE];
      // As far on as it may come: on average so far that all of the way is seen by some of them.
      let allowed =
        kills < KILLS ? randomInt(Math.max(2, Math.ceil((accounts * 3 * 2 * 0.75) / (KILLS + 1)))) : Infinity;
      rates.begin();
      const ended = await runCommand(configFile, words, (line, kill) => {
        allowed -= rates.reached(line);
        // Access has ended by now: whoever comes now has come after.
        meanwhile ??= server
          .ask('welcome', { from: AFTER, count: 100 })
          .then(() => quietDay(endpoint, { from: AFTER, over: over.signal }));
        if (allowed > 0) return;
        allowed = Infinity;
        kill(randomInt(250));
      });
      rssBytes = Math.max(rssBytes, ended.rssBytes);
      id ||= /Incident (inc_\w+) is open/.exec(ended.complaints)?.[1] ?? '';
      if (!ended.killed) {
        if (ended.code !== 0 && ended.code !== 3) {
          throw new Error(`the command ended with ${ended.code}: ${ended.complaints}`);
        }
        break;
      }
      kills += 1;
    }
  } finally {
    over.abort();
  }
  results.value('incident, seconds, deaths and all', seconds(), 's');
  const [stood, waited] = await Promise.all([server.ask('watched'), bystander.ask('watched')]);
  const day = await meanwhile;
  results.value('incident, kills', kills, 'count');
  results.value('incident, contained', rates.perSecond(/^Contain/), 'per second');
  results.value('incident, checked', rates.perSecond(/^Check/), 'per second');
  results.value('incident, mails queued', rates.perSecond(/^Queue mails/), 'per second');
  results.value('incident, command, most memory', rssBytes / 2 ** 20, 'MiB');
  results.value('incident, server, most memory', stood.rssBytes / 2 ** 20, 'MiB');
  results.value('incident, server, longest block', stood.longestMs, 'ms');
  results.value('incident, server, block of one in a thousand', stood.longMs, 'ms');
  results.value('incident, longest block of a process that only waited', waited.longestMs, 'ms');
  if (day !== undefined) {
    results.value('incident, sign-ins meanwhile', day.signIns, 'count');
    results.value('incident, sign-in meanwhile', day.signInMs, 'ms');
    results.value('incident, refresh meanwhile', day.refreshMs, 'ms');
    results.value('incident, sign-in meanwhile ÷ idle', day.signInMs / idle.signInMs, 'ratio');
    results.value('incident, refresh meanwhile ÷ idle', day.refreshMs / idle.refreshMs, 'ratio');
  }
  tell('  asking the database');
  report(results, 'incident', await askApart(house, reason, null, told));
}

const ALONE = ['--wait', '0'];
const QUIETLY = ['--yes', ...ALONE];

const askApart = (
  { bystander, place }: Installation,
  reason: string,
  list: string[] | null,
  told: Installation['told'],
) => bystander.ask('verdict', { place, reason, list, told });

function report(results: Bench['results'], name: string, verdict: Verdict): void {
  results.value(`${name}, accounts`, verdict.accounts, 'count');
  results.value(`${name}, missed`, verdict.missed, 'count');
  results.value(`${name}, mails missing`, verdict.mailsMissing, 'count');
  results.value(`${name}, mails twice`, verdict.mailsTwice, 'count');
  results.value(`${name}, notices missing`, verdict.noticesMissing, 'count');
  results.value(`${name}, notices twice, or for nothing`, verdict.noticesTwice, 'count');
  results.value(`${name}, touched and not meant`, verdict.touched, 'count');
  results.value(`${name}, untouched`, verdict.untouched, 'count');
}

/** How fast each kind of work goes while it goes: what a death costs is not counted. */
function createRates() {
  const steps = new Map<string, { done: number; ms: number; last: { done: number; at: number } | null }>();
  return {
    /** Another life: the time until its first word is nobody's. */
    begin(): void {
      for (const step of steps.values()) step.last = null;
    },
    /** Resolves to how far on this is. */
    reached({ doing, done, at }: { doing: string; done: number; at: string }): number {
      if (!/^(Contain|Check|Queue) /.test(doing)) return 0;
      const step = steps.get(doing) ?? { done: 0, ms: 0, last: null };
      steps.set(doing, step);
      const now = { done, at: new Date(at).getTime() };
      const on = step.last === null ? 0 : done - step.last.done;
      if (step.last !== null) step.ms += now.at - step.last.at;
      step.done += on;
      step.last = now;
      return on;
    },
    perSecond(name: RegExp): number {
      const [, step] = [...steps].find(([doing]) => name.test(doing)) ?? [];
      return step === undefined ? Number.NaN : (step.done / step.ms) * 1000;
    },
  };
}

function stopwatch(): () => number {
  const began = performance.now();
  return () => (performance.now() - began) / 1000;
}

export const INCIDENTS: readonly Scenario[] = [
  {
    name: 'incident',
    what: 'a million accounts contained by a command that is killed, beside a server that serves (takes half an hour)',
    run: incident,
    onlyNamed: true,
  },
  {
    name: 'incident-probes',
    what: 'ten thousand credentials after everybody was contained',
    run: probes,
    onlyNamed: true,
  },
];
