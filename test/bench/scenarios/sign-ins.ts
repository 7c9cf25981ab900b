/** Signing in from an app's link to its tokens, what its hash costs, and what a storm of it leaves to everybody else. */
import { type Bench, PEOPLE, type Scenario } from '../bench.ts';
import type { Engine } from '../engines.ts';
import { freePort } from '../house.ts';
import { connectTo, type Endpoint } from '../load/endpoint.ts';
import { fullSignIn, refresh, signInAll } from '../load/loads.ts';
import { type Load, median, rateOf, runInTurn, runSlice, type Slice, warmUp } from '../measure.ts';
import { paceOf } from '../options.ts';
import { named } from '../results.ts';
import type { Child } from '../process/children.ts';

/** Sign-ins under way at once. Half of them are enough that a hash is always waiting. */
const AT_ONCE = 8;

async function withoutHash(bench: Bench): Promise<void> {
  const loads = [];
  for (const engine of bench.engines) {
    const { endpoint } = await bench.curfew(engine);
    loads.push({ load: fullSignIn(endpoint, { people: PEOPLE, lanes: AT_ONCE }), usage: endpoint.usage });
  }
  const rates = await runInTurn(loads, { ...paceOf(bench.options, 1.2), warmUpRequests: 500 });
  for (const [nth, engine] of bench.engines.entries()) {
    const rate = rates[nth];
    if (rate !== undefined) bench.results.rate(named('sign-in, without hash', engine), rate);
  }
}

async function withHash(bench: Bench): Promise<void> {
  for (const engine of bench.engines) await withHashOn(bench, engine);
}

async function withHashOn(bench: Bench, engine: Engine): Promise<void> {
  const { options, results, apart, tell } = bench;
  // A slice must hold several hashes.
  const pace = { ...paceOf(options), slices: 3, sliceSeconds: options.quick ? 1 : 2 };
  await apart('hashing', async (hashing) =>
    apart(named('sign-in', engine), async (child) => {
      const endpoint = await serve(bench, child, engine);
      const load = fullSignIn(endpoint, { people: PEOPLE, lanes: AT_ONCE / 2 });
      await runSlice(load, pace.warmUpSeconds, endpoint.usage);
      const slices: Slice[] = [];
      const hashes: Slice[] = [];
      for (let nth = 0; nth < pace.slices; nth++) {
        tell(`  ${engine}, slice ${nth + 1} of ${pace.slices}`);
        slices.push(await runSlice(load, pace.sliceSeconds, endpoint.usage));
        hashes.push(...(await hashing.ask('hash', { seconds: pace.sliceSeconds })));
      }
      results.rate(named('argon2id', engine), rateOf(hashes), { limit: true });
      results.rate(named('sign-in', engine), rateOf(slices));
      results.share(named('sign-in', engine), named('argon2id', engine));
      await endpoint.close();
    }),
  );
}

/** Refreshes alone, and while more people sign in than can be hashed. */
async function storm(bench: Bench): Promise<void> {
  for (const engine of bench.engines) await stormOn(bench, engine);
}

async function stormOn(bench: Bench, engine: Engine): Promise<void> {
  const { options, results, apart, tell } = bench;
  const pace = { ...paceOf(options, 1.5), slices: 3 };
  await apart(named('storm', engine), async (child) => {
    const endpoint = await serve(bench, child, engine);
    const refreshing = refresh(endpoint, await signInAll(endpoint));
    await warmUp(refreshing, pace);
    const [idle, stormy]: [Slice[], Slice[]] = [[], []];
    for (let nth = 0; nth < pace.slices; nth++) {
      tell(`  ${engine}, slice ${nth + 1} of ${pace.slices}`);
      idle.push(await runSlice(refreshing, pace.sliceSeconds, endpoint.usage));
      const gathered = gather(endpoint, nth);
      stormy.push(await runSlice(refreshing, pace.sliceSeconds, endpoint.usage));
      await gathered.over();
    }
    const [calm, rough] = [rateOf(idle), rateOf(stormy)];
    results.rate(named('refresh, nobody signing in', engine), calm);
    results.rate(named('refresh, in a sign-in storm', engine), rough);
    const shares = rough.slices.map(({ perSecond }, nth) => perSecond / (calm.slices[nth]?.perSecond ?? Number.NaN));
    results.value(named('refresh in a storm ÷ idle', engine), median(shares), 'ratio');
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

async function serve(bench: Bench, child: Child, engine: Engine): Promise<Endpoint> {
  const port = await freePort();
  await child.ask('serveCurfew', { place: bench.place(engine), port, cheapHashing: false, people: PEOPLE });
  return connectTo(`http://127.0.0.1:${port}`, bench.watch(child, named('memory, loaded and hashing', engine)));
}

export const SIGN_INS: readonly Scenario[] = [
  { name: 'sign-in-without-hash', what: 'from link to tokens, hashing at its cheapest', run: withoutHash },
  { name: 'sign-in', what: 'from link to tokens, argon2id as configured by default', run: withHash },
  { name: 'storm', what: 'refreshes while many sign in', run: storm },
];
