import type { JsonWebKey } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';

import { start as startExample, stopAll } from '../examples/drive.ts';
import { Browser } from '../support/browser.ts';
import { cookieJar } from '../support/jar.ts';
import { type Receiver, type ReceiverFault, startReceiver } from '../support/logout-receiver.ts';
import type { Rows } from '../support/store-under-test.ts';
import { freePort } from '../support/world.ts';
import { atTerminal, commandWorld, type CommandWorld } from './support.ts';

const SECRET = 'a secret that only the drilled app knows, 0123456789';

type Drilled = {
  client: string;
  endpoint: string | null;
  reachable: boolean | null;
  passed: number | null;
  total: number | null;
  verdict: string;
  subject: string | null;
  probes: { probe: string; must: boolean; ok: boolean; answered: string }[];
};

const app = (id: string, uri: string | undefined, more: Record<string, unknown> = {}) => ({
  client_id: id,
  client_name: id,
  client_secret: SECRET,
  first_party: true,
  redirect_uris: [`http://${id}.test/callback`],
  grant_types: ['authorization_code', 'refresh_token'],
  ...(uri === undefined ? {} : { backchannel_logout_uri: uri }),
  ...more,
});

/** A world whose apps hear at receivers, each with the fault it is given. */
async function drilledWorld(
  faults: Readonly<Record<string, ReceiverFault | null>>,
  { others = [], metadata = {} }: { others?: ReturnType<typeof app>[]; metadata?: Record<string, unknown> } = {},
): Promise<{ made: CommandWorld; receivers: Readonly<Record<string, Receiver>> }> {
  let issuer = '';
  const receivers: Record<string, Receiver> = {};
  for (const [clientId, fault] of Object.entries(faults)) {
    const keys = async () => (await (await fetch(`${issuer}/jwks`)).json()) as { readonly keys: readonly JsonWebKey[] };
    const setup = { clientId, issuer: () => issuer, keys, secret: SECRET, fault: fault ?? undefined };
    const receiver = (receivers[clientId] = await startReceiver(setup));
    onTestFinished(() => receiver.close());
  }
  const drilled = Object.entries(receivers).map(([id, { url }]) => app(id, url, metadata));
  // In place of the world's own: all that there are can be drilled.
  const clients = [...drilled, ...others];
  const made = await commandWorld({ clients, configuration: { clients } });
  issuer = made.issuer;
  return { made, receivers };
}

/** All rows but those of the journal, and of the work that a server does on it meanwhile. */
const kept = ({ events: _events, leases: _leases, facts: _facts, ...rest }: Rows): Rows => rest;

const verdicts = (drilled: unknown): unknown[] =>
  (drilled as Drilled[]).map(({ client, verdict, passed, total }) => [client, verdict, passed, total]);

test('every app gets its verdict, and the command ends with 1 where one does wrong', async () => {
  const { made } = await drilledWorld(
    { careful: null, gullible: 'accepts-unsigned', sleepy: 'accepts-replay' },
    { others: [app('box', undefined)] },
  );
  const before = await made.rows();

  const ended = await made.run('client', 'drill', '--json');

  expect(ended).toMatchObject({ code: 1, stderr: '' });
  expect(verdicts(ended.json())).toEqual([
    ['careful', 'pass', 15, 15],
    ['gullible', 'fail', 14, 15],
    ['sleepy', 'pass', 15, 15],
    ['box', 'cannot-be-told', null, null],
  ]);
  const [careful, gullible, sleepy, box] = ended.json() as Drilled[];
  expect(careful).toMatchObject({ reachable: true, subject: 'unknown', endpoint: expect.stringContaining('/logout') });
  expect(careful?.probes).toContainEqual(
    expect.objectContaining({ probe: 'good', must: true, answered: 'answered 200' }),
  );
  expect(gullible?.probes.filter(({ ok }) => !ok)).toMatchObject([{ probe: 'unsigned', answered: 'answered 200' }]);
  expect(sleepy?.probes.filter(({ ok }) => !ok)).toMatchObject([{ probe: 'replay', must: false }]);
  expect(box).toMatchObject({ endpoint: null, reachable: null, probes: [] });
  expect(`${ended.stdout}${made.logged.join('')}`).not.toContain(SECRET);

  const after = await made.rows();
  expect(kept(after)).toEqual(kept(before));
  const written = (after['events'] ?? []).filter(({ kind }) => kind === 'client.drilled');
  expect(written).toHaveLength(3);
  expect(JSON.stringify(written)).toMatch(/(?=.*careful)(?=.*gullible)(?=.*sleepy)/);

  const some = await made.here('client', 'drill', 'careful', 'sleepy', 'box', '--json');
  expect(some).toMatchObject({ code: 0, stderr: '' });
  expect(await made.here('client', 'drill', 'sleepy', '--strict', '--json')).toMatchObject({ code: 1 });
});

