/** Rotating the keyring of a world as another process would: with a handle on the store and a keyring of its own. */
import { onTestFinished } from 'vitest';

import { createJournal } from '../../src/audit/journal.ts';
import type { Config } from '../../src/config.ts';
import { openStoreAndKeyring } from '../../src/open-store.ts';
import { type Clock, systemClock } from '../../src/platform/clock.ts';
import { createLog } from '../../src/platform/log.ts';
import { randomId } from '../../src/platform/random.ts';
import { createSealingKeys, type Rotated } from '../../src/resealing/rotation.ts';
import type { Store } from '../../src/store/port.ts';

/** Every server looks every two seconds, and has answered what it began before. */
const NOTICED_MS = 4000;

export async function rotator(
  { config }: { readonly config: Config },
  {
    wrapStore = (store) => store,
    clock = systemClock,
    noticedMs = NOTICED_MS,
  }: {
    readonly wrapStore?: (store: Store) => Store;
    readonly clock?: Clock;
    readonly noticedMs?: number;
  } = {},
) {
  const opened = await openStoreAndKeyring(config);
  const store = wrapStore(opened.store);
  const { keyring } = opened;
  onTestFinished(() => opened.store.close());
  const log = createLog({ level: 'silent', destination: { write: () => undefined } });
  const sealingKeys = createSealingKeys({
    catalogue: store.catalogue,
    leases: store.leases,
    seals: store.seals,
    journal: createJournal({ store: store.journal, keyring, clock, log }),
    keyring,
    keyringFile: config.keyringFile,
    clock,
    holder: randomId(),
    noticedMs,
  });
  return {
    store,
    keyring,
    sealingKeys,
    rotate: (options: { readonly keepOld?: boolean } = {}): Promise<Rotated> =>
      sealingKeys.rotate({ signal: new AbortController().signal, report: () => undefined, ...options }),
  };
}

/** A clock that is so much later: every lease of the dead is over. */
export const laterBy = (seconds: number): Clock => ({
  ...systemClock,
  now: () => new Date(Date.now() + seconds * 1000),
});
