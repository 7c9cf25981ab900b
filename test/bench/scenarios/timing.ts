/**
 * Whether the time an answer takes tells who has an account: the same request, for somebody and for nobody, in pairs.
 *
 * Figures are the probability that a stranger with a clock guesses right from one pair: a half is a coin, one is certainty.
 * Whichever of a pair comes first is drawn, so that whatever one leaves behind meets both alike. Each person is asked about
 * once: what counts attempts against an account must not be what is measured. Hashing is at its cheapest, which hides least.
 */
import type { Bench, Scenario } from '../bench.ts';
import type { Engine } from '../engines.ts';
import { freePort, usernameOf } from '../house.ts';
import { connectTo, type Endpoint } from '../load/endpoint.ts';
import { named } from '../results.ts';

const PAIRS = 2000;
const QUICK_PAIRS = 300;
const WARM_UP_PAIRS = 100;

type Surface = {
  readonly name: string;
  readonly path: string;
  readonly status: number;
  readonly fields: (username: string) => Record<string, string>;
};

const SURFACES: readonly Surface[] = [
  {
    name: 'sign-in',
    path: '/sign-in',
    status: 401,
    fields: (username) => ({ username, password: 'not the password of anybody' }),
  },
  { name: 'reset', path: '/reset', status: 200, fields: (username) => ({ username }) },
  { name: 'register', path: '/register', status: 200, fields: (username) => ({ email: `${username}@bench.test` }) },
];

async function timing(bench: Bench): Promise<void> {
  for (const engine of bench.engines) await timingOn(bench, engine);
}

async function timingOn({ options, results, apart, place, tell }: Bench, engine: Engine): Promise<void> {
  const pairs = options.quick ? QUICK_PAIRS : PAIRS;
  await apart(named('timing', engine), async (child) => {
    const port = await freePort();
    const configuration = { mail: { url: 'file:./mail', from: 'no-reply@bench.test' }, registration: 'open' };
    const people = pairs + WARM_UP_PAIRS;
    await child.ask('serveCurfew', { place: place(engine), port, cheapHashing: true, people, configuration });
    const endpoint = connectTo(`http://127.0.0.1:${port}`, () => child.usage());
    for (const surface of SURFACES) {
      tell(`  ${engine}, ${surface.name}, ${pairs} pairs`);
      const { itself, next } = await measure(endpoint, surface, pairs);
      results.value(named(`told by the time of ${surface.name}`, engine), itself, 'ratio');
      results.value(named(`told by the request after ${surface.name}`, engine), next, 'ratio');
    }
    await endpoint.close();
  });
}

type Sample = { readonly itself: number[]; readonly next: number[] };

/** How well somebody is told from nobody: by the request about them, and by one about nothing that comes right after. */
async function measure(
  endpoint: Endpoint,
  { path, status, fields }: Surface,
  pairs: number,
): Promise<{ readonly itself: number; readonly next: number }> {
  const page = await endpoint.get(path, { accept: 'text/html' });
  const csrf = /name="csrf"\s+value="([^"]+)"/.exec(page.text)?.[1] ?? '';
  const cookie = page.cookies.map((each) => each.split(';')[0]).join('; ');
  const headers = { accept: 'text/html', cookie, origin: endpoint.origin };
  const once = async (username: string, { itself, next }: Sample): Promise<void> => {
    const form = new URLSearchParams({ csrf, ...fields(username) }).toString();
    const began = performance.now();
    const reply = await endpoint.post(path, form, headers);
    const answered = performance.now();
    if (reply.status !== status) throw new Error(`${path} answered ${reply.status}: ${reply.text.slice(0, 300)}`);
    await endpoint.get('/signed-out', headers);
    itself.push(answered - began);
    next.push(performance.now() - answered);
  };
  let [somebody, nobody]: [Sample, Sample] = [empty(), empty()];
  for (let nth = 0; nth < pairs + WARM_UP_PAIRS; nth++) {
    if (nth === WARM_UP_PAIRS) [somebody, nobody] = [empty(), empty()];
    const both = [
      () => once(usernameOf(nth), somebody),
      // As long as the other: what is read and hashed is as much.
      () => once(usernameOf(nth).replace('person', 'nobody'), nobody),
    ];
    if (Math.random() < 0.5) both.reverse();
    for (const ask of both) await ask();
  }
  return { itself: told(somebody.itself, nobody.itself), next: told(somebody.next, nobody.next) };
}

const empty = (): Sample => ({ itself: [], next: [] });

/** The area under the curve of a guess by time alone, whichever way round the guess is better (Mann and Whitney's U). */
function told(some: readonly number[], others: readonly number[]): number {
  const sorted = others.toSorted((a, b) => a - b);
  const below = (value: number, including: boolean): number => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = sorted[middle] ?? Number.POSITIVE_INFINITY;
      if (at < value || (including && at === value)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const wins = some.reduce((sum, value) => sum + (below(value, false) + below(value, true)) / 2, 0);
  const area = wins / (some.length * others.length);
  return Math.max(area, 1 - area);
}

export const TIMING: readonly Scenario[] = [
  { name: 'timing', what: 'whether the time of an answer tells who has an account', run: timing },
];
