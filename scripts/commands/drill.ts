/**
 * `curfew drill …`: what would be left of the promises on the worst day, found out on an ordinary one.
 *
 * The copy that a drill lives in lies in a folder that nobody else can look into, and goes with the command however that ends:
 * well, by Ctrl-C, by SIGTERM, with its terminal, with a fault. In the store itself a drill leaves one line of the journal.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { type Command, InvalidArgumentError } from 'commander';

import { drillCopyOfStore, type DrillReport, type Spoil, storeBytes } from '../../src/compose-drill.ts';
import { storeName } from '../../src/compose.ts';
import { type ExitCode, Refused } from '../terminal/outcome.ts';
import { tableLines } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { counted } from '../terminal/text.ts';
import { configurationOf, type House, type Shell, whatLacks } from './house.ts';

type StolenOptions = { keep?: string; sample: number };
type Config = House['core']['config'];

const SAMPLE = 2000;

export function drillCommands(program: Command, shell: Shell): void {
  const drill = program.command('drill').description('find out on an ordinary day what the worst day would bring');
  drill
    .command('stolen-database')
    .description('take a copy of the store, try everything in it, and say what a thief would have')
    .option('--sample <rows>', 'rows of each large table that are tried', wholeNumber, SAMPLE)
    .option('--keep <folder>', 'keep the copy there, in a folder that is empty or not there yet')
    .addHelpText(
      'after',
      '\nThe store itself is only read, and may be in use. Nobody is written to, told or called. Exit code 1: a thief would have something.',
    )
    .action(async (options: StolenOptions) => {
      const { config } = configurationOf(shell.configFile);
      await refuseUnfit(config);
      await shell.inHouse((house) => stolenDatabase(house, options));
    });
}

async function stolenDatabase({ core, terminal, interrupts }: House, options: StolenOptions): Promise<ExitCode> {
  const { folder, done } = folderFor(options.keep);
  try {
    const report = await interrupts.hold((signal) =>
      untilInterrupted(signal, () =>
        drillCopyOfStore({
          config: core.config,
          folder,
          sample: options.sample,
          signal,
          report: (progress) => terminal.progress(progress),
        }),
      ),
    );
    terminal.progress(null);
    if (report === null) {
      terminal.note('Interrupted: the copy is gone, and the store is as it was.');
      return 130;
    }
    await core.journal.record({
      kind: 'drill.stolen-database',
      accountId: null,
      actor: { kind: 'operator' },
      facts: {
        findings: report.spoils.length,
        values: report.tries.reduce((most, { values }) => Math.max(most, values), 0),
      },
    });
    tell(terminal, core.config, report);
    if (options.keep !== undefined) terminal.note(`The copy is in ${folder}: it holds what the store holds.`);
    return report.spoils.length === 0 ? 0 : 1;
  } finally {
    terminal.progress(null);
    done();
  }
}

/** Null when it was interrupted. */
async function untilInterrupted<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result | null> {
  try {
    return await work();
  } catch (fault) {
    if (signal.aborted) return null;
    throw fault;
  }
}

