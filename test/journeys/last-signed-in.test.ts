/** When somebody last signed in is noted with each way in, and nobody is kept out because it could not be. */
import { expect, test } from 'vitest';

import { StoreUnavailable } from '../../src/store/port.ts';
import { world } from '../support/world.ts';

test('a sign-in is noted, in an app and here, and the latest of them stays', async () => {
  const { alice, bob, player, core, advance } = await world({ fakeTime: true });
  expect(await core.accounts.find(alice.id)).toMatchObject({ lastSignedInAt: null });
  const first = new Date();
  await player.signIn(alice);
  expect(await core.accounts.find(alice.id)).toMatchObject({ lastSignedInAt: first });
  advance(3600);
  await alice.signIn(alice.anotherBrowser());
  expect(await core.accounts.find(alice.id)).toMatchObject({ lastSignedInAt: new Date() });
  expect(await core.accounts.find(bob.id)).toMatchObject({ lastSignedInAt: null });
});

test('whoever cannot be noted comes in all the same, and the log says so', async () => {
  const { alice, player, core, logged } = await world({
    seams: {
      wrapStore: (store) => ({
        ...store,
        accounts: {
          ...store.accounts,
          noteSignIn: () => Promise.reject(new StoreUnavailable('note a sign-in')),
        },
      }),
    },
  });
  expect(await player.signIn(alice)).toHaveProperty('access_token');
  expect(await core.accounts.find(alice.id)).toMatchObject({ lastSignedInAt: null });
  expect(logged.filter((line) => line.includes('sign-in.not-noted'))).toHaveLength(1);
});