test('people are shown what failed, what it means and what to do', async () => {
  const { made, receivers } = await drilledWorld({
    careful: null,
    gullible: 'accepts-unsigned',
    cached: 'is-cacheable',
    shy: 'refuses-whom-it-does-not-know',
  });
  const shown = await made.here('client', 'drill');
  expect(shown.code).toBe(1);
  expect(shown.stdout).toMatch(/^client +told at +checks +verdict +worst finding$/m);
  expect(shown.stdout).toMatch(/^careful +127\.0\.0\.1:\d+ +15 of 15 +pass +–$/m);
  expect(shown.stdout).toMatch(/^gullible +127\.0\.0\.1:\d+ +14 of 15 +fail +accepts unsigned tokens$/m);
  expect(shown.stdout).toMatch(/^cached .* pass +only a warning: may have its answer cached$/m);
  expect(shown.stdout).toContain('anybody on the network can sign its users out');
  expect(shown.stdout).toContain('fix: let its library verify');
  // It was told of nobody, which may be all that is wrong.
  expect(shown.stdout).toMatch(/shy \(127.*\n.*refuses a good token \(answered 400\).*whom it does not know/);
  expect(shown.stdout).toContain('--account');
  expect(shown.stdout).not.toContain('no-store  may have');
  expect(shown.stdout).not.toContain(SECRET);

  const verbose = await made.here('client', 'drill', 'cached', '--verbose');
  expect(verbose.code).toBe(0);
  expect(verbose.stdout).toMatch(/^✓ expired +a token that expired a day ago: answered 400$/m);
  expect(verbose.stdout).toMatch(/^! no-store +may have its answer cached \(answered 200\)/m);
  expect(receivers['cached']?.methods.filter((method) => method === 'GET')).toHaveLength(2);
});

test('what nobody can be asked is wrong usage, and sends nothing', async () => {
  const { made, receivers } = await drilledWorld({ careful: null });
  const refused = await Promise.all([
    made.here('client', 'drill', 'careful', 'nobody'),
    made.here('client', 'drill', 'careful', '--account', 'nobody'),
    made.here('client', 'drill', 'careful', '--timeout', '60'),
  ]);
  expect(refused.map(({ code, stdout }) => [code, stdout])).toEqual([
    [2, ''],
    [2, ''],
    [2, ''],
  ]);
  expect(refused[0]?.stderr).toContain('there is no client "nobody"');
  expect(receivers['careful']?.methods).toEqual([]);
});

test('without a server that publishes keys the operator is told so', async () => {
  const { made, receivers } = await drilledWorld({ far: null });
  await made.stopServer();
  await receivers['far']?.close();
  const ended = await made.here('client', 'drill', '--json');
  expect(ended).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot fetch keys') });
  expect(ended.json()).toMatchObject([{ client: 'far', reachable: false, verdict: 'fail', passed: 0 }]);
});

describe('with an account that is signed in there', () => {
  const signedIn = async () => {
    const metadata = { backchannel_logout_session_required: true };
    const { made, receivers } = await drilledWorld({ careful: null, elsewhere: null }, { metadata });
    await made.client('careful').signIn(made.alice);
    const [session] = await made.stored(({ revocations }) => revocations.clientSessionsOf(made.alice.id));
    return { made, careful: receivers['careful'], elsewhere: receivers['elsewhere'], sid: session?.sid };
  };

  test('nothing is sent before a yes', async () => {
    const { made, careful } = await signedIn();
    const refused = await made.here('client', 'drill', 'careful', '--account', 'alice');
    expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('add --yes') });

    const args = ['client', 'drill', '--account', 'alice', '--config', made.configFile];
    const asked = atTerminal(args, { columns: 200 });
    await asked.seeing('[y/N]');
    expect(asked.screen.stderr).toContain('alice is signed in at careful. A good token signs that account out there');
    asked.type('n\n');
    expect(await asked.ended).toBe(1);
    expect(careful?.methods).toEqual([]);
  });

  test('its own session is named where it has one, and nobody who is signed in is asked for elsewhere', async () => {
    const { made, careful, elsewhere, sid } = await signedIn();
    const ended = await made.here('client', 'drill', '--account', 'alice', '--yes', '--json');
    expect(ended.code).toBe(0);
    expect(ended.json()).toMatchObject([{ subject: 'account' }, { subject: 'account' }]);
    expect(careful?.accepted).toMatchObject([{ sub: made.alice.id, sid }]);
    expect(elsewhere?.accepted).toMatchObject([{ sub: made.alice.id, sid: expect.not.stringMatching(sid ?? '') }]);
    // Only the app has let go of it: nothing ended here.
    const sessions = await made.stored(({ revocations }) => revocations.clientSessionsOf(made.alice.id));
    expect(sessions).toMatchObject([{ sid, endedAt: null }]);

    const askedNothing = await made.here('client', 'drill', 'elsewhere', '--account', 'alice', '--json');
    expect(askedNothing.code).toBe(0);
  });
});

