/** The protocol's endpoints, each in turn with the bare library doing the same over a Map. */
import type { Bench, Peopled, Scenario } from '../bench.ts';
import { clientCredentials, codeExchange, introspection, refresh, userinfo } from '../load/loads.ts';
import { type Load, runInTurn } from '../measure.ts';
import { paceOf } from '../options.ts';
import { named } from '../results.ts';
import { MAP } from '../targets.ts';

async function beside(bench: Bench, id: string, load: (server: Peopled) => Load, scale = 1): Promise<void> {
  const servers = [await bench.mapProvider()];
  for (const engine of bench.engines) servers.push(await bench.curfew(engine));
  const [map, ...curfews] = await runInTurn(
    servers.map((server) => ({ load: load(server), usage: server.endpoint.usage })),
    paceOf(bench.options, scale),
  );
  for (const [nth, engine] of bench.engines.entries()) {
    const curfew = curfews[nth];
    if (curfew === undefined) throw new Error('nothing was measured');
    bench.results.rate(named(id, engine), curfew);
  }
  if (map === undefined) throw new Error('nothing was measured');
  bench.results.rate(MAP(id), map, { limit: true });
  bench.results.share(id, MAP(id));
  bench.results.share(id, 'form post, bare Koa');
}

/** Codes obtained for a second of slice: a little less than can be exchanged in it, so that the slice ends with the last. */
const CODES_PER_SECOND = 1000;

const endpoint = (name: string, what: string, load: (server: Peopled) => Load, scale?: number): Scenario => ({
  name,
  what,
  run: (bench) => beside(bench, name, load, scale),
});

export const ENDPOINTS: readonly Scenario[] = [
  endpoint('client-credentials', 'a token for the client itself', (server) => clientCredentials(server.endpoint)),
  endpoint('refresh', 'rotating, a chain for each connection', (server) => refresh(server.endpoint, server.tokens)),
  endpoint('introspection', 'without a hint', (server) => introspection(server.endpoint, server.tokens)),
  endpoint('userinfo', 'with profile and e-mail', (server) => userinfo(server.endpoint, server.tokens)),
  endpoint(
    'code-exchange',
    'codes obtained beforehand',
    ({ endpoint }) => codeExchange(endpoint, CODES_PER_SECOND),
    0.6,
  ),
];
