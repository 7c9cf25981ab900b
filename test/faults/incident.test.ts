/**
 * An incident that is cut off, again and again: nobody is missed, nobody is written to twice, and whoever has come back
 * meanwhile stays. The command is killed at random while it works, as a real process; and at each of its store calls it is
 * left standing for good, which is what a death looks like to the store, and worse: it wakes up when all is over.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';

import { newIncidentId } from '../../src/compose.ts';
import { type CommandWorld, commandWorld, type Running } from '../commands/support.ts';
import type { Browser } from '../support/browser.ts';
import type { Tokens } from '../support/client.ts';
import { createGates, type Side } from '../support/gates.ts';
import { MAIL } from '../support/mailbox.ts';
import { accountIdOf, emailOf, populate, usernameOf } from '../support/population.ts';
import { openPostOffice } from '../support/post-office.ts';
import { createPerson, type Person, type World, world } from '../support/world.ts';
import { missedBy } from './containment.ts';
import { numbersFrom } from './random.ts';

vi.setConfig({ testTimeout: 300_000 });

const TOLD = { player: 'by sid', cinema: 'by sub' } as const;
const REASON = 'a database was lost';
const ACCOUNTS = 300;
const KILLS = 10;
/** What an incident of so few has to be cut into so that there is something to cut off. */
const SLOWLY = ['--accounts-per-second', '100', '--mails-per-minute', '6000'];

test.for(['everyone', 'a list'] as const)('%s, contained by a command that is killed at random', async (whom) => {
  const office = await openPostOffice();
  onTestFinished(() => office.close());
  const made = await commandWorld({
    configuration: { mail: { url: `smtp://127.0.0.1:${office.port}`, from: 'Curfew <no-reply@example.test>' } },
  });
  const { core, begin, run } = made;
  const hashed = await core.signIn.hashNewPassword({
    password: 'lantern over a quiet harbour',
    username: 'a',
    email: 'b',
  });
  await populate(core, {
    accounts: ACCOUNTS,
    clients: ['player', 'cinema', 'phone'],
    devices: 2,
    passwordHash: 'hash' in hashed ? hashed.hash : '',
    at: core.clock.now(),
    unlike: (nth) => ({
      ...(nth % 17 === 3 ? { password: false } : {}),
      ...(nth % 19 === 5 ? { email: false } : {}),
      ...(nth % 23 === 7 ? { disabled: true } : {}),
    }),
  });
  // Every second one of them; by name and by address in turn.
  const listed = Array.from({ length: ACCOUNTS / 2 }, (_, nth) => nth * 2);
  const names = listed.map((nth) => (nth % 4 === 0 || nth % 19 === 5 ? usernameOf(nth) : emailOf(nth)));
  const cohort = whom === 'everyone' ? ['--everyone'] : ['--account-file', made.file('list', names.join('\n'))];
  const random = numbersFrom(Date.now() % 1_000_000);
  const back: Back[] = [];

  let kills = 0;
  while (kills < KILLS) {
    const [incident] = await core.incidents.list(1);
    if (incident !== undefined && incident.finishedAt !== null) break;
    const order =
      incident === undefined
        ? ['open', '--reason', REASON, ...cohort, '--require-password-reset', '--notify', ...SLOWLY, '--yes']
        : ['resume', incident.id];
    const running = begin('incident', ...order, '--progress', 'json');
    if (!(await killed(running, { opens: incident === undefined, random }))) continue;
    kills += 1;
    if (incident === undefined && (await core.incidents.list(1)).length === 0) expect(await untouched(made)).toBe(true);
    if (kills % 3 === 0) {
      const nth = await somebodyContained(made);
      if (nth !== null) back.push(await comeBack(made, nth));
    }
  }
  expect(kills).toBeGreaterThan(KILLS / 2);
  const [incident] = await core.incidents.list(1);
  if (incident === undefined) throw new Error('nothing was opened');
  const ended = await run('incident', 'resume', incident.id, '--wait', '60', '--json');
  expect([ended.code, ended.stderr]).toEqual([0, expect.not.stringContaining('curfew:')]);
  const total = whom === 'everyone' ? ACCOUNTS + 2 : listed.length;
  expect(ended.json()).toMatchObject({ status: 'done', total, done: total, failed: 0, check: { missed: 0 } });
  await made.settle();
  await core.mails?.runUntilIdle();

  const about = { listed: whom === 'everyone' ? null : listed.map(accountIdOf), openedAt: incident.openedAt };
  expect(await missedBy(core.store, { ...about, reason: REASON, told: TOLD })).toEqual([]);
  // A death of the command repeats no mail, since it sends none; at most one a death is what is promised.
  const times = new Map<string, number>();
  for (const { messageId } of office.taken) times.set(messageId, (times.get(messageId) ?? 0) + 1);
  const extra = office.taken.length - times.size;
  expect(extra).toBeLessThanOrEqual(kills);
  expect(back.length).toBeGreaterThan(0);
  for (const each of back) await expectStayed(made, each);
  process.stdout.write(`${JSON.stringify({ whom, kills, missed: 0, mails: times.size, extra, back: back.length })}\n`);
});

/** Kills it after some of its progress, or after some time; false when it had ended before. */
async function killed(
  { process: child, ended }: Running,
  { opens, random }: { readonly opens: boolean; readonly random: (below: number) => number },
): Promise<boolean> {
  const lines = 1 + random(3);
  const moment =
    random(3) === 0
      ? pause(random(2500))
      : new Promise<void>((resolve) => {
          let said = '';
          child.stderr.on('data', (chunk: string) => {
            said += chunk;
            // Reading the list and writing down who is on it come before.
            const from = opens ? said.indexOf(' is open. ') : 0;
            if (from !== -1 && said.slice(from).split('"doing"').length > lines) resolve();
          });
        });
  await Promise.race([moment, ended]);
  const alive = child.exitCode === null && child.kill('SIGKILL');
  await ended;
  return alive;
}

