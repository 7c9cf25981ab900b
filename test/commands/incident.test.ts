/** Containing a breach from the command line: whom it is about, what is done, and what is left when it was cut off. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { MAIL, mailbox } from '../support/mailbox.ts';
import type { Person } from '../support/world.ts';
import { type CommandWorld, commandWorld } from './support.ts';

const PASSWORD = 'seven lighthouses in the fog';
const REASON = ['--reason', 'a database was lost'];

type Incident = {
  readonly id: string;
  readonly status: string;
  readonly done: number;
  readonly total: number;
  readonly failed: number;
  readonly skipped: number;
  readonly cohort: Record<string, unknown>;
  readonly steps: readonly { readonly name: string; readonly status: string }[];
  readonly deliveries: Record<string, number>;
  readonly mails: Record<string, number>;
  readonly check: { readonly lookedAt: number; readonly missed: number };
};

const opened = async (
  { here }: CommandWorld,
  ...words: string[]
): Promise<{ code: number | null; incident: Incident }> => {
  const ended = await here('incident', 'open', ...REASON, ...words, '--yes', '--json');
  expect(ended.stderr).not.toContain('curfew:');
  return { code: ended.code, incident: ended.json() as Incident };
};

const canSignIn = async (person: Person, password = person.password): Promise<boolean> => {
  const browser = person.anotherBrowser();
  await browser.open('/sign-in');
  await browser.press('Sign in', { username: person.username, password });
  return browser.path === '/account';
};

test('a dry run says what would come of it, and changes nothing', async () => {
  const made = await commandWorld({ configuration: MAIL });
  const { here, alice, bob, player, cinema, phone } = made;
  await player.signIn(alice);
  await player.signIn(alice, alice.anotherBrowser());
  await cinema.signIn(bob);
  await phone.signIn(bob);
  await made.settle();
  const before = await made.rows();
  const words = ['incident', 'open', ...REASON, '--everyone', '--require-password-reset', '--notify', '--dry-run'];
  const foretold = await here(...words, '--json');
  expect([foretold.code, foretold.json()]).toMatchObject([
    0,
    {
      id: null,
      dryRun: true,
      cohort: { everyone: true },
      total: 2,
      notices: 3,
      mails: 2,
      clients: [
        { clientId: 'cinema', accounts: 1, sessions: 1, notices: 1 },
        { clientId: 'phone', accounts: 1, sessions: 1, notices: null },
        { clientId: 'player', accounts: 1, sessions: 2, notices: 2 },
      ],
    },
  ]);
  const said = (await here(...words)).stdout;
  expect(said).toContain('2 accounts: everyone.');
  expect(said).toContain('3 apps where they are signed in, 3 notices to deliver');
  expect(said).toContain('Not told, and refused when they come back: phone.');
  expect(said).toContain('Nothing was changed.');
  expect(await made.rows()).toEqual(before);
});

test('everyone is contained: no access, no password and no mailed link of before works, and everybody is written to', async () => {
  const made = await commandWorld({ configuration: { ...MAIL, registration: 'invite' } });
  const { alice, bob, player, core, here, settle, ears } = made;
  const box = mailbox(made);
  const tokens = await player.signIn(alice);
  const invited = await core.links.mint({ accountId: null, purpose: { kind: 'invite', email: 'nora@example.test' } });
  const { code, incident } = await opened(made, '--everyone', '--require-password-reset', '--notify');
  expect([code, incident]).toMatchObject([
    3,
    {
      status: 'done',
      cohort: { everyone: true },
      total: 2,
      done: 2,
      failed: 0,
      check: { lookedAt: 2, missed: 0 },
      steps: ['end-access', 'contain', 'check', 'notify'].map((name) => ({ name, status: 'done' })),
    },
  ]);
  expect(await player.refresh(tokens)).toEqual({ error: 'invalid_grant' });
  expect(await player.introspect(tokens.access_token)).toEqual({ active: false });
  await alice.browser().open('/account');
  expect(alice.browser().path).toMatch(/^\/sign-in/);
  expect(await canSignIn(alice)).toBe(false);
  expect(await canSignIn(bob)).toBe(false);
  expect(await core.links.find('invite', invited)).toBeNull();
  await settle();
  expect(ears.heard.map(({ client }) => client)).toEqual(['player']);

  const asked = (await box.fresh(alice.email)).filter(({ subject }) => subject === 'Please choose a new password');
  expect(asked).toHaveLength(1);
  const browser = alice.anotherBrowser();
  await browser.open(asked[0]?.link('/reset/confirm') ?? '');
  await browser.press('Change password', { password: PASSWORD });
  expect(await canSignIn(alice, PASSWORD)).toBe(true);

  const again = await here('incident', 'resume', incident.id, '--json');
  expect([again.code, again.json()]).toMatchObject([0, { status: 'done', deliveries: { delivered: 1, pending: 0 } }]);
  expect(await canSignIn(alice, PASSWORD)).toBe(true);
  expect((await box.all()).filter(({ subject }) => subject === 'Please choose a new password')).toHaveLength(2);
});

test('whoever has no password is told only that access has ended', async () => {
  const made = await commandWorld({ configuration: MAIL });
  const { core } = made;
  const created = await core.accounts.create({
    username: 'elsewhere',
    email: 'elsewhere@example.test',
    emailVerified: true,
  });
  if (!('account' in created)) throw new Error('elsewhere was refused');
  const { incident } = await opened(made, '--everyone', '--require-password-reset', '--notify');
  expect(incident).toMatchObject({ total: 3, done: 3, check: { missed: 0 } });
  const mail = await mailbox(made).one('elsewhere@example.test');
  expect(mail.subject).toBe('You were signed out as a precaution');
});

test.each([
  ['a client', async () => ['--client', 'player'], ['alice']],
  [
    'a list',
    async (made: CommandWorld) => ['--account-file', made.file('list', '# them\nbob\r\n\nbob@example.test\n')],
    ['bob'],
  ],
  [
    'a list and a client',
    async (made: CommandWorld) => ['--account-file', made.file('list', 'bob\nalice\n'), '--client', 'player'],
    ['alice'],
  ],
  ['those made before', async (made: CommandWorld) => ['--created-before', await createdAt(made, made.bob)], ['alice']],
  ['those made after', async (made: CommandWorld) => ['--created-after', await createdAt(made, made.alice)], ['bob']],
  ['those signed in since', async () => ['--signed-in-after', '2020-01-01'], ['alice']],
  ['those not signed in since', async () => ['--signed-in-before', '2020-01-01'], ['bob']],
] as const)('a cohort of %s is contained, and nobody else', async (_whom, words, expected) => {
  const made = await commandWorld();
  const { alice, bob, player } = made;
  const kept = { alice: await player.signIn(alice) };
  const { incident } = await opened(made, ...(await words(made)), '--require-password-reset');
  expect(incident).toMatchObject({ status: 'done', total: 1, done: 1, failed: 0, check: { lookedAt: 1, missed: 0 } });
  const isIn = expected.some((name) => name === 'alice');
  expect(await player.refresh(kept.alice)).toEqual(
    isIn ? { error: 'invalid_grant' } : expect.objectContaining({ access_token: expect.any(String) as string }),
  );
  expect([await canSignIn(alice), await canSignIn(bob)]).toEqual([!isIn, isIn]);
});

const createdAt = async ({ core }: CommandWorld, { id }: Person): Promise<string> => {
  const account = await core.accounts.find(id);
  if (account === null) throw new Error('there is no such account');
  return account.createdAt.toISOString();
};

test('disabled accounts are let in by nobody until they are enabled', async () => {
  const made = await commandWorld({ configuration: MAIL, fakeTime: true });
  const { alice, here, advance } = made;
  const { incident } = await opened(made, '--account-file', made.file('list', 'alice'), '--disable', '--notify');
  expect(incident).toMatchObject({ total: 1, done: 1 });
  expect(await canSignIn(alice)).toBe(false);
  expect((await mailbox(made).one(alice.email)).subject).toBe('Your account was locked as a precaution');
  expect((await here('account', 'enable', 'alice')).code).toBe(0);
  // A wrong guess is answered a second later at the earliest.
  advance(2);
  expect(await canSignIn(alice)).toBe(true);
});

test('a list from standard input, with a name that nobody has', async () => {
  const made = await commandWorld();
  const words = ['incident', 'open', ...REASON, '--account-file', '-', '--yes', '--json'];
  const refused = await made.given('alice\nnobody-at-all\n', ...words);
  expect([refused.code, refused.stdout, refused.stderr.includes('nobody-at-all')]).toEqual([2, '', true]);
  expect(await made.core.incidents.list(5)).toEqual([]);
  const done = await made.given('alice\nnobody-at-all\n', ...words, '--skip-unknown');
  expect([done.code, done.json()]).toMatchObject([0, { total: 1, done: 1, cohort: { listed: 1 } }]);
});

test.each([
  [['--everyone'], '--reason'],
  [[...REASON], 'whom is it about?'],
  [[...REASON, '--everyone', '--client', 'player'], 'everyone, or only some?'],
  [[...REASON, '--client', 'nobody'], 'there is no client'],
  [[...REASON, '--connection', 'nobody'], 'there is no connection'],
  [[...REASON, '--everyone', '--created-before', 'yesterday'], 'It must be a day or an instant'],
  [[...REASON, '--everyone', '--created-before', '2031-02-30'], 'It must be a day or an instant'],
  [[...REASON, '--everyone', '--notify'], 'no mail is configured'],
  [[...REASON, '--everyone', '--accounts-per-second', '0'], 'must be a whole number'],
  [[...REASON, '--everyone', '--rotate-client-secrets', '/nowhere/at/all'], 'cannot be written'],
  [['--reason', ' ', '--everyone'], 'a reason has 1 to 500 characters'],
] as const)('`incident open %j` is refused, and nothing is opened', async (words, why) => {
  const { here, core } = await commandWorld();
  const ended = await here('incident', 'open', ...words, '--yes');
  expect([ended.code, ended.stdout, ended.stderr]).toEqual([2, '', expect.stringContaining(why)]);
  expect(await core.incidents.list(5)).toEqual([]);
  expect((await here('incident', 'open', ...REASON, '--everyone')).code).toBe(2);
});

test('an incident nobody knows', async () => {
  const { here } = await commandWorld();
  for (const verb of ['resume', 'status', 'report']) {
    const ended = await here('incident', verb, 'inc_nowhere');
    expect([verb, ended.code, ended.stderr]).toEqual([verb, 2, expect.stringContaining('there is no incident')]);
  }
});

test('cut off by Ctrl-C it goes on where it stopped, and whoever signed in anew since stays', async () => {
  const made = await commandWorld({ configuration: MAIL });
  const { here, begin, person, player, core } = made;
  const people = [made.alice, made.bob];
  for (let nth = 0; nth < 6; nth++) people.push(await person(`crew-${nth}`));
  const ids = (await core.accounts.list({ limit: 20 })).map(({ id }) => id);
  const running = begin(
    'incident',
    'open',
    ...REASON,
    '--created-after',
    '2020-01-01',
    '--notify',
    '--accounts-per-second',
    '1',
    '--yes',
    '--json',
  );
  // The first account of the walk is contained; the next one's turn is a second away.
  await expect
    .poll(async () => (await core.incidents.list(1))[0]?.steps[0]?.done ?? 0, { timeout: 20_000 })
    .toBeGreaterThan(0);
  running.process.kill('SIGINT');
  const cut = await running.ended;
  const { id, done } = cut.json() as Incident;
  expect([cut.code, done < 8, cut.stderr.includes(`curfew incident resume ${id}`)]).toEqual([130, true, true]);
  expect((await here('incident', 'status', id, '--json')).json()).toMatchObject({ status: 'interrupted', total: 8 });

  const first = people.find((each) => each.id === ids[0]);
  if (first === undefined) throw new Error('the first account is nobody of them');
  const tokens = await player.signIn(first, first.anotherBrowser());
  // Nobody waits for the rest of it.
  const incident = await core.incidents.find(id);
  if (incident === null) throw new Error('the incident is gone');
  await core.incidents.change({ ...incident, pace: { ...incident.pace, accountsPerSecond: null } });
  const ended = await here('incident', 'resume', id, '--json');
  expect(ended.json()).toMatchObject({ status: 'done', done: 8, failed: 0, check: { lookedAt: 8, missed: 0 } });
  expect(await player.refresh(tokens)).toHaveProperty('access_token');
  const signOuts = await core.store.revocations.listSignOuts(50);
  expect(signOuts.filter((each) => each.id.startsWith(`${id}-`))).toHaveLength(8);
  expect((await core.store.incidents.progress(id)).mails).toMatchObject({ rejected: 0, abandoned: 0 });
  const mails = await core.store.outbox.list({ page: { limit: 100 } });
  expect(
    mails
      .filter((each) => each.id.startsWith(`${id}-`))
      .map(({ accountId }) => accountId)
      .toSorted(),
  ).toEqual(ids);
});

test('of two that carry it out the earlier one stops', async () => {
  const made = await commandWorld();
  const { core, begin, here } = made;
  const running = begin(
    'incident',
    'open',
    ...REASON,
    '--created-after',
    '2020-01-01',
    '--accounts-per-second',
    '1',
    '--yes',
    '--json',
  );
  await expect.poll(async () => (await core.incidents.list(1))[0]?.steps[0]?.done ?? 0, { timeout: 20_000 }).toBe(1);
  const [{ id } = { id: '' }] = await core.incidents.list(1);
  const taken = await here('incident', 'resume', id, '--json');
  expect([taken.code, taken.json()]).toMatchObject([0, { status: 'done', done: 2 }]);
  const earlier = await running.ended;
  expect([earlier.code, earlier.stderr]).toEqual([1, expect.stringContaining('Another process goes on with it')]);
});

test('keys and secrets are replaced with it', async () => {
  const made = await commandWorld();
  const { here, core, folder } = made;
  const client = ['--id', 'radio', '--name', 'Radio', '--redirect-uri', 'https://radio.example/callback'];
  const created = (await here('client', 'create', ...client, '--json')).json() as { client_secret: string };
  const before = (await core.signingKeys.list()).filter(({ status }) => status === 'signing').map(({ kid }) => kid);
  const file = join(folder, 'secrets', 'apps.jsonl');
  const { incident } = await opened(made, '--everyone', '--rotate-keys', '--rotate-client-secrets', file);
  expect(incident).toMatchObject({
    status: 'done',
    byHand: [
      'another secret for cinema, which the configuration has',
      expect.stringContaining('library'),
      expect.stringContaining('player'),
    ],
  });
  const after = (await core.signingKeys.list()).filter(({ status }) => status === 'signing').map(({ kid }) => kid);
  expect(after.filter((kid) => before.includes(kid))).toEqual([]);
  const written = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>);
  expect(written.map(({ client_id }) => client_id)).toEqual(['radio']);
  const present = await core.clients.lookUp('radio');
  const digest = String(present?.metadata['client_secret']);
  expect(core.clients.matches('radio', digest, written[0]?.['client_secret'] ?? '')).toBe(true);
  expect(core.clients.matches('radio', digest, created.client_secret)).toBe(false);
});

test('the store is sealed anew with it, and everybody can still be named', async () => {
  const made = await commandWorld({ configuration: MAIL });
  const { core, here, alice } = made;
  const { incident } = await opened(made, '--account-file', made.file('list', 'alice'), '--rotate-keyring');
  expect(incident).toMatchObject({
    status: 'done',
    byHand: [],
    steps: expect.arrayContaining([expect.objectContaining({ name: 'sealing-keys', status: 'done' })]),
  });
  const { sealedUsername } = (await core.store.accounts.find(alice.id)) ?? { sealedUsername: '' };
  expect(sealedUsername).toMatch(/^v1\.2\./);
  expect((await here('account', 'show', 'alice', '--json')).json()).toMatchObject({ username: 'alice' });
  expect(await core.accounts.find(alice.id)).toMatchObject({ username: 'alice' });
});
