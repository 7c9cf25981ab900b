/**
 * The specification of the store's port, as tests. Every engine runs it against data of its own and is expected to pass
 * all of it; nothing here knows which engine it speaks to. A race is two handles on the same data, as two processes
 * would hold them, asked at once; which of them wins is never assumed, only that exactly one does.
 */
import { describe, test as plainTest } from 'vitest';
import type { Store } from '../../src/store/port.ts';
import { accountsConformance } from './conformance/accounts.ts';
import { aliveConformance } from './conformance/alive.ts';
import { artifactsConformance } from './conformance/artifacts.ts';
import { catalogueConformance } from './conformance/catalogue.ts';
import { clientSessionsConformance } from './conformance/client-sessions.ts';
import { closingConformance } from './conformance/closing.ts';
import { cohortsConformance } from './conformance/cohorts.ts';
import { containingConformance } from './conformance/containing.ts';
import { copyingConformance } from './conformance/copying.ts';
import { credentialsConformance } from './conformance/credentials.ts';
import { deliveriesConformance } from './conformance/deliveries.ts';
import { fanOutConformance } from './conformance/fan-out.ts';
import { federationConformance } from './conformance/federation.ts';
import { housekeepingConformance } from './conformance/housekeeping.ts';
import { identifiersConformance } from './conformance/identifiers.ts';
import { chainConformance } from './conformance/chain.ts';
import { incidentsConformance } from './conformance/incidents.ts';
import { journalConformance } from './conformance/journal.ts';
import { leasesConformance } from './conformance/leases.ts';
import { outboxConformance } from './conformance/outbox.ts';
import { sealsConformance } from './conformance/seals.ts';
import { sharingConformance } from './conformance/sharing.ts';
import { signOutsConformance } from './conformance/sign-outs.ts';
import { sparingConformance } from './conformance/sparing.ts';
import { throttlingConformance } from './conformance/throttling.ts';
import { transferConformance } from './conformance/transfer.ts';

/** One set of data. `open` may be called again and again: each handle is independent, as another process's would be. */
export type StoreData = { open(): Promise<Store>; dispose(): Promise<void> };

type Fixtures = { data: StoreData; store: Store; other: Store; elsewhere: Store };

const storeTest = (makeStore: () => Promise<StoreData>) =>
  plainTest.extend<Fixtures>({
    // Clean-up runs last in, first out: handles close before their data goes.
    data: async ({ onTestFinished }, use) => {
      const data = await makeStore();
      onTestFinished(() => data.dispose());
      const open = async (): Promise<Store> => {
        const store = await data.open();
        onTestFinished(() => store.close());
        return store;
      };
      await use({ ...data, open });
    },
    store: async ({ data }, use) => use(await data.open()),
    other: async ({ data }, use) => use(await data.open()),
    elsewhere: async ({ onTestFinished }, use) => {
      const data = await makeStore();
      onTestFinished(() => data.dispose());
      const store = await data.open();
      onTestFinished(() => store.close());
      await use(store);
    },
  });

/** A test of the port: `store` and `other` are two handles on the same fresh `data`, `elsewhere` is one on data of its own. */
export type StoreTest = ReturnType<typeof storeTest>;

export function storeConformance(name: string, makeStore: () => Promise<StoreData>): void {
  const test = storeTest(makeStore);
  describe(name, () => {
    describe('accounts', () => accountsConformance(test));
    describe('identifiers, resets and languages', () => identifiersConformance(test));
    describe('credentials', () => credentialsConformance(test));
    describe('throttling', () => throttlingConformance(test));
    describe('the catalogue', () => catalogueConformance(test));
    describe('artifacts', () => artifactsConformance(test));
    describe('what keeps an artifact alive', () => aliveConformance(test));
    describe('federation', () => federationConformance(test));
    describe('sign-outs', () => signOutsConformance(test));
    describe('sparing', () => sparingConformance(test));
    describe('client sessions', () => clientSessionsConformance(test));
    describe('fan-out', () => fanOutConformance(test));
    describe('deliveries', () => deliveriesConformance(test));
    describe('the outbox', () => outboxConformance(test));
    describe('the journal', () => journalConformance(test));
    describe('the chain of events', () => chainConformance(test));
    describe('what is sealed', () => sealsConformance(test));
    describe('housekeeping', () => housekeepingConformance(test));
    describe('sharing', () => sharingConformance(test));
    describe('leases', () => leasesConformance(test));
    describe('cohorts', () => cohortsConformance(test));
    describe('containing', () => containingConformance(test));
    describe('incidents', () => incidentsConformance(test));
    describe('transfer', () => transferConformance(test));
    describe('copying', () => copyingConformance(test));
    describe('closing', () => closingConformance(test));
  });
}
