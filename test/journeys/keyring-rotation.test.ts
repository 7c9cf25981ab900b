/**
 * A rotation of the keyring over a store that holds one of everything, while its server goes on: afterwards nothing in the store
 * is of the old key, the old key is gone, and all that was sealed is still what it was.
 */
import { expect, test } from 'vitest';

import { ATTEMPT_MODELS } from '../../src/connections/attempts.ts';
import { createUpstreamAnswers, UPSTREAM_ANSWER_MODELS } from '../../src/connections/upstream-answers.ts';
import { createUpstreamSessions, UPSTREAM_SESSION_MODELS } from '../../src/connections/upstream-sessions.ts';
import { HALF_WAY_MODEL } from '../../src/authn/half-way.ts';
import { MAILED_LINK_MODEL } from '../../src/authn/mailed-links.ts';
import { contentOpener, createMailer } from '../../src/mail/outbox.ts';
import { SEALED_MODELS } from '../../src/oidc/artifact-adapter.ts';
import { noteEpochs, withLineage } from '../../src/oidc/lineage.ts';
import { WAITING_DEVICE_MODEL } from '../../src/oidc/returning-devices.ts';
import { loadKeyring } from '../../src/platform/keyring.ts';
import { SEALED_COLLECTIONS } from '../../src/store/seals.ts';
import { arm } from '../faults/armed.ts';
import { watch } from '../faults/witness.ts';
import { codeOf, createPasskey, passkeyFormOn } from '../support/authenticator.ts';
import { Browser } from '../support/browser.ts';
import type { Tokens } from '../support/client.ts';
import { ISSUER, notice } from '../support/mail-fixtures.ts';
import { MAIL, mailbox } from '../support/mailbox.ts';
import { rotator } from '../support/rotation.ts';
import { erin, samlWorld } from '../support/saml-world.ts';
import type { World } from '../support/world.ts';

