/**
 * A Client made by command obeys the rules of those in the configuration.
 *
 * Purpose: one set of rules, wherever a Client is written down. Invariant: every problem is told at once, and none holds a
 * secret. It refuses to know where the Client will be kept.
 */
import { checkClients } from './check-clients.ts';
import { type ClientEntry, ClientMetadata } from './client-metadata.ts';
import type { ConfigProblem } from '../config.ts';
import { explain } from './explain.ts';

/** A Client fit to be kept, or what is wrong with it; paths are relative to the Client. */
export type NewClient =
  | { readonly client: ClientEntry; readonly warnings: readonly ConfigProblem[] }
  | { readonly problems: readonly ConfigProblem[] };

const PATH = 'clients[0].';

/** Checks one Client as written, its secret included. `allow` is `outbound.allow`; `known` the ids it may introspect. */
export function checkNewClient(
  written: Readonly<Record<string, unknown>>,
  { allow, known }: { readonly allow: readonly string[]; readonly known: readonly string[] },
): NewClient {
  const parsed = ClientMetadata.safeParse(written);
  if (!parsed.success) return { problems: explain(parsed.error, written, ClientMetadata) };
  const others = known.map((id) => ({ client_id: id }));
  const checked = checkClients([written, ...others], {
    allow,
    readSecret: () => ({ problem: 'cannot be read here', fix: 'remove it: a secret is generated' }),
  });
  const own = (found: readonly ConfigProblem[]): ConfigProblem[] =>
    found
      .filter(({ path }) => path.startsWith(PATH))
      .map(({ path, ...rest }) => ({ path: path.slice(PATH.length), ...rest }));
  const problems = own(checked.problems);
  const client = checked.clients[0];
  if (problems.length > 0 || client === undefined) return { problems };
  return { client, warnings: own(checked.warnings).filter(({ path }) => path !== 'client_secret') };
}
