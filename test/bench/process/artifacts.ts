/** The store by itself, as the protocol uses it: 32 saves at once sharing commits, and finds. */
import { artifactOf, inBulk, openCore } from './core.ts';
import type { Rate } from '../measure.ts';
import { ownRates, type Slicing } from './slicing.ts';

const FINDS_AT_ONCE = 20;
const KEPT = 5000;

export async function saveAndFind({
  folder,
  ...slicing
}: Slicing & { folder: string }): Promise<{ save: Rate; find: Rate }> {
  const core = await openCore(folder);
  const { artifacts } = core.store;
  const of = (nth: number) => ({ accountId: `account-${nth % 100}`, clientId: 'app', grantId: `grant-${nth % 1000}` });
  let nth = 0;
  const keys: Uint8Array[] = [];
  await inBulk(KEPT, async (at) => {
    const artifact = artifactOf(of(at));
    keys.push(artifact.key);
    await artifacts.save(artifact);
  });
  const [save, find] = await ownRates(
    [
      { lanes: 32, perform: () => artifacts.save(artifactOf(of(nth++))) },
      {
        lanes: 1,
        each: FINDS_AT_ONCE,
        async perform() {
          for (let each = 0; each < FINDS_AT_ONCE; each++) {
            const found = await artifacts.find(keys[nth++ % KEPT] ?? Buffer.alloc(32), new Date());
            if (found === null) throw new Error('an artifact was not found');
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