test('nothing is left of the old key, and everything goes on', { timeout: 90_000 }, async () => {
  const { it: place, corp, signIn } = await samlWorld({ configuration: MAIL });
  const lived = await live(place, () => signIn(erin()));
  const receipt = await lived.reader.open(lived.receipt).then(({ text }) => text);
  expect(receipt).toContain('Firefox on Linux');
  expect(await ofKey(place, 1)).not.toEqual([]);
  await holdsOneOfEverything(place);

  const { rotate } = await rotator(place);
  const rotated = await rotate();

  expect(rotated).toMatchObject({ version: 2, finished: true, left: [], removed: [1] });
  expect(await ofKey(place, 1)).toEqual([]);
  expect(loadKeyring(place.config.keyringFile).keys.map(({ version }) => version)).toEqual([2]);
  // A process that has never known the old key: whatever it opens was sealed with the new one.
  await place.restart();
  const { core, player, tv, alice, bob } = place;

  await lived.browser.open('/account/security');
  expect(lived.browser.path).toBe('/account/security');
  // What lay in browsers and on pages and was sealed with the old key is as good as not there, and never a fault.
  await lived.reader.open(lived.receipt);
  expect(lived.reader.path).toMatch(/^\/sign-in\?/);
  await bob.signIn(lived.reader);
  await lived.reader.open(lived.receipt);
  expect(lived.reader.page.text).toContain('Firefox on Linux');
  await lived.enrolling.press('Turn it on', { code: '000000' });
  expect(lived.enrolling.page.status).toBeLessThan(500);
  const passkey = passkeyFormOn(lived.signingIn, 'use');
  await passkey.post(createPasskey(place.issuer).use(passkey.options));
  expect(lived.signingIn.page.status).toBeLessThan(500);
  const refreshed = await player.refresh(lived.tokens);
  if ('error' in refreshed) throw new Error(refreshed.error);
  expect(await player.introspect(refreshed.access_token)).toMatchObject({ active: true });
  expect((await player.exchange(lived.unspent.code, lived.unspent.verifier)).status).toBe(200);
  await tv.approveDevice(alice, lived.device.user_code, lived.browser);
  expect(await tv.pollDevice(lived.device.device_code)).toMatchObject({ status: 200 });

  // Proofs: an app's code, a recovery code, a trusted browser, a sign-in that waits for its second step, mailed links.
  const { person, genuine } = lived.armed;
  expect(await core.totp.use(person.id, codeOf(genuine['app secret'], { steps: 1 }))).toBe(true);
  expect(await core.recoveryCodes.use(person.id, genuine['recovery code'])).toBe(true);
  expect(await core.trustedBrowsers.isTrusted(person.id, genuine['trusted browser'])).toBe(true);
  expect(await core.passkeys.of(person.id)).toHaveLength(1);
  const headers = { cookie: `curfew-half-way=${genuine['half-finished sign-in']}` };
  expect((await fetch(`${place.issuer}/sign-in/second-step`, { headers, redirect: 'manual' })).status).toBe(200);
  expect(await core.links.find('reset-password', genuine['mailed link'])).toMatchObject({ accountId: person.id });
  expect(await core.journal.recent(person.id, 5)).not.toEqual([]);
  expect(await core.audit.publicKey()).toEqual(lived.auditor);
  expect(await core.returning.of(alice.id)).toMatchObject([
    { grantId: 'grant-of-a-television', userCode: 'BCDF-GHJK' },
  ]);

  // Mails that were queued can be read, and new ones go out.
  const open = contentOpener(core.keyring);
  const queued = (await core.store.outbox.list({ page: { limit: 100 } })).filter(({ sealed }) => sealed !== '');
  expect(queued.map(open)).toMatchObject([{ to: bob.email, mail: { kind: notice().kind } }]);
  const forgetful = new Browser(place.issuer);
  await forgetful.open('/reset');
  await forgetful.press('Send reset link', { username: alice.username });
  expect((await mailbox(place).fresh(alice.email)).some(({ text }) => text.includes('/reset/confirm?link='))).toBe(
    true,
  );

  // The company's people still come in by the keys that it knows us by, as whom they were.
  const back = await signIn(erin());
  expect(back.path).toBe('/account');
  expect(await core.connections.identities.list(lived.erinId)).toMatchObject([{ name: 'erin@corp.test' }]);
  expect(corp).toBeDefined();
  // What the attempt that was begun before is for can still be found by its answer.
  await corp.sendBack(lived.underWay, lived.askedAt, erin());
  expect(lived.underWay.path).toBe('/account');

  const log = place.logged.map((line) => JSON.parse(line) as { event: string; level: string });
  expect(log.filter(({ level }) => level === 'error')).toEqual([]);
});

