/**
 * The logout drill: what a Client does with Logout Tokens, found out before the bad day.
 *
 * Each probe is one request with a token of its own, to the endpoint that the Client registered and to no other: first
 * those that it must refuse, then the good one, so that one who signs people out at a forged word is caught at it.
 * Invariant: a token names an account that the operator set aside for drills, or a subject that nobody is; no token lives
 * longer than two minutes; nothing is written. A Client that leaves two requests in a row unanswered is not asked further,
 * so a drill of it ends. It refuses to know what findings mean to people, how tokens are signed and who the account is.
 */
import { isLoopbackHost } from '../config/loopback.ts';
import type { Clock } from '../platform/clock.ts';
import { OutboundFailed, type Outbound } from '../platform/outbound-http.ts';
import { randomId } from '../platform/random.ts';
import { answeredText, type Flaw, type Heard, type Judged, judgeAcceptance, judgeRefusal } from './judgement.ts';
import { bend, type Bend, type BendingTools } from './bent-tokens.ts';

export type Probe = 'reachable' | 'no-token' | 'get' | Bend | 'good' | 'no-store' | 'replay';

export type ProbeResult = {
  readonly probe: Probe;
  /** Counts. What the specification only recommends does not, unless the drill is strict. */
  readonly must: boolean;
  readonly ok: boolean;
  /** `answered 400`, `timeout`, `not tried` … */
  readonly answered: string;
  readonly flaw: Flaw | null;
  /** Refused by another status than the 400 of the specification. */
  readonly oddStatus: boolean;
  /** Why there was no answer, for an operator. */
  readonly detail: string | null;
};

export type DrillTarget = {
  readonly clientId: string;
  /** Null: the tokens name nobody. */
  readonly accountId: string | null;
  /** A session that ends; a Client that is told by `sid` is given one that nobody has where this is null. */
  readonly sid: string | null;
  readonly sessionRequired: boolean;
};

export type DrillReport = {
  readonly clientId: string;
  readonly reachable: boolean;
  /** Of those that must. */
  readonly passed: number;
  readonly total: number;
  readonly probes: readonly ProbeResult[];
};

export type DrillOptions = {
  /** How long one answer may take. */
  readonly timeoutSeconds: number;
  readonly strict: boolean;
  readonly signal: AbortSignal;
};

export type LogoutDrill = {
  /** Null: the Client is gone or is not told, or the drill was called off. Rejects when tokens cannot be made. */
  run(target: DrillTarget, options: DrillOptions): Promise<DrillReport | null>;
};

export type DrillParts = {
  /** Makes what a Delivery would send, and says where it would go. */
  readonly mint: (about: {
    clientId: string;
    accountId: string;
    sid: string | null;
  }) => Promise<{ readonly uri: string; readonly token: string } | { readonly gone: true }>;
  readonly sign: BendingTools['sign'];
  readonly publicKeys: BendingTools['publicKeys'];
  /** Of a Client whose secret is known; those of most are not kept. */
  readonly secretOf: (clientId: string) => string | undefined;
  readonly outbound: Pick<Outbound, 'post' | 'fetch'>;
  readonly clock: Pick<Clock, 'setTimer'>;
};

type Refused = 'no-token' | Bend | 'get';

const TO_REFUSE: readonly Refused[] = [
  'no-token',
  'unsigned',
  'bad-signature',
  'unknown-key',
  'public-key-as-secret',
  'client-secret-as-key',
  'expired',
  'other-audience',
  'other-issuer',
  'nonce',
  'no-events',
  'no-subject',
  'id-token',
  'get',
];
const RECOMMENDED: ReadonlySet<Probe> = new Set<Probe>(['get', 'no-store', 'replay']);
const UNANSWERED_UNTIL_GIVEN_UP = 2;

type Sent = { readonly probe: Probe; readonly judged: Judged; readonly heard: Heard };

class CalledOff extends Error {}

