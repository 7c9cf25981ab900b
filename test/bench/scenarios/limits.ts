/** What this machine can do at all: signatures, hashes, HTTP, durable rows. */
import type { Bench, Scenario } from '../bench.ts';
import { freePort } from '../house.ts';
import { connectTo } from '../load/endpoint.ts';
import { formPost } from '../load/loads.ts';
import { runInTurn } from '../measure.ts';
import { paceOf } from '../options.ts';
import { named } from '../results.ts';

const LIMIT = { limit: true };

async function signatures({ options, results, apart, tell }: Bench): Promise<void> {
  await apart('signing', async (child) => {
    for (const alg of ['ES256', 'EdDSA', 'RS256'] as const) {
      tell(`  signatures, ${alg}`);
      results.rate(`signature, ${alg}`, await child.ask('sign', { alg, pace: paceOf(options, 0.4) }), LIMIT);
    }
  });
}

async function http({ options, results, apart }: Bench): Promise<void> {
  await apart('koa', async (child) => {
    const port = await freePort();
    await child.ask('serveKoa', { port });
    const endpoint = connectTo(`http://127.0.0.1:${port}`, () => child.usage());
    const [rate] = await runInTurn([{ load: formPost(endpoint), usage: endpoint.usage }], paceOf(options, 0.8));
    if (rate !== undefined) results.rate('form post, bare Koa', rate, LIMIT);
    await endpoint.close();
  });
}

async function store({ options, results, apart, folder, engines, place, tell }: Bench): Promise<void> {
  const pace = paceOf(options, 0.6);
  tell('  rows, SQLite FULL');
  const rows = await apart('upserts', (child) => child.ask('upsert', { folder: folder(), pace }));
  results.rate('row, one a commit', rows.single, LIMIT);
  results.rate('row, 32 a commit', rows.grouped, LIMIT);
  for (const engine of engines) {
    tell(`  ${named('artifacts', engine)}`);
    const { save, find } = await apart(named('artifacts', engine), (child) =>
      child.ask('saveAndFind', { place: place(engine), pace }),
    );
    results.rate(named('artifact save, 32 at once', engine), save);
    results.rate(named('artifact find', engine), find);
  }
  results.share('artifact save, 32 at once', 'row, 32 a commit');
}

export const LIMITS: readonly Scenario[] = [
  { name: 'signatures', what: 'raw signatures', run: signatures },
  { name: 'http', what: 'a form post to bare Koa', run: http },
  { name: 'store', what: 'raw durable rows, and artifacts', run: store },
];
