/** Signing in from an app's link to its tokens, what its hash costs, and what a storm of it leaves to everybody else. */
import { type Bench, PEOPLE, type Scenario } from '../bench.ts';
import { freePort } from '../house.ts';
import { connectTo, type Endpoint } from '../load/endpoint.ts';
import { fullSignIn, refresh, signInAll } from '../load/loads.ts';
import { type Load, median, rateOf, runInTurn, runSlice, type Slice, warmUp } from '../measure.ts';
import { paceOf } from '../options.ts';
import type { Child } from '../process/children.ts';

/** Sign-ins under way at once. Half of them are enough that a hash is always waiting. */
const AT_ONCE = 8;

async function withoutHash(bench: Bench): Promise<void> {
  const { endpoint } = await bench.curfew();
  const load = fullSignIn(endpoint, { people: PEOPLE, lanes: AT_ONCE });
  const [rate] = await runInTurn([{ load, usage: endpoint.usage }], {
    ...paceOf(bench.options, 1.2),
    warmUpRequests: 500,
  });
  if (rate !== undefined) bench.results.rate('sign-in, without hash', rate);
}

async function withHash(bench: Bench): Promise<void> {
  const { options, results, apart, tell } = bench;
  // A slice must hold several hashes.
  const pace = { ...paceOf(options), slices: 3, sliceSeconds: options.quick ? 1 : 2 };
  await apart('hashing', async (hashing) =>
    apart('sign-in', async (child) => {
      const endpoint = await serve(bench, child);
      const load = fullSignIn(endpoint, { people: PEOPLE, lanes: AT_ONCE / 2 });
      await runSlice(load, pace.warmUpSeconds, endpoint.usage);
      const slices: Slice[] = [];
      const hashes: Slice[] = [];
      for (let nth = 0; nth < pace.slices; nth++) {
        tell(`  slice ${nth + 1} of ${pace.slices}`);
        slices.push(await runSlice(load, pace.sliceSeconds, endpoint.usage));
        hashes.push(...(await hashing.ask('hash', { seconds: pace.sliceSeconds })));
      }
      results.rate('argon2id', rateOf(hashes), { limit: true });
      results.rate('sign-in', rateOf(slices));
      results.share('sign-in', 'argon2id');
      await endpoint.close();
    }),
  );
}

/** Refreshes alone, and while more people sign in than can be hashed. */
async function storm(bench: Bench): Promise<void> {
  const { options, results, apart, tell } = bench;
  const pace = { ...paceOf(options, 1.5), slices: 3 };
  await apart('storm', async (child) => {
    const endpoint = await serve(bench, child);
    const refreshing = refresh(endpoint, await signInAll(endpoint));
    await warmUp(refreshing, pace);
    const [idle, stormy]: [Slice[], Slice[]] = [[], []];
    for (let nth = 0; nth < pace.slices; nth++) {
      tell(`  slice ${nth + 1} of ${pace.slices}`);
      idle.push(await runSlice(refreshing, pace.sliceSeconds, endpoint.usage));
      const gathered = gather(endpoint, nth);
      stormy.push(await runSlice(refreshing, pace.sliceSeconds, endpoint.usage));
      await gathered.over();
    }
    const [calm, rough] = [rateOf(idle), rateOf(stormy)];
    results.rate('refresh, nobody signing in', calm);
    results.rate('refresh, in a sign-in storm', rough);
    const shares = rough.slices.map(({ perSecond }, nth) => perSecond / (calm.slices[nth]?.perSecond ?? Number.NaN));
    results.value('refresh in a storm ÷ idle', median(shares), 'ratio');
    await endpoint.close();
  });
}

/** People who keep signing in until they are told that it is over. */
function gather(endpoint: Endpoint, nth: number): { over(): Promise<void> } {
  const load: Load = fullSignIn(endpoint, { people: PEOPLE, lanes: AT_ONCE });
  const calm = new AbortController();
  const lanes = Array.from({ length: load.lanes }, async (_, lane) => {
    while (!calm.signal.aborted) await load.perform(lane + nth);
  });
  return {
    async over() {
      calm.abort();
      await Promise.all(lanes);
    },
  };
}

async function serve(bench: Bench, child: Child): Promise<Endpoint> {
  const port = await freePort();
  await child.ask('serveCurfew', { folder: bench.folder(), port, cheapHashing: false, people: PEOPLE });
  return connectTo(`http://127.0.0.1:${port}`, bench.watch(child, 'memory, loaded and hashing'));
}

export const SIGN_INS: readonly Scenario[] = [
  { name: 'sign-in-without-hash', what: 'from link to tokens, hashing at its cheapest', run: withoutHash },
  { name: 'sign-in', what: 'from link to tokens, argon2id as configured by default', run: withHash },
  { name: 'storm', what: 'refreshes while many sign in', run: storm },
];