export function createLogoutDrill(parts: DrillParts): LogoutDrill {
  const { mint, secretOf, outbound, clock } = parts;

  const run = async (target: DrillTarget, { timeoutSeconds, signal, strict }: DrillOptions): Promise<DrillReport> => {
    const { clientId, sessionRequired } = target;
    const accountId = target.accountId ?? randomId();
    const sid = sessionRequired ? (target.sid ?? randomId()) : null;
    const sent: Sent[] = [];
    let unanswered = 0;

    const genuine = async (): Promise<{ uri: string; token: string }> => {
      const minted = await mint({ clientId, accountId, sid });
      if ('gone' in minted) throw new CalledOff();
      return minted;
    };
    const ask = async (request: (signal: AbortSignal) => Promise<Heard>): Promise<Heard> => {
      const heard = await answerTo(request, { clock, timeoutSeconds, signal });
      if (signal.aborted) throw new CalledOff();
      unanswered = 'nothing' in heard ? unanswered + 1 : 0;
      return heard;
    };
    const post = (uri: string, form: Record<string, string>): Promise<Heard> =>
      ask((signal) => posted(outbound, uri, form, signal));
    const refusalOf = async (probe: Refused): Promise<Sent> => {
      const { uri, token } = await genuine();
      switch (probe) {
        case 'no-token': {
          const heard = await post(uri, {});
          return { probe, heard, judged: judgeRefusal(heard) };
        }
        case 'get': {
          const heard = await ask((signal) => fetched(outbound, uri, signal));
          // Nobody said by which 4xx an address that is only posted to turns a GET away.
          return { probe, heard, judged: { ...judgeRefusal(heard), oddStatus: false } };
        }
        default: {
          const heard = await post(uri, { logout_token: await bend(token, probe, { ...parts, secret }) });
          return { probe, heard, judged: judgeRefusal(heard) };
        }
      }
    };
    const acceptance = async (): Promise<readonly Sent[]> => {
      const { uri, token } = await genuine();
      const heard = await post(uri, { logout_token: token });
      const good: Sent = { probe: 'good', heard, judged: judgeAcceptance(heard) };
      if (good.judged.flaw !== null || 'nothing' in heard) return [good];
      const again = await post(uri, { logout_token: token });
      return [
        good,
        { probe: 'no-store', heard, judged: { flaw: heard.noStore ? null : 'cacheable', oddStatus: false } },
        { probe: 'replay', heard: again, judged: judgeRefusal(again) },
      ];
    };

    const secret = keepsSecrets((await genuine()).uri) ? secretOf(clientId) : undefined;
    const toRefuse = TO_REFUSE.filter((probe) => probe !== 'client-secret-as-key' || secret !== undefined);
    for (const probe of toRefuse) {
      if (unanswered < UNANSWERED_UNTIL_GIVEN_UP) sent.push(await refusalOf(probe));
    }
    if (unanswered < UNANSWERED_UNTIL_GIVEN_UP) sent.push(...(await acceptance()));
    return report({ clientId, probes: [...toRefuse, 'good', 'no-store', 'replay'], sent, strict });
  };

  return {
    async run(target, options) {
      try {
        return await run(target, options);
      } catch (fault) {
        if (fault instanceof CalledOff) return null;
        throw fault;
      }
    },
  };
}

/** Whoever listens on the way could guess a short secret at leisure from what it signed. */
function keepsSecrets(uri: string): boolean {
  if (!URL.canParse(uri)) return false;
  const { protocol, hostname } = new URL(uri);
  return protocol === 'https:' || isLoopbackHost(hostname);
}

function report({
  clientId,
  probes: all,
  sent,
  strict,
}: {
  readonly clientId: string;
  readonly probes: readonly Probe[];
  readonly sent: readonly Sent[];
  readonly strict: boolean;
}): DrillReport {
  const must = (probe: Probe): boolean => strict || !RECOMMENDED.has(probe);
  const first = sent[0]?.heard;
  const answered = sent.find(({ heard }) => 'status' in heard)?.heard;
  const reachable = resultOf('reachable', true, answered ?? first, {
    flaw: answered === undefined ? 'no-answer' : null,
    oddStatus: false,
  });
  const others = all.map((probe) => {
    const one = sent.find((each) => each.probe === probe);
    return resultOf(probe, must(probe), one?.heard, one?.judged ?? { flaw: 'not-tried', oddStatus: false });
  });
  const probes = [reachable, ...others];
  const counted = probes.filter((each) => each.must);
  return {
    clientId,
    reachable: reachable.ok,
    passed: counted.filter(({ ok }) => ok).length,
    total: counted.length,
    probes,
  };
}

function resultOf(probe: Probe, must: boolean, heard: Heard | undefined, { flaw, oddStatus }: Judged): ProbeResult {
  return {
    probe,
    must,
    ok: flaw === null,
    answered: heard === undefined ? 'not tried' : answeredText(heard),
    flaw,
    oddStatus,
    detail: heard !== undefined && 'nothing' in heard ? heard.detail : null,
  };
}

/** Waits no longer than it may, and says so as a Delivery would. */
async function answerTo(
  request: (signal: AbortSignal) => Promise<Heard>,
  {
    clock,
    timeoutSeconds,
    signal,
  }: { readonly clock: DrillParts['clock']; readonly timeoutSeconds: number; readonly signal: AbortSignal },
): Promise<Heard> {
  const late = new AbortController();
  const timer = clock.setTimer(timeoutSeconds * 1000, () => late.abort());
  try {
    const heard = await request(AbortSignal.any([signal, late.signal]));
    return 'nothing' in heard && heard.nothing === 'aborted' && late.signal.aborted
      ? { nothing: 'timeout', detail: `there was no answer within ${timeoutSeconds} s` }
      : heard;
  } finally {
    timer.cancel();
  }
}

async function posted(
  { post }: DrillParts['outbound'],
  uri: string,
  form: Record<string, string>,
  signal: AbortSignal,
): Promise<Heard> {
  const outcome = await post(uri, { form, signal });
  if (outcome.kind === 'failed') return { nothing: outcome.reason, detail: outcome.detail };
  const caching = outcome.headers['cache-control'] ?? '';
  const noStore = caching.split(',').some((directive) => directive.trim().toLowerCase() === 'no-store');
  return { status: outcome.status, noStore };
}

async function fetched({ fetch }: DrillParts['outbound'], uri: string, signal: AbortSignal): Promise<Heard> {
  try {
    const { status } = await fetch(uri, { signal });
    return { status, noStore: false };
  } catch (fault) {
    if (!(fault instanceof OutboundFailed)) throw fault;
    return { nothing: fault.reason, detail: fault.message };
  }
}
