/**
 * Once the command that ends everybody's access has returned, nothing of before is accepted by any process: credentials of
 * every sort, some hundred, each asked before and after. What a yes would use up is asked about beforehand by its like.
 */
import { expect, onTestFinished, test, vi } from 'vitest';

import { createLog } from '../../src/platform/log.ts';
import { startServer } from '../../src/server.ts';
import { commandWorld } from '../commands/support.ts';
import { createClient } from '../support/client.ts';
import { acceptedOf, CODE_SECONDS, countOf, credentialsOf } from '../support/credentials.ts';
import { freePort } from '../support/world.ts';

vi.setConfig({ testTimeout: 300_000 });

/** Each has 26 credentials. `npm run bench -- incident-probes` asks about ten thousand. */
const PEOPLE = 40;

const COMMANDS = [
  ['incident open', ['incident', 'open', '--everyone', '--require-password-reset', '--reason', 'a database was lost']],
  ['sign-out', ['sign-out', '--everyone']],
] as const;

test.for(COMMANDS)('after `curfew %s --everyone` returns nothing of before is accepted', async ([, words]) => {
  const made = await commandWorld();
  const { issuer, core, config, client } = made;
  // Another process of the installation, as far as anybody can tell: nothing is shared but the store and the keyring.
  const port = await freePort();
  const other = await startServer({ ...config, listen: { ...config.listen, port } }, createLog({ level: 'silent' }), {
    hashFloor: config.passwordHashing,
  });
  onTestFinished(() => other.stop());
  const processes = [issuer, `http://localhost:${port}`];
  const where = {
    issuer,
    core,
    client,
    clientAt: (origin: string, id: string) => createClient(origin, client(id).setup),
  };
  const held = await credentialsOf(where, PEOPLE);
  const lasting = held.credentials.filter(({ lasts }) => lasts);
  const spent = held.credentials.filter(({ lasts }) => !lasts);
  const control = await acceptedOf(lasting, processes);
  expect([control.asked, countOf(control.accepted)]).toEqual(Array(2).fill(lasting.length * processes.length));
  const codes = await held.codes();
  const obtainedAt = Date.now();
  // One of each sort by its like: it would not be there to be asked about afterwards.
  const likes = [spent, codes].flatMap((each) => each.slice(0, each.length / PEOPLE));
  expect(countOf((await acceptedOf(likes, [issuer])).accepted)).toBe(likes.length);

  const ended = await made.run(...words, '--yes', '--json');
  expect([ended.code, ended.stderr]).toEqual([expect.any(Number), expect.not.stringContaining('curfew:')]);
  const [signOut] = await core.store.revocations.listSignOuts(1);
  // Only what was still good by itself when access ended says anything.
  expect(Number(signOut?.at) - obtainedAt).toBeLessThan(CODE_SECONDS * 1000);
  const probed = [...lasting, ...spent, ...codes].filter((each) => !likes.includes(each));
  const after = await acceptedOf(probed, processes);
  expect(after).toEqual({ asked: probed.length * processes.length, accepted: {} });
  process.stdout.write(
    `${JSON.stringify({ command: words[0], credentials: probed.length, asked: after.asked, accepted: 0 })}\n`,
  );
});
