/** Whether people can sign in through each Connection now, as far as that can be found out without a person. */
import type { Core } from '../../src/compose.ts';
import type { Finding } from './findings.ts';

const CHECK = 'connection';
/** Providers asked at once. */
const AT_ONCE = 16;

/** One finding for each Connection; `curfew connection test` tells more. Each call to a provider has its own bound. */
export async function checkConnections({ config, connections }: Core): Promise<Finding[]> {
  const ids = config.connections.map(({ id }) => id);
  if (ids.length === 0) return [{ check: CHECK, status: 'ok', found: 'no other provider vouches for people' }];
  const findings: Finding[] = [];
  while (ids.length > 0) {
    const asked = ids.splice(0, AT_ONCE);
    findings.push(...(await Promise.all(asked.map(async (id) => summarise(id, await connections.test(id))))));
  }
  return findings;
}

/** What has no remedy is how the provider is, and no reason to look up. */
function summarise(id: string, findings: Awaited<ReturnType<Core['connections']['test']>>): Finding {
  const worst =
    findings.find(({ status }) => status === 'problem') ??
    findings.find(({ status, fix }) => status === 'warning' && fix !== undefined);
  if (worst === undefined) return { check: CHECK, status: 'ok', found: `${id} can be asked to sign people in` };
  const { check, status, found, fix } = worst;
  const also = fix === undefined ? '' : `; ${fix}`;
  return { check: CHECK, status, found: `${id}: ${check}: ${found}`, fix: `curfew connection test ${id}${also}` };
}
