/** Whether each Client's back-channel endpoint can be reached from here, under the very rules that deliveries obey. */
import type { Core } from '../../src/compose.ts';
import type { Finding } from './findings.ts';

const CHECK = 'back-channel';
/** Hosts asked at once. */
const AT_ONCE = 16;

/** One finding for each host that apps are told at. */
export async function checkBackChannels({ clients, reach }: Core): Promise<Finding[]> {
  const told = new Map<string, string[]>();
  for (const { metadata } of await clients.list()) {
    const uri = metadata['backchannel_logout_uri'];
    if (typeof uri !== 'string' || !URL.canParse(uri)) continue;
    const { origin } = new URL(uri);
    told.set(origin, [...(told.get(origin) ?? []), metadata.client_id]);
  }
  const hosts = [...told];
  if (hosts.length === 0) return [{ check: CHECK, status: 'ok', found: 'no app is told of sign-outs' }];
  const findings: Finding[] = [];
  while (hosts.length > 0) {
    findings.push(
      ...(await Promise.all(hosts.splice(0, AT_ONCE).map(([origin, clientIds]) => judge(origin, clientIds, reach)))),
    );
  }
  return findings;
}

/** Connects and hangs up: the endpoint itself takes only Logout Tokens. */
async function judge(origin: string, clientIds: readonly string[], reach: Core['reach']): Promise<Finding> {
  const whose = `${origin} (${clientIds.join(', ')})`;
  const url = new URL(origin);
  const failure = await reach(url);
  if (failure === null) return { check: CHECK, status: 'ok', found: `${whose} accepts connections` };
  if (failure.reason === 'refused-address') {
    const fix = `if that is intended, add ${url.hostname} or its network to outbound.allow`;
    return { check: CHECK, status: 'problem', found: `${whose} will not be called: ${failure.detail}`, fix };
  }
  const fix = 'see that the app runs and that its name, network and certificate are right from this machine';
  return { check: CHECK, status: 'warning', found: `${whose} cannot be reached: ${failure.detail}`, fix };
}
