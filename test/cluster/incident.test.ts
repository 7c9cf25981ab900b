/**
 * Once the command that ends everybody's access has returned, no process of several accepts anything of before: credentials
 * of every sort, some hundred, each asked at each of them before and after.
 */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { createClient } from '../support/client.ts';
import { acceptedOf, CODE_SECONDS, countOf, credentialsOf } from '../support/credentials.ts';
import { type Cluster, cluster } from './cluster.ts';

vi.setConfig({ testTimeout: 300_000 });

/** Each has 26 credentials. `npm run bench -- incident-probes` asks about ten thousand. */
const PEOPLE = 40;

let house: Cluster;
beforeAll(async () => {
  house = await cluster({ processes: 2 });
});
afterAll(() => house.stop());

test('after `curfew incident open --everyone` returns no process accepts anything of before', async () => {
  const { issuer, core, client } = house;
  const processes = house.processes.map(({ url }) => url);
  const clientAt = (origin: string, id: string) => createClient(origin, client(id).setup);
  const held = await credentialsOf({ issuer, core, client, clientAt }, PEOPLE);
  const lasting = held.credentials.filter(({ lasts }) => lasts);
  const spent = held.credentials.filter(({ lasts }) => !lasts);
  expect(countOf((await acceptedOf(lasting, processes)).accepted)).toBe(lasting.length * 2);
  const codes = await held.codes();
  const obtainedAt = Date.now();
  // What a yes uses up is asked about by its like, of the first of these people.
  const likes = [spent, codes].flatMap((each) => each.slice(0, each.length / PEOPLE));
  expect(countOf((await acceptedOf(likes, processes.slice(0, 1))).accepted)).toBe(likes.length);

  const order = ['--everyone', '--require-password-reset', '--reason', 'a database was lost', '--yes', '--json'];
  const ended = await house.command('incident', 'open', ...order);
  expect(ended.stderr).not.toContain('curfew:');
  expect(ended.json()).toMatchObject({ status: 'done', failed: 0 });
  const [signOut] = await core.store.revocations.listSignOuts(1);
  expect(Number(signOut?.at) - obtainedAt).toBeLessThan(CODE_SECONDS * 1000);
  const probed = [...lasting, ...spent, ...codes].filter((each) => !likes.includes(each));
  expect(await acceptedOf(probed, processes)).toEqual({ asked: probed.length * 2, accepted: {} });
});