/** Something of every kind that is sealed, by whatever makes it. */
async function live(place: World, asErin: () => Promise<Browser>) {
  const { core, alice, bob, player, tv, issuer } = place;
  const witness = watch({ address: () => '198.51.100.7' });
  const armed = await arm(place, await place.person('wilhelmina.castellan'), witness);
  const browser = await alice.signIn();
  const tokens: Tokens = await player.signIn(alice, browser);
  const unspent = await player.obtainCode(alice, browser);
  const device = await tv.startDevice();
  const pushed = new URL(player.authorization().url).searchParams;
  expect((await player.post('/request', Object.fromEntries(pushed))).status).toBe(201);
  await new Browser(issuer).open(player.authorization().url);

  await player.signIn(bob);
  await place.cinema.signIn(bob);
  const reader = bob.browser();
  const receipt = await bob.signOutOfAllDevices(reader);
  await place.settle();

  const erins = await asErin();
  const erinId = (await core.accounts.resolve('erin'))?.id ?? '';
  expect(erins.path).toBe('/account');
  // One is on its way to the company, and one has come back and not gone on.
  const underWay = new Browser(issuer);
  await underWay.open('/sign-in');
  await underWay.press('Continue with Corp');
  const askedAt = underWay.left as URL;

  // What needs a provider's own pages, by the rooms that keep it.
  const needs = { artifacts: core.store.artifacts, keyring: core.keyring, clock: core.clock };
  const upstream = createUpstreamSessions(needs);
  await upstream.note('a session there', alice.id);
  await upstream.keepForSignOut({ connectionId: 'corp', idToken: null } as never);
  await upstream.keepReturn('/signed-out');
  const answers = createUpstreamAnswers(needs);
  await answers.ask('corp');
  await answers.keep({ connectionId: 'corp', outcome: 'everywhere' });
  await withLineage(async () => {
    noteEpochs(await core.store.revocations.epochs(['everyone', 'client:tv']));
    await core.returning.list(
      { accountId: alice.id, grantId: 'grant-of-a-television', firstUsedAt: '2026-01-01T00:00:00Z', userAgent: 'TV' },
      { clientId: 'tv', userCode: 'BCDF-GHJK', expiresAt: new Date(Date.now() + 600_000) },
    );
  });
  const enrolling = await (await place.person('greta')).signIn();
  await enrolling.open('/account/security');
  await enrolling.press('Set up an authenticator app');
  const signingIn = new Browser(issuer);
  await signingIn.open('/sign-in');
  // One that goes out tomorrow.
  const mailer = createMailer({
    outbox: {
      enqueue: (mails) =>
        core.store.outbox.enqueue(mails.map((mail) => ({ ...mail, nextAttemptAt: new Date(Date.now() + 86_400_000) }))),
    },
    keyring: core.keyring,
    clock: core.clock,
    issuer: ISSUER,
    written: () => undefined,
  });
  await mailer.send({ eventId: 'held back', to: bob.email, accountId: bob.id, locale: 'en', mail: notice() });
  const auditor = await core.audit.publicKey();
  return {
    auditor,
    enrolling,
    signingIn,
    armed,
    browser,
    tokens,
    unspent,
    device,
    reader,
    receipt,
    erinId,
    underWay,
    askedAt,
  };
}

/** Otherwise the test would prove less than it says. */
async function holdsOneOfEverything({ database, core }: World): Promise<void> {
  const { artifacts = [] } = await database.rows();
  const sealed = artifacts.filter(({ payload }) => String(payload).startsWith('v1.1.')).map(({ model }) => model);
  expect([...new Set(sealed)].toSorted()).toEqual(
    [
      ...SEALED_MODELS,
      ...ATTEMPT_MODELS,
      ...UPSTREAM_ANSWER_MODELS,
      ...UPSTREAM_SESSION_MODELS,
      HALF_WAY_MODEL,
      MAILED_LINK_MODEL,
      WAITING_DEVICE_MODEL,
    ].toSorted(),
  );
  for (const collection of SEALED_COLLECTIONS) {
    expect(await core.store.seals.rows(collection, { limit: 1 }), collection).not.toEqual([]);
  }
  const facts = (await core.store.seals.rows('facts', { limit: 100 })).map(({ id }) => id);
  expect(facts).toEqual(expect.arrayContaining(['audit-key', 'connection-keys:corp', 'first-signing-key:ES256']));
  const kinds = (await core.store.seals.rows('credentials', { limit: 100 })).map(({ kind }) => kind);
  expect(new Set(kinds)).toEqual(new Set(['totp', 'recovery-codes', 'passkey', 'trusted-browser']));
}

/** Where anything is sealed with this key, in any field of any row, however deep. */
async function ofKey({ database }: World, version: number): Promise<string[]> {
  const found: string[] = [];
  const look = (value: unknown, at: string): void => {
    if (typeof value === 'string' && value.includes(`v1.${version}.`)) found.push(at);
    if (value instanceof Uint8Array) return look(Buffer.from(value).toString('latin1'), at);
    if (typeof value !== 'object' || value === null) return;
    for (const [name, inner] of Object.entries(value)) look(inner, `${at}.${name}`);
  };
  for (const [table, rows] of Object.entries(await database.rows())) for (const row of rows) look(row, table);
  return found;
}
