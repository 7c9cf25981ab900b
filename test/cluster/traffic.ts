/**
 * People coming and going without a pause, and a ledger of what they were promised: every answer that said yes, kept
 * outside of what is on trial. Answers that said "not now" promise nothing, and are counted.
 */
import { decodeJwt } from 'jose';
import { expect } from 'vitest';

import type { Browser } from '../support/browser.ts';
import type { Client, Tokens } from '../support/client.ts';
import type { Person } from '../support/world.ts';
import { type Cluster, copyOf } from './cluster.ts';

type Device = { readonly client: Client; tokens: Tokens; uncertain: boolean };
type SignedOut = { readonly person: Person; readonly browser: Browser; readonly devices: readonly Device[] };

export type Traffic = {
  /** How many come and go at the same time. */
  readonly people: number;
  /** How many answers there were of each kind so far. */
  readonly counts: { refreshes: number; signIns: number; signOuts: number; unanswered: number };
  /** Resolves when this has come true; rejects as soon as somebody was failed. */
  until(condition: () => boolean): Promise<void>;
  /** Nobody begins anything any more; resolves when everybody has their last answer. */
  stop(): Promise<void>;
  /** Everything that was promised is kept, as every process sees it. */
  expectKept(): Promise<void>;
};

/**
 * `patient`: where an answer does not come or says "not now", it was to be expected. Without that, it is a failure of
 * whoever waits for it.
 */
export async function startTraffic(house: Cluster, { patient }: { readonly patient: boolean }): Promise<Traffic> {
  const counts = { refreshes: 0, signIns: 0, signOuts: 0, unanswered: 0 };
  const devices: Device[] = [];
  const signedOut: SignedOut[] = [];
  const stopping = new AbortController();

  const trying = async (work: () => Promise<void>): Promise<void> => {
    if (!patient) return work();
    try {
      await work();
    } catch {
      counts.unanswered += 1;
    }
  };
  const signIn = async (person: Person, id: string, browser: Browser): Promise<Device> => {
    const client = house.client(id);
    const device = { client, tokens: await client.signIn(person, browser), uncertain: false };
    counts.signIns += 1;
    return device;
  };
  const keepRefreshing = async (person: Person, id: string): Promise<void> => {
    let device: Device | undefined;
    while (!stopping.signal.aborted) {
      await trying(async () => {
        if (device === undefined || device.uncertain) {
          device = await signIn(person, id, person.anotherBrowser());
          devices.push(device);
        }
        // Until there is an answer, nobody knows whether the old token is spent.
        device.uncertain = true;
        const next = await device.client.refresh(device.tokens);
        if ('error' in next) throw new Error(`a refresh was refused: ${next.error}`);
        device.tokens = next;
        device.uncertain = false;
        counts.refreshes += 1;
      });
    }
  };
  const keepSigningIn = async (person: Person): Promise<void> => {
    while (!stopping.signal.aborted) {
      await trying(async () => void devices.push(await signIn(person, 'theatre', person.anotherBrowser())));
    }
  };
  const keepSigningOut = async (person: Person): Promise<void> => {
    while (!stopping.signal.aborted) {
      const mine: Device[] = [];
      await trying(async () => {
        const browser = person.anotherBrowser();
        for (const id of ['player', 'theatre']) mine.push(await signIn(person, id, browser));
        await browser.open('/account/security');
        const kept = copyOf(browser);
        await browser.press('Sign out of all devices');
        if (browser.heading !== 'Access has ended') throw new Error(`no sign-out: ${browser.page.status}`);
        signedOut.push({ person, browser: kept, devices: mine });
        counts.signOuts += 1;
      });
    }
  };

  const people = await Promise.all(['alice', 'bob', 'carol', 'dora', 'erin'].map((name) => house.person(name)));
  const [alice, bob, carol, dora, erin] = people;
  if (!alice || !bob || !carol || !dora || !erin) throw new Error('somebody is missing');
  const all = [
    ...['player', 'phone', 'radio'].map((id) => keepRefreshing(alice, id)),
    ...[bob, carol].map(keepSigningIn),
    ...[dora, erin].map(keepSigningOut),
  ];
  // Looked at by whoever stops it; until then a failure is nobody's.
  const over = Promise.all(all);
  over.catch(() => {});
  return {
    people: all.length,
    counts,
    async until(condition) {
      const waiting = async (): Promise<void> => {
        await expect.poll(condition, { timeout: 20_000, interval: 20 }).toBe(true);
      };
      await Promise.race([waiting(), over.then(waiting)]);
    },
    async stop() {
      stopping.abort();
      await over;
    },
    async expectKept() {
      const library = house.client('library');
      const active = async ({ tokens }: Device): Promise<boolean> =>
        (await library.introspect(tokens.refresh_token)).active;
      const alive = devices.filter(({ uncertain }) => !uncertain);
      expect(await Promise.all(alive.map(active))).toEqual(alive.map(() => true));
      const refreshed = await Promise.all(alive.map(({ client, tokens }) => client.refresh(tokens)));
      expect(refreshed.filter((answer) => 'error' in answer)).toEqual([]);
      await Promise.all(
        signedOut.map(async ({ browser, devices: dead }) => {
          expect(await Promise.all(dead.map(active))).toEqual(dead.map(() => false));
          await browser.open('/account');
          expect(browser.path).toMatch(/^\/sign-in/);
        }),
      );
      await house.settled();
      // Of one person's sign-outs each tells of its own devices; all were told of by `sid`.
      const told = house.ears.heard.map(({ client, claims }) => `${client} ${String(claims['sid'])}`);
      for (const { client, tokens } of signedOut.flatMap(({ devices }) => devices)) {
        expect(told).toContain(`${client.id} ${String(decodeJwt(tokens.id_token)['sid'])}`);
      }
    },
  };
}