/** Whether all of it stands as if nobody had asked for anything. */
async function untouched({ core: { store } }: CommandWorld): Promise<boolean> {
  const signOuts = await store.revocations.listSignOuts(5);
  const accounts = await store.accounts.list({ limit: ACCOUNTS + 2 });
  return signOuts.length === 0 && accounts.every(({ passwordResetRequiredAt }) => passwordResetRequiredAt === null);
}

/** Somebody with a password and an address, whose turn has come. */
async function somebodyContained({ core: { store } }: CommandWorld): Promise<number | null> {
  for (let nth = 0; nth < ACCOUNTS; nth += 2) {
    const account = await store.accounts.find(accountIdOf(nth));
    if (account?.status !== 'active' || account.passwordResetRequiredAt === null || account.password === null) continue;
    if (nth % 19 !== 5 && account.password.changedAt <= account.passwordResetRequiredAt) return nth;
  }
  return null;
}

/** Chooses another password by a link of afterwards, and signs in. */
async function comeBack(made: World, nth: number): Promise<Back> {
  const named = { id: accountIdOf(nth), username: usernameOf(nth), email: emailOf(nth) };
  const person = createPerson({ issuer: made.issuer, ...named, password: `seven lighthouses in the fog ${nth}` });
  return comeBackAs(made, person);
}

type Back = { readonly person: Person; readonly browser: Browser; readonly tokens: Tokens };

async function comeBackAs({ core, player }: World, person: Person): Promise<Back> {
  const { id: accountId, email } = person;
  const passwordChangedAt = (await core.accounts.find(accountId))?.passwordChangedAt?.toISOString() ?? null;
  const link = await core.links.mint({ accountId, purpose: { kind: 'reset-password', email, passwordChangedAt } });
  const browser = person.anotherBrowser();
  await browser.open(`/reset/confirm?link=${link}`);
  await browser.press('Change password', { password: person.password, signOutDevices: undefined });
  return { person, browser, tokens: await player.signIn(person, browser) };
}

/** Neither the device nor the password of somebody who has come back is taken from them again. */
async function expectStayed({ player }: World, { person, browser, tokens }: Back, where = ''): Promise<void> {
  expect(await player.refresh(tokens), where).toHaveProperty('access_token');
  await browser.open('/account');
  expect([where, browser.path]).toEqual([where, '/account']);
  const again = person.anotherBrowser();
  await again.open('/sign-in');
  await again.press('Sign in', { username: person.username, password: person.password });
  expect([where, again.path]).toEqual([where, '/account']);
}

const working = new AsyncLocalStorage<true>();
/** What an incident itself calls, and as often however many people there are; telling apps, which it sets off, goes on. */
const ITS_OWN = /^(cohorts|incidents)\.|^catalogue\.(fact|changeFact)$|^revocations\.(findSignOut|signOut)$/;

test.for(['everyone', 'a list'] as const)(
  '%s, left standing at every step and gone on with by another',
  async (whom) => {
    const gates = createGates(({ method }) => working.getStore() === true && ITS_OWN.test(method));
    const made = await world({ configuration: MAIL, seams: { wrapStore: gates.wrapStore } });
    const { core, player } = made;
    const { signal } = new AbortController();
    const carryOn = async (incident: Parameters<typeof core.incidents.carryOn>[0]) =>
      (await core.incidents.carryOn(incident, { signal, report: () => undefined })).outcome;

    const once = async (position: number, side: Side): Promise<boolean> => {
      const people = [await made.person(`crew-${side}-${position}`), await made.person(`mate-${side}-${position}`)];
      const [first] = people;
      if (first === undefined) throw new Error('nobody is there');
      const before = await player.signIn(first);
      const listed = whom === 'everyone' ? null : people.map(({ id }) => id);
      const [id, openedAt, reason] = [newIncidentId(), core.clock.now(), `${REASON}, ${side} ${position}`];
      const gate = gates.set(position, side);
      const run = working.run(true, async () => {
        const actions = { requirePasswordReset: true, disable: false, notify: true };
        const keys = { rotateSigningKeys: false, rotateSealingKeys: false, clientSecretsFile: null };
        const pace = { accountsPerSecond: null, mailsPerMinute: null };
        const meant = { conditions: {}, listed };
        const order = { id, openedAt, reason, meant, actions: { ...actions, ...keys }, pace };
        return carryOn(await core.incidents.begin(order, () => undefined));
      });
      const held = await Promise.race([gate.reached, run.then(() => undefined)]);
      const incident = await core.incidents.find(id);
      if (incident === null) {
        // It has been written down nowhere, or only whom it would be about.
        expect(await player.refresh(before)).toHaveProperty('access_token');
        gate.open();
        expect(await run).toBe('done');
      } else {
        expect(await carryOn(incident)).toBe('done');
      }
      await made.settle();
      const back = await comeBackAs(made, { ...first, password: 'seven lighthouses in the fog' });
      // It wakes up, and finds that it was overtaken.
      gate.open();
      expect(['done', 'overtaken']).toContain(await run);
      await made.settle();
      const about = { listed, openedAt, reason, told: TOLD };
      const where = held === undefined ? 'not held' : `${side} ${position}, ${held.method}`;
      expect(await missedBy(core.store, about), where).toEqual([]);
      await expectStayed(made, back, where);
      return held !== undefined;
    };
    let steps = 0;
    while (await once(steps, 'before')) steps += 1;
    await once(steps - 1, 'after');
    expect(steps).toBeGreaterThan(10);
  },
);
