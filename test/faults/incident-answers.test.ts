/** An incident whose store does what it is asked, and whose answers get lost on the way. */
import { expect, test } from 'vitest';

import { newIncidentId } from '../../src/compose.ts';
import { type Store, StoreUnavailable } from '../../src/store/port.ts';
import { type World, world } from '../support/world.ts';

/** Contains one account by an incident, over such a store. */
async function contained(wrapStore: (store: Store) => Store) {
  const made = await world({ seams: { wrapStore } });
  const { core, alice } = made;
  const opened = await core.incidents.begin(
    {
      id: newIncidentId(),
      openedAt: core.clock.now(),
      reason: 'a database was lost',
      meant: { conditions: {}, listed: [alice.id] },
      actions: {
        requirePasswordReset: true,
        disable: false,
        notify: false,
        rotateSigningKeys: false,
        rotateSealingKeys: false,
        clientSecretsFile: null,
      },
      pace: { accountsPerSecond: null, mailsPerMinute: null },
    },
    () => undefined,
  );
  const { signal } = new AbortController();
  const { outcome, incident } = await core.incidents.carryOn(opened, { signal, report: () => undefined });
  return { made, outcome, missed: incident.check?.missed };
}

const recorded = async ({ core, alice }: World): Promise<number> =>
  (await core.store.journal.eventsOf(alice.id, { limit: 99, kinds: ['account.contained'] })).length;

test('goes on where how far it has come was written and not answered: nobody has taken it over', async () => {
  let lost = 0;
  const { made, outcome, missed } = await contained((store) => ({
    ...store,
    incidents: {
      ...store.incidents,
      async change(change) {
        const changed = await store.incidents.change(change);
        // The first that says how far the walk is.
        if (lost > 0 || !/"name":"contain","status":"running","cursor":"/.test(change.state)) return changed;
        lost += 1;
        throw new StoreUnavailable('note how far an incident is');
      },
    },
  }));
  expect([lost, outcome, missed]).toEqual([1, 'done', 0]);
  expect(await recorded(made)).toBe(1);
});

test('has it on the record whom it contained where that was done and not answered', async () => {
  let lost = 0;
  const { made, outcome, missed } = await contained((store) => ({
    ...store,
    cohorts: {
      ...store.cohorts,
      async contain(batch) {
        const answers = await store.cohorts.contain(batch);
        if (lost > 0) return answers;
        lost += 1;
        throw new StoreUnavailable('contain accounts');
      },
    },
  }));
  expect([lost, outcome, missed]).toEqual([1, 'done', 0]);
  expect(await recorded(made)).toBe(1);
});
