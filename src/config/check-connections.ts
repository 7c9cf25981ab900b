/**
 * What must be true of Connections together, and the files they name.
 *
 * Invariant: every Connection is looked at, whatever is wrong with the others, and no message holds a secret. It refuses to
 * know how a file is read, and what metadata say: whoever knows hands in a judge.
 */
import type { ConfigProblem } from '../config.ts';
import type { ReadSecret } from './check-clients.ts';
import { Connection, type ConnectionEntry } from './connections.ts';

/** Reads a text file: all of it, or why not. */
export type ReadText = (file: string) => { readonly text: string } | { readonly problem: string; readonly fix: string };

/** Says what is wrong with what the files of a SAML connection hold, field by field. */
export type JudgeFiles = (files: {
  readonly metadata?: string | undefined;
  readonly metadataCertificate?: string | undefined;
  readonly entityId?: string | undefined;
}) => readonly {
  readonly field: string;
  readonly problem: string;
  readonly fix: string;
  readonly stopsStart: boolean;
}[];

/** Checks the `connections` of a configuration, as written, and that Clients name only those there are. */
export function checkConnections(
  written: unknown,
  clients: unknown,
  {
    readSecret,
    readText,
    judgeFiles,
  }: { readonly readSecret: ReadSecret; readonly readText: ReadText; readonly judgeFiles: JudgeFiles },
): {
  readonly connections: ConnectionEntry[];
  readonly problems: ConfigProblem[];
  readonly warnings: ConfigProblem[];
} {
  const list: unknown[] = Array.isArray(written) ? written : [];
  const ids = list.map((each) => textIn(each, 'id'));
  const problems: ConfigProblem[] = [...unknownConnections(clients, ids), ...domainsClaimedTwice(list)];
  const warnings: ConfigProblem[] = [];
  const connections = list.flatMap((each, at): ConnectionEntry[] => {
    const path = `connections[${at}]`;
    const first = ids.indexOf(ids[at]);
    if (ids[at] !== undefined && first < at) {
      const problem = `is already the id of connections[${first}]`;
      problems.push({ path: `${path}.id`, problem, fix: 'give each connection its own' });
    }
    const read = (field: string, from: ReadSecret | ReadText): string | undefined => {
      const file = textIn(each, field);
      if (file === undefined || file === '') return undefined;
      const found = from(file);
      if ('problem' in found) problems.push({ path: `${path}.${field}`, problem: found.problem, fix: found.fix });
      return 'secret' in found ? found.secret : 'text' in found ? found.text : undefined;
    };
    const clientSecret = read('clientSecretFile', readSecret);
    const metadata = read('metadataFile', readText);
    const metadataCertificate = read('metadataCertificateFile', readText);
    const entityId = textIn(each, 'entityId');
    for (const { field, problem, fix, stopsStart } of judgeFiles({ metadata, metadataCertificate, entityId })) {
      (stopsStart ? problems : warnings).push({ path: `${path}.${field}`, problem, fix });
    }
    const parsed = Connection.safeParse(each);
    if (!parsed.success) return [];
    if (parsed.data.type === 'oidc') {
      const { clientSecretFile: _, ...connection } = parsed.data;
      return [{ ...connection, clientSecret }];
    }
    const { metadataFile: _file, metadataCertificateFile: _certificate, ...connection } = parsed.data;
    return [{ ...connection, metadata, metadataCertificate }];
  });
  return { connections, problems, warnings };
}

/** Whoever types an address is sent to one provider: two could both say whose it is. */
function domainsClaimedTwice(list: readonly unknown[]): ConfigProblem[] {
  const claims = list.flatMap((each, at) => domainsIn(each).map((domain, nth) => ({ domain, at, nth })));
  return claims.flatMap(({ domain, at, nth }) => {
    const first = claims.find((claim) => claim.domain === domain)?.at ?? at;
    if (first === at || typeof domain !== 'string') return [];
    const problem = `is already claimed by connections[${first}]`;
    return [{ path: `connections[${at}].domains[${nth}]`, problem, fix: 'leave it with one of them' }];
  });
}

function domainsIn(connection: unknown): unknown[] {
  const { domains } = (connection ?? {}) as { domains?: unknown };
  return Array.isArray(domains) ? domains : [];
}

function unknownConnections(clients: unknown, ids: readonly (string | undefined)[]): ConfigProblem[] {
  if (!Array.isArray(clients)) return [];
  return clients.flatMap((client: unknown, at) => {
    const named = textIn(client, 'connection');
    if (named === undefined || ids.includes(named)) return [];
    const fix = 'name the id of one of the connections, or leave it out';
    return [{ path: `clients[${at}].connection`, problem: 'is the id of no connection', fix }];
  });
}

function textIn(record: unknown, field: string): string | undefined {
  const value = typeof record === 'object' && record !== null ? (record as Record<string, unknown>)[field] : undefined;
  return typeof value === 'string' ? value : undefined;
}
