/** Ten thousand credentials of every sort, asked at two processes before and after everybody's access was ended. */
import { createClient } from '../../support/client.ts';
import { acceptedOf, CODE_SECONDS, countOf, credentialsOf } from '../../support/credentials.ts';
import type { Bench } from '../bench.ts';
import type { Engine } from '../engines.ts';
import { CHEAP_HASHING, freePort, SECRET, writeConfiguration } from '../house.ts';
import { runCommand } from '../load/command.ts';
import { openCore } from '../process/core.ts';
import { named } from '../results.ts';

/** Each has 21, and the first of them a television besides. */
const PEOPLE = 468;
const QUICK_PEOPLE = 40;

const code = { response_types: ['code'], grant_types: ['authorization_code', 'refresh_token'] };
const none = { redirect_uris: [], response_types: [] };
const CLIENTS = [
  {
    client_id: 'player',
    client_secret: SECRET,
    first_party: true,
    ...code,
    redirect_uris: ['http://player.test/callback'],
  },
  {
    client_id: 'phone',
    token_endpoint_auth_method: 'none',
    first_party: true,
    ...code,
    redirect_uris: ['http://phone.test/callback'],
  },
  {
    client_id: 'tv',
    client_name: 'Television',
    token_endpoint_auth_method: 'none',
    first_party: true,
    ...none,
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
  },
  {
    client_id: 'library',
    client_secret: SECRET,
    first_party: true,
    introspects: 'all',
    ...none,
    grant_types: ['client_credentials'],
  },
];

export async function probes(bench: Bench): Promise<void> {
  for (const engine of bench.engines) await probesOn(bench, engine);
}

async function probesOn({ options, results, apart, place: placeOn, tell }: Bench, engine: Engine): Promise<void> {
  const people = options.quick ? QUICK_PEOPLE : PEOPLE;
  tell(`  on ${engine}: what ${people} people hold`);
  const place = placeOn(engine);
  const configuration = { clients: CLIENTS, passwordHashing: CHEAP_HASHING };
  const [port, other] = [await freePort(), await freePort()];
  const issuer = `http://127.0.0.1:${port}`;
  await apart(named('probes', engine), (one) =>
    apart(named('probes', engine), async (two) => {
      const serve = { place, cheapHashing: true };
      const { passwordHashing: _cheap, ...own } = configuration;
      await one.ask('serveWatched', { ...serve, port, configuration: own });
      await two.ask('serveWatched', { ...serve, port: other, configuration: { ...own, issuer } });
      const configFile = writeConfiguration(place, { port, ...own });
      const core = await openCore(place, { port, ...own });
      const client = (id: string, origin = issuer) =>
        createClient(origin, CLIENTS.find(({ client_id }) => client_id === id) ?? { client_id: id });
      try {
        const where = { issuer, core, client, clientAt: (origin: string, id: string) => client(id, origin) };
        const held = await credentialsOf(where, people);
        const processes = [issuer, `http://127.0.0.1:${other}`];
        const lasting = held.credentials.filter(({ lasts }) => lasts);
        tell(`  on ${engine}: ${lasting.length} of them before`);
        const before = await acceptedOf(lasting, processes);
        const good = countOf(before.accepted);
        if (good !== before.asked) throw new Error(`only ${good} of ${before.asked} were good to begin with`);
        const codes = await held.codes();
        const obtainedAt = Date.now();
        const order = ['--everyone', '--require-password-reset', '--reason', 'A database was lost', '--yes'];
        const ended = await runCommand(configFile, ['incident', 'open', ...order, '--wait', '0']);
        if (ended.code !== 0) throw new Error(`the command ended with ${ended.code}: ${ended.complaints}`);
        const [signOut] = await core.store.revocations.listSignOuts(1);
        if (Number(signOut?.at) - obtainedAt > CODE_SECONDS * 1000) throw new Error('codes had expired by themselves');
        const credentials = [...held.credentials, ...codes];
        tell(`  on ${engine}: ${credentials.length} after`);
        const after = await acceptedOf(credentials, processes);
        const bad = countOf(after.accepted);
        results.value(named('probes, credentials', engine), credentials.length, 'count');
        results.value(named('probes, asked', engine), after.asked, 'count');
        results.value(named('probes, accepted', engine), bad, 'count');
        if (bad > 0) tell(`  accepted: ${JSON.stringify(after.accepted)}`);
      } finally {
        await core.close();
      }
    }),
  );
}
