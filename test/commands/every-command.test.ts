/**
 * What a scheduler may count on of every command there is: results as JSON and nothing else on stdout, exit codes, and nothing
 * destroyed without a yes. The commands are those that the program itself lists: one without an entry here fails.
 */
import { expect, test } from 'vitest';

import { MAIL } from '../support/mailbox.ts';
import { commandWorld, type Ended, here } from './support.ts';

type Expected = {
  /**
   * The words with which it gives a result in the world below, after those above it in this table; or why it cannot there, in
   * which case a test of its own sees to it.
   */
  readonly result: readonly string[] | string;
  /** JSON lines instead of one document. */
  readonly lines?: true;
  /** The words of something that must not happen without a yes. */
  readonly destroys?: readonly string[];
  /** Takes --yes, and goes on without where nobody can be asked: it replaces what whoever runs it means to replace. */
  readonly replaces?: true;
};

const NEEDS_UPSTREAM = 'needs an identity provider: connection.test.ts';

const OTHER_APP = ['--id', 'other', '--name', 'Other', '--redirect-uri', 'https://other.example/cb'];

const COMMANDS: Readonly<Record<string, Expected>> = {
  serve: { result: 'is the server: start.test.ts' },
  'account create': { result: ['--username', 'nora', '--email', 'nora@example.test'] },
  'account list': { result: [] },
  'account show': { result: ['alice'] },
  'account require-password-reset': { result: ['bob', '--yes'], destroys: ['alice'] },
  'account disable': { result: ['bob', '--yes'], destroys: ['alice'] },
  'account enable': { result: ['bob'] },
  'account delete': { result: ['bob', '--yes'], destroys: ['alice'] },
  'account set-password': { result: ['nora', '--password-file', 'PASSWORD'], replaces: true },
  'account invite': { result: ['--email', 'ida@example.test'] },
  'client create': { result: OTHER_APP },
  'client list': { result: [] },
  'client show': { result: ['player'] },
  'client rotate-secret': { result: ['other', '--yes'], replaces: true },
  'client initial-access-token': { result: [] },
  'client drill': { result: 'needs an app that answers: client-drill.test.ts' },
  'client delete': { result: ['other', '--yes'], destroys: ['other'] },
  'connection list': { result: [] },
  'connection show': { result: NEEDS_UPSTREAM },
  'connection test': { result: NEEDS_UPSTREAM },
  'connection refresh': { result: NEEDS_UPSTREAM },
  'sign-out': { result: ['--account', 'alice', '--yes'], destroys: ['--everyone'] },
  'delivery list': { result: [] },
  'delivery retry': { result: ['--yes'] },
  'mail list': { result: [] },
  'mail retry': { result: ['--yes'] },
  'keyring list': { result: [] },
  // Without --stage it waits for every server to have read the key: keyring.test.ts.
  'keyring rotate': { result: ['--stage'], destroys: [] },
  'keys list': { result: [] },
  'keys rotate': { result: [], replaces: true },
  'store migrate': { result: [] },
  'store copy': { result: 'needs another store: store-copy.test.ts' },
  'audit export': { result: [], lines: true },
  'audit verify': { result: [] },
  'audit key': { result: [] },
  'drill stolen-database': { result: 'copies a store: drill-stolen-database.test.ts' },
  'incident open': {
    result: ['--reason', 'A test', '--client', 'player', '--yes'],
    destroys: ['--reason', 'A test', '--everyone'],
  },
  'incident list': { result: [] },
  'incident resume': { result: 'needs an incident that was cut off: incident.test.ts' },
  'incident status': { result: 'needs an incident: incident.test.ts' },
  'incident report': { result: 'needs an incident: incident.test.ts' },
  doctor: { result: [] },
};

/** Deeper than any command is. */
const DEEPEST = 4;

type Help = { readonly path: readonly string[]; readonly ended: Ended };

/** Every word of the program that does something, with its help. */
async function commandsIn(path: readonly string[] = []): Promise<Help[]> {
  const ended = await here([...path, '--help']);
  const [, listed] = ended.stdout.split('\nCommands:\n');
  if (listed === undefined) return [{ path, ended }];
  if (path.length === DEEPEST) throw new Error(`${path.join(' ')} has no end`);
  const names = Array.from(listed.split('\n\n')[0]?.matchAll(/^ {2}([a-z][a-z-]*)/gm) ?? [], ([, name = '']) => name);
  const found = [];
  for (const name of names.filter((each) => each !== 'help')) found.push(...(await commandsIn([...path, name])));
  return found;
}

const named = ({ path }: Help): string => path.join(' ');
const isJson = (text: string): boolean => {
  try {
    return JSON.parse(text) !== undefined;
  } catch {
    return false;
  }
};

test('each command is known here, has help, and refuses what it does not know', async () => {
  const commands = await commandsIn();
  expect(commands.map(named).toSorted()).toEqual(Object.keys(COMMANDS).toSorted());
  const wrong = [];
  for (const { path, ended } of commands) {
    const unknown = await here([...path, '--no-such-option', '--json']);
    wrong.push({
      command: path.join(' '),
      help: [ended.code, ended.stderr, ended.stdout.includes('Usage: curfew ')],
      unknown: [unknown.code, unknown.stdout, /unknown option '--no-such-option'|required option/.test(unknown.stderr)],
    });
  }
  expect(wrong).toEqual(
    commands.map((command) => ({ command: named(command), help: [0, '', true], unknown: [2, '', true] })),
  );
});

test('whatever takes --yes destroys something, and does not without', async () => {
  const { here: run, rows } = await commandWorld();
  const commands = await commandsIn();
  const takesYes = commands.filter(({ ended }) => ended.stdout.includes('\n  --yes '));
  const answered = new Set(['client drill', 'delivery retry', 'mail retry', 'store copy']);
  const unsaid = takesYes
    .map(named)
    .filter((name) => COMMANDS[name]?.destroys === undefined && COMMANDS[name]?.replaces !== true);
  // These ask only where there is something to do, which tests of their own bring about.
  expect(unsaid.toSorted()).toEqual([...answered].toSorted());
  expect((await run('client', 'create', ...OTHER_APP)).code).toBe(0);
  const before = await rows();
  for (const [name, { destroys }] of Object.entries(COMMANDS)) {
    if (destroys === undefined) continue;
    const ended = await run(...name.split(' '), ...destroys, '--json');
    expect({ name, code: ended.code, stdout: ended.stdout, fix: ended.stderr.includes('add --yes') }).toEqual({
      name,
      code: 2,
      stdout: '',
      fix: true,
    });
    expect({ name, rows: await rows() }).toEqual({ name, rows: before });
  }
});

test('with --json each command that gives a result gives JSON, and nothing else', async () => {
  const { here: run, file } = await commandWorld({ configuration: { ...MAIL, registration: 'invite' } });
  const password = file('password', 'seven lighthouses in the fog\n');
  for (const [name, { result, lines }] of Object.entries(COMMANDS)) {
    if (typeof result === 'string') continue;
    const words = result.map((word) => (word === 'PASSWORD' ? password : word));
    const { code, stdout, stderr } = await run(...name.split(' '), ...words, '--json', '--progress', 'json');
    const documents = lines === true ? stdout.trimEnd().split('\n') : [stdout];
    const told = stderr.split('\n').filter((line) => line.startsWith('{'));
    expect({ name, code, stderr, json: documents.every(isJson), progress: told.every(isJson) }).toEqual({
      name,
      code: 0,
      stderr,
      json: true,
      progress: true,
    });
  }
});