test('Ctrl-C ends it at once, with 130 and no verdict', async () => {
  const { made, receivers } = await drilledWorld({ stuck: 'hangs' });
  const args = ['client', 'drill', '--config', made.configFile];
  const drilling = atTerminal(args, { columns: 200 });
  await expect.poll(() => receivers['stuck']?.methods.length).toBe(1);
  drilling.pressControlC();
  expect(await drilling.ended).toBe(130);
  expect(drilling.screen.stdout).toBe('');
  expect(drilling.screen.stderr).toContain('Interrupted: 0 apps of 1 drilled.');
});

test('the example web player passes with a full score, and a person who was signed in there is not any more', async () => {
  onTestFinished(stopAll);
  const port = String(await freePort());
  const url = `http://localhost:${port}`;
  const lumen = {
    ...app('lumen', `${url}/backchannel-logout`, { backchannel_logout_session_required: true }),
    redirect_uris: [`${url}/callback`],
  };
  const made = await commandWorld({ clients: [lumen] });
  const player = await startExample('web-player', {
    port,
    issuer: made.issuer,
    'client-id': 'lumen',
    'client-secret-file': made.file('secret', `${SECRET}\n`),
    'media-server': 'http://localhost:9',
  });
  const { visit } = cookieJar();
  const session = async () => (await visit(`${url}/session`)).json();
  const { alice } = made;
  const curfew = new Browser(made.issuer);
  await curfew.open((await visit(`${url}/login`)).headers.get('location') ?? '');
  await curfew.press('Sign in', { username: alice.username, password: alice.password });
  await visit(curfew.left?.href ?? '');
  expect(await session()).toMatchObject({ signedIn: true, sub: alice.id });

  // Of nobody's tokens she notices nothing.
  const nobodys = await made.here('client', 'drill', 'lumen', '--strict', '--json');
  expect((nobodys.json() as Drilled[])[0]?.probes.filter(({ ok }) => !ok)).toEqual([]);
  expect(nobodys).toMatchObject({ code: 0, stderr: '' });
  expect(verdicts(nobodys.json())).toEqual([['lumen', 'pass', 18, 18]]);
  // Refused by the player itself: all but the GET, which it has no page for.
  expect(player.log().match(/logout-token\.refused/g)?.length).toBe(14);
  expect(await session()).toMatchObject({ signedIn: true });

  const hers = await made.here('client', 'drill', 'lumen', '--account', 'alice', '--yes', '--strict', '--json');
  expect(verdicts(hers.json())).toEqual([['lumen', 'pass', 18, 18]]);
  expect(await session()).toEqual({ signedIn: false });
});
