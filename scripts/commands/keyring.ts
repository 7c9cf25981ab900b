/** `curfew keyring …`: the keys that seal what is stored, in their file outside the database. */
import type { Command } from 'commander';

import { type Core, RotationBusy } from '../../src/compose.ts';
import { type ExitCode, Refused } from '../terminal/outcome.ts';
import { counted } from '../terminal/text.ts';
import { instant } from './arguments.ts';
import { agree, type House, type Shell } from './house.ts';

type Rotate = { stage?: boolean; keepOld?: boolean; yes?: boolean };
type Status = Awaited<ReturnType<Core['sealingKeys']['status']>>;
type Rotated = Awaited<ReturnType<Core['sealingKeys']['rotate']>>;

export function keyringCommands(program: Command, shell: Shell): void {
  const keyring = program.command('keyring').description('the keys that seal what is stored, in their file outside it');
  keyring
    .command('list')
    .alias('status')
    .description('the keys in the file, which of them seals, and how many values need each; reads the whole store')
    .action(() => shell.inHouse(list));
  keyring
    .command('rotate')
    .description(
      'seal the whole store anew with a new key, while servers go on serving, and take the old ones out of the file; goes on where one was cut off; asks first',
    )
    .option('--stage', 'only add the key to the file, to be copied to every machine before it is used')
    .option('--keep-old', 'leave the old keys in the file: for backups of the database that are to be read with it')
    .option('--yes', 'do not ask')
    .action((options: Rotate) =>
      shell.inHouse((house) => turnedAway(() => (options.stage === true ? stage(house) : rotate(house, options)))),
    );
}

async function turnedAway(work: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await work();
  } catch (fault) {
    if (!(fault instanceof RotationBusy)) throw fault;
    const fix = 'let it finish; if it was killed, run this again in half a minute, and it goes on';
    throw new Refused(fault.message, { exitCode: 1, fix });
  }
}

async function stage({ core, terminal }: House): Promise<ExitCode> {
  const { version, made } = await core.sealingKeys.stage();
  const file = core.config.keyringFile;
  terminal.printJson({ version, made, file });
  terminal.print(
    `Key ${version} ${made ? 'is' : 'was already'} in ${file}. It does not seal yet.`,
    'Copy this file to every machine that runs Curfew, then: curfew keyring rotate',
  );
  return 0;
}

async function rotate(house: House, { keepOld = false, yes = false }: Rotate): Promise<ExitCode> {
  const { core, terminal, interrupts } = house;
  const status = await core.sealingKeys.status();
  await agree(terminal, { yes, about: foreseen(core, status, keepOld), question: 'Rotate?' });
  const rotated = await interrupts.hold((signal) =>
    core.sealingKeys.rotate({
      signal,
      keepOld,
      report({ step, done, total }) {
        if (step === 'sealing') terminal.progress({ doing: 'Sealing anew', done, total, unit: 'records' });
        else
          terminal.progress({
            doing: 'Waiting until every server has noticed',
            done: Math.round(done / 1000),
            total: Math.round(total / 1000),
            unit: 'seconds',
          });
      },
    }),
  );
  terminal.progress(null);
  return conclude(house, rotated, keepOld);
}

function foreseen({ config }: Core, { keys, sealing, unfinished }: Status, keepOld: boolean): string[] {
  const staged = keys.find(({ state }) => state === 'staged');
  const many = config.store.engine === 'mongodb' && staged === undefined && !unfinished;
  return [
    unfinished
      ? `A rotation to key ${sealing} was cut off: it goes on.`
      : staged === undefined
        ? `A new key is made in ${config.keyringFile}, and everything in the store is sealed anew with it.`
        : `Everything in the store is sealed anew with key ${staged.version}, which waits in ${config.keyringFile}.`,
    ...(many
      ? [
          'Other machines do not have that key: until the file is copied there, they cannot open what is sealed with it.',
          'With more than one machine: curfew keyring rotate --stage, copy the file, and then this.',
        ]
      : []),
    ...(keepOld
      ? ['The old keys stay in the file.']
      : [
          'The old keys leave the file. A backup of the database made before needs the file as it is now: keep the two together.',
          'Browsers are not known as before: the next sign-in counts as one from a new device.',
        ]),
  ];
}

function conclude({ terminal, core }: House, rotated: Rotated, keepOld: boolean): ExitCode {
  const { version, resealed, left, finished, removed } = rotated;
  terminal.printJson({ version, resealed, finished, removed, left });
  if (!finished) {
    terminal.note(
      `Interrupted: ${counted(resealed, 'value')} sealed anew with key ${version}. Run it again, and it goes on.`,
    );
    return 130;
  }
  terminal.print(
    `${counted(resealed, 'value')} sealed anew with key ${version}.`,
    ...(removed.length > 0 ? [`Taken out of ${core.config.keyringFile}: key ${removed.join(', ')}.`] : []),
    ...(core.config.store.engine === 'mongodb' && removed.length > 0 ? ['Copy the file to every other machine.'] : []),
  );
  if (left.length === 0) return 0;
  terminal.note(
    ...left.map(
      ({ collection, version: key, values, why }) =>
        `${collection}: ${counted(values, 'value')} of key ${key} ${WHY[why]}`,
    ),
    ...(keepOld ? [] : [`Those keys stay in ${core.config.keyringFile}.`]),
  );
  return 1;
}

const WHY: Readonly<Record<Rotated['left'][number]['why'], string>> = {
  broken: 'did not open, and stayed as they were: changed by somebody, or sealed with a key that is not in the file',
  unknown: 'are of a kind that this version does not know',
  renewed:
    'came while others were sealed anew: some machine lacks the new key (see its log), copy the file there and rotate again',
};

async function list({ core, terminal, interrupts }: House): Promise<ExitCode> {
  const { sealing, held, keys, unfinished } = await core.sealingKeys.status();
  const counts = await interrupts.hold(async (signal) => {
    const report = (progress: { done: number; total: number }): void =>
      terminal.progress({ doing: 'Reading', ...progress, unit: 'records' });
    const counted = await core.sealingKeys.count({ signal, report });
    return signal.aborted ? null : counted;
  });
  terminal.progress(null);
  if (counts === null) return 130;
  const rows = [
    ...keys.map(({ version, state, createdAt }) => ({ version, state, createdAt, values: counts.get(version) ?? 0 })),
    ...[...counts]
      .filter(([version]) => keys.every((key) => key.version !== version))
      .map(([version, values]) => ({ version, state: 'missing' as const, createdAt: null, values })),
  ].toSorted((a, b) => a.version - b.version);
  await terminal.printList({
    pages: inOnePage(rows),
    columns: [
      { title: 'key', of: ({ version }) => String(version), whole: true },
      { title: 'state', of: ({ state }) => state, whole: true },
      { title: 'made', of: ({ createdAt }) => instant(createdAt) },
      { title: 'values', of: ({ values }) => String(values) },
    ],
    json: ({ createdAt, ...row }) => ({ ...row, createdAt: createdAt?.toISOString() ?? null }),
    none: 'There are none.',
  });
  if (unfinished) terminal.note('A rotation was cut off: `curfew keyring rotate` goes on with it.');
  if (!held)
    terminal.note(`Key ${sealing} seals, and is not in ${core.config.keyringFile}: copy the file from where it is.`);
  return held && rows.every(({ state }) => state !== 'missing') ? 0 : 1;
}

async function* inOnePage<Row>(rows: readonly Row[]) {
  yield rows;
}
