/** Telling Clients, over plain and over verified TLS connections that are kept alive. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Bench, Scenario } from '../bench.ts';
import { ownRoot } from '../load/certificate.ts';
import { openSink, type Sink } from '../load/sink.ts';
import { type Rate, rateOf, type Slice, type Usage } from '../measure.ts';
import { paceOf } from '../options.ts';
import { named } from '../results.ts';

const CLIENTS = 64;
/** More than can be told in the time of all slices. */
const MOST_PER_SECOND = 7000;

async function deliveries(bench: Bench): Promise<void> {
  const root = ownRoot('localhost');
  const folder = bench.folder();
  const authorities = join(folder, 'root.pem');
  writeFileSync(authorities, root.cert);
  for (const kind of ['http', 'https'] as const) {
    const sink = await openSink(kind === 'https' ? root : undefined);
    const uris = Array.from({ length: CLIENTS }, (_, nth) => `${sink.origins[nth % sink.origins.length]}/app-${nth}`);
    const env = { NODE_EXTRA_CA_CERTS: authorities };
    bench.tell(`  ${kind}, a signature and a post`);
    const raw = await bench.apart(
      `post-${kind}`,
      async (child) => {
        const pace = paceOf(bench.options);
        const seconds = pace.warmUpSeconds + pace.slices * pace.sliceSeconds + 1;
        const posting = child.ask('postRaw', { uris, seconds });
        const sampled = await sample(bench, sink, () => child.usage());
        await posting;
        return sampled;
      },
      { env },
    );
    bench.results.rate(`signed post, ${kind}`, raw, { limit: true });
    for (const engine of bench.engines) {
      bench.tell(`  ${kind}, ${named('Curfew', engine)}`);
      const rate = await bench.apart(
        named(`deliveries-${kind}`, engine),
        async (child) => {
          const pace = paceOf(bench.options);
          const owed = MOST_PER_SECOND * (pace.warmUpSeconds + pace.slices * pace.sliceSeconds);
          const perClient = Math.ceil(owed / CLIENTS);
          await child.ask('oweDeliveries', { place: bench.place(engine), uris, perClient });
          await child.ask('deliver');
          return sample(bench, sink, () => child.usage());
        },
        { env },
      );
      bench.results.rate(named(`deliveries, ${kind}`, engine), rate);
    }
    bench.results.share(`deliveries, ${kind}`, `signed post, ${kind}`);
    await sink.close();
  }
}

/** Slices of what arrives, once it flows. */
async function sample({ options }: Bench, sink: Sink, usage: () => Promise<Usage>): Promise<Rate> {
  const { slices: count, sliceSeconds, warmUpSeconds } = paceOf(options);
  await passing(warmUpSeconds);
  const slices: Slice[] = [];
  for (let nth = 0; nth < count; nth++) {
    const before = { ...(await usage()), heard: sink.heard(), at: performance.now() };
    await passing(sliceSeconds);
    const after = { ...(await usage()), heard: sink.heard(), at: performance.now() };
    slices.push({
      done: after.heard - before.heard,
      seconds: (after.at - before.at) / 1000,
      cpuSeconds: after.cpuSeconds - before.cpuSeconds,
      latencies: [],
    });
  }
  return rateOf(slices);
}

const passing = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

export const DELIVERIES: readonly Scenario[] = [
  { name: 'deliveries', what: 'to many clients, connections kept alive', run: deliveries },
];
