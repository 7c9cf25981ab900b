/** The store by itself, as the protocol uses it: 32 saves at once sharing commits, and finds. */
import type { ArtifactRecord } from '../../../src/store/records.ts';
import type { Place } from '../house.ts';
import { artifactOf, inBulk, openCore } from './core.ts';
import type { Rate } from '../measure.ts';
import { freshKeys } from './keys.ts';
import { ownRates, type Slicing } from './slicing.ts';

/** Found one after the other, so that the clock is not what is measured. */
const FINDS_AT_ONCE = 20;
const KEPT = 20_000;

export async function saveAndFind({
  place,
  ...slicing
}: Slicing & { place: Place }): Promise<{ save: Rate; find: Rate }> {
  const core = await openCore(place);
  const { artifacts } = core.store;
  // Made beforehand, but for the key: what is measured is keeping them.
  const made = Array.from({ length: KEPT }, (_, nth) =>
    artifactOf({ accountId: `account-${nth % 100}`, clientId: 'app', grantId: `grant-${nth % 1000}` }),
  );
  const [spare] = made;
  if (spare === undefined) throw new Error('nothing to keep');
  await inBulk(core, KEPT, (nth) => artifacts.save(made[nth] ?? spare));
  let nth = 0;
  const key = freshKeys();
  const next = (): ArtifactRecord => made[nth++ % KEPT] ?? spare;
  const [save, find] = await ownRates(
    [
      { lanes: 32, perform: () => artifacts.save({ ...next(), key: key() }) },
      {
        // SQLite answers before it is waited for; a server is asked by many who wait.
        lanes: core.config.store.engine === 'sqlite' ? 1 : 32,
        each: FINDS_AT_ONCE,
        async perform() {
          for (let each = 0; each < FINDS_AT_ONCE; each++) {
            if ((await artifacts.find(next().key, new Date())) === null) throw new Error('an artifact was not found');
          }
        },
      },
    ],
    slicing,
  );
  await core.close();
  if (save === undefined || find === undefined) throw new Error('nothing was measured');
  return { save, find };
}