/** The folder for the copy, and what is to be called at the end: unless it is kept, it goes then, and with the process. */
function folderFor(keep: string | undefined): { readonly folder: string; readonly done: () => void } {
  if (keep !== undefined) return { folder: emptyFolder(resolve(keep)), done: () => undefined };
  const folder = mkdtempSync(join(tmpdir(), 'curfew-drill-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const leave = (_signal: string, number: number): never => process.exit(128 + number);
  process.once('exit', remove);
  for (const signal of ENDS) process.once(signal, leave);
  return {
    folder,
    done() {
      process.off('exit', remove);
      for (const signal of ENDS) process.off(signal, leave);
      remove();
    },
  };
}

/** Ctrl-C is a request of its own. A terminal that is closed hangs up. */
const ENDS = ['SIGTERM', 'SIGHUP'] as const;

const OTHERS = 0o077;

function emptyFolder(folder: string): string {
  let others = false;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // Windows has no such bits: there the folder's access list protects what is in it.
    others = process.platform !== 'win32' && (statSync(folder).mode & OTHERS) !== 0;
    if (!others && readdirSync(folder).length === 0) return folder;
  } catch (cause) {
    throw new Refused(`${folder} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, {
      fix: 'name a folder in --keep that can be made',
    });
  }
  if (others) {
    throw new Refused(`${folder} is open to other users of this machine`, {
      fix: `chmod 700 ${folder}, or name a folder in --keep that is not there yet`,
    });
  }
  throw new Refused(`${folder} is not empty`, { fix: 'name a folder in --keep that is empty or not there yet' });
}

/** More than is copied: the drill's account lives in it, too. */
const ROOM = 32 * 1024 * 1024;

async function refuseUnfit(config: Config): Promise<void> {
  const lacking = await whatLacks(config);
  if (lacking !== null) throw new Refused(lacking.found, { fix: lacking.fix });
  const folder = tmpdir();
  const { bavail, bsize } = statfsSync(folder);
  const [free, needed] = [bavail * bsize, (await storeBytes(config.store)) + ROOM];
  if (free >= needed) return;
  throw new Refused(
    `there is not enough room in ${folder} for a copy of ${storeName(config.store)}: ${megabytes(needed)} are needed, and ${megabytes(free)} are free`,
    {
      exitCode: 1,
      fix: 'make room there, or name another folder in the environment variable TMPDIR. Nothing was copied',
    },
  );
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1_000_000).toLocaleString('en')} MB`;

const CALLED: Readonly<Record<Spoil['kind'], string>> = {
  readable: 'can be read',
  opens: 'opens',
  'not-checked': 'not checked',
};

function tell(terminal: Terminal, config: Config, { searched, tries, spoils, readable }: DrillReport): void {
  terminal.printJson({
    store: storeName(config.store),
    nothing: spoils.length === 0,
    findings: spoils,
    searched,
    tries,
    readable,
  });
  const heading = (line: string): string => terminal.style('bold', line);
  const { width } = terminal;
  terminal.print(
    `Looked for ${counted(searched.canaries, 'value')} of an account made for this, and for what ${counted(searched.people, 'person has', 'people have')}, in ${counted(searched.spellings, 'spelling')}, in ${megabytes(searched.bytes)} and ${counted(searched.cells, 'cell')}.`,
    '',
    ...tableLines(
      [
        { title: 'tried as', of: ({ as }) => as },
        { title: 'values', of: ({ values }) => String(values), align: 'right' },
        { title: 'over HTTP', of: ({ overHttp }) => String(overHttp), align: 'right' },
        { title: 'worked', of: ({ worked }) => String(worked), align: 'right' },
      ],
      tries,
      { width, heading },
    ),
    '',
    'Each of these took the true value, and refused an invented one. Guesses were not counted meanwhile, so that nothing was shut by that.',
    '',
    heading('What can be read, and is meant to be'),
    ...readable.map(({ table, rows, columns }) => `  ${table} (${rows}): ${columns.join(', ')}`),
    'Ids, counts, instants, kinds and reasons: who uses which app is known by random ids. The rest is sealed, or a digest.',
    '',
  );
  if (spoils.length === 0) {
    terminal.print(terminal.style('green', 'A thief would have: nothing.'));
    return;
  }
  terminal.print(
    ...tableLines(
      [
        { title: 'found', of: ({ kind }) => CALLED[kind] },
        { title: 'what', of: ({ what }) => what },
        { title: 'where', of: ({ where }) => where, whole: true },
      ],
      spoils,
      { width, heading },
    ),
    '',
    terminal.style('red', `A thief would have: ${counted(spoils.length, 'thing')}, named above.`),
  );
}

function wholeNumber(typed: string): number {
  const value = /^\d{1,7}$/.test(typed) ? Number(typed) : 0;
  if (value > 0) return value;
  throw new InvalidArgumentError('It must be a whole number of rows, 1 to 9999999.');
}
