/**
 * `curfew store copy`: which stores are meant, whether that may be, and what is shown of it while it goes on.
 *
 * Everything that can be refused is refused before anything is written; what is shown and agreed to is counted by looking.
 */
import { existsSync, realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';

import {
  copySource,
  copyStore,
  countKinds,
  isRefusal,
  isSameSource,
  KINDS,
  openStoreReader,
  openStoreToFill,
  parseStoreAddress,
  randomSecret,
  storeUrl,
  systemClock,
  unfinishedCopy,
} from '../../src/compose.ts';
import { type ExitCode, Refused } from '../terminal/outcome.ts';
import { factLines, tableLines } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { agree, type Shell } from './house.ts';
import { readPassword } from './new-password.ts';

export type CopyOptions = {
  from: string;
  to: string;
  fromPasswordFile?: string;
  toPasswordFile?: string;
  yes?: boolean;
};

type Address = Parameters<typeof openStoreReader>[0];
type Source = Awaited<ReturnType<typeof copySource>>;
type Reader = NonNullable<Awaited<ReturnType<typeof openStoreReader>>>['transfer'];
type Outcome = Awaited<ReturnType<typeof copyStore>>;
type Kind = (typeof KINDS)[number];

/** As people know them. */
const CALLED: Readonly<Record<Kind, string>> = {
  facts: 'facts',
  scopes: 'epochs',
  accounts: 'accounts',
  clients: 'apps',
  connections: 'connections',
  signOuts: 'sign-outs',
  signingKeys: 'signing keys',
  clientSessions: 'client sessions',
  deliveries: 'deliveries',
  mails: 'mails',
  events: 'events',
  incidents: 'incidents',
  incidentMembers: 'accounts of incidents',
  artifacts: 'sessions and tokens',
  failures: 'failed sign-ins',
  attempts: 'sign-in attempts',
};

const STOP_AND_REPEAT = 'stop Curfew on the source and run it again';

export async function copy({ terminal, interrupts }: Shell, options: CopyOptions): Promise<ExitCode> {
  const from = await addressOf(terminal, 'from', options.from, options.fromPasswordFile);
  const to = await addressOf(terminal, 'to', options.to, options.toPasswordFile);
  if (isSameStore(from, to))
    throw new Refused('--from and --to are the same store', { fix: 'name another one in --to' });
  const reader = await openStoreReader(from);
  try {
    const source = await refuseUnfitSource(reader?.transfer, from);
    const origin = await copySource(storeUrl(from), source);
    const goesOn = await refuseUnfitTarget(to, origin);
    if (options.yes !== true) {
      await agree(terminal, { yes: false, about: await foreseen(source, from, to, goesOn), question: 'Copy?' });
    }
    const outcome = await interrupts.hold((signal) => run(terminal, { source, origin, to, signal }));
    return conclude(terminal, outcome, from, to);
  } finally {
    await reader?.close();
  }
}

async function run(
  terminal: Terminal,
  {
    source,
    origin,
    to,
    signal,
  }: { readonly source: Reader; readonly origin: Source; readonly to: Address; readonly signal: AbortSignal },
): Promise<Outcome> {
  const target = await openStoreToFill(to);
  try {
    return await copyStore({
      source,
      from: origin,
      target: target.transfer,
      run: randomSecret(),
      now: systemClock.now,
      signal,
      report: ({ doing, kind, done, total }) =>
        terminal.progress({ doing: `${doing === 'copying' ? 'Copying' : 'Comparing'} ${CALLED[kind]}`, done, total }),
    });
  } finally {
    terminal.progress(null);
    await target.close();
  }
}

function conclude(terminal: Terminal, outcome: Outcome, from: Address, to: Address): ExitCode {
  switch (outcome.status) {
    case 'occupied':
      throw occupied(to);
    case 'overtaken':
      throw new Refused('another run of this command has taken the copy over', {
        exitCode: 1,
        fix: 'leave it to that one, or stop it and run this again',
      });
    case 'interrupted':
      terminal.note('Interrupted: the copy is unfinished. The same command goes on where it was.');
      return 130;
    case 'differs':
    case 'verified': {
      const { resumed, kinds } = outcome;
      const verified = outcome.status === 'verified';
      terminal.printJson({ from: storeUrl(from), to: storeUrl(to), kinds, resumed, verified });
      if (outcome.status === 'differs') {
        const which = outcome.differing.map((kind) => CALLED[kind]).join(', ');
        throw new Refused(`the two stores differ in: ${which}. The source was changed while it was copied`, {
          exitCode: 1,
          fix: STOP_AND_REPEAT,
        });
      }
      const columns = [
        { title: 'kind', of: (kind: Kind) => CALLED[kind] },
        { title: 'rows', of: (kind: Kind) => String(kinds[kind].rows), align: 'right' },
        { title: 'SHA-256', of: (kind: Kind) => kinds[kind].digest },
      ] as const;
      const heading = (line: string): string => terminal.style('bold', line);
      terminal.print(...tableLines(columns, KINDS, { width: terminal.width, heading }), '');
      terminal.print(terminal.style('bold', 'Copied, and read again: both are the same.'));
      if (!terminal.json) {
        terminal.note(
          `Point \`store\` at ${storeUrl(to)}, and keep the keyring: what is sealed was moved as it is. Nobody is signed out by it.`,
        );
      }
      return 0;
    }
  }
}

/** The store an option names, relative paths being relative to the working directory. */
async function addressOf(
  terminal: Terminal,
  option: 'from' | 'to',
  text: string,
  passwordFile: string | undefined,
): Promise<Address> {
  const address = parseStoreAddress(text);
  const passwordOption = `--${option}-password-file`;
  if (isRefusal(address)) {
    const { fix } = address.params;
    throw new Refused(`--${option} ${address.message}`, {
      fix: fix.replace('storePasswordFile', passwordOption),
    });
  }
  if (address.engine === 'sqlite') {
    if (passwordFile !== undefined)
      throw new Refused(`${passwordOption} is given, and SQLite has no password`, { fix: 'leave it out' });
    const path = resolve(address.path);
    return { engine: 'sqlite', path: existsSync(path) ? realpathSync(path) : path };
  }
  if (passwordFile === undefined) return { ...address, password: undefined };
  if (!address.url.includes('@')) {
    throw new Refused(`${passwordOption} is given, and --${option} names no user`, {
      fix: 'write mongodb://USER@host/…',
    });
  }
  return { ...address, password: (await readPassword(terminal, passwordFile)) ?? undefined };
}

function isSameStore(one: Address, other: Address): boolean {
  if (storeUrl(one) === storeUrl(other)) return true;
  if (one.engine !== 'sqlite' || other.engine !== 'sqlite') return false;
  if (!existsSync(one.path) || !existsSync(other.path)) return false;
  const [a, b] = [statSync(one.path), statSync(other.path)];
  return a.dev === b.dev && a.ino === b.ino;
}

async function refuseUnfitSource(source: Reader | undefined, from: Address): Promise<Reader> {
  if (source === undefined || (await source.isEmpty())) {
    throw new Refused(`there is nothing to copy: nobody has started at ${storeUrl(from)}`, {
      fix: 'name the store of the installation you mean in --from',
    });
  }
  const unfinished = await unfinishedCopy(source);
  if (unfinished === null) return source;
  throw new Refused(`${storeUrl(from)} holds an unfinished copy itself, of ${unfinished.name}`, {
    exitCode: 1,
    fix: 'finish that one first',
  });
}

/** Whether there is an unfinished copy to go on with. Throws Refused for anything else that is there. */
async function refuseUnfitTarget(to: Address, origin: Source): Promise<boolean> {
  const reader = await openStoreReader(to);
  if (reader === null) return false;
  try {
    const unfinished = await unfinishedCopy(reader.transfer);
    if (unfinished === null) {
      if (await reader.transfer.isEmpty()) return false;
      throw occupied(to);
    }
    if (isSameSource(unfinished, origin)) return true;
    throw new Refused(
      unfinished.name === origin.name
        ? `${storeUrl(to)} holds an unfinished copy of what was at ${origin.name} before`
        : `${storeUrl(to)} holds an unfinished copy of ${unfinished.name}`,
      { exitCode: 1, fix: 'finish that one, or name another store in --to. Nothing was changed' },
    );
  } finally {
    await reader.close();
  }
}

function occupied(to: Address): Refused {
  return new Refused(`${storeUrl(to)} is not empty`, {
    exitCode: 1,
    fix: 'name a store in --to that holds nothing yet. Nothing was changed',
  });
}

async function foreseen(source: Reader, from: Address, to: Address, goesOn: boolean): Promise<string[]> {
  const counts = await countKinds(source, systemClock.now());
  return [
    `Everything in ${storeUrl(from)} is copied into ${storeUrl(to)}:`,
    ...factLines(KINDS.map((kind) => [CALLED[kind], String(counts[kind])] as const)).map((line) => `  ${line}`),
    ...(goesOn ? ['A copy of it was begun there: it goes on where it was.'] : []),
    'Curfew must be stopped there: what it still writes is not copied.',
  ];
}
