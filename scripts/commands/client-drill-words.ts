/**
 * What the findings of a logout drill mean to whoever runs the app, and what is to be done about each. In order of how
 * much there is to fear: the first that failed is the worst.
 */
import type { Core } from '../../src/compose.ts';
import type { Finding } from './findings.ts';

type Report = NonNullable<Awaited<ReturnType<Core['logoutDrill']['run']>>>;
export type ProbeResult = Report['probes'][number];
type Probe = ProbeResult['probe'];

type Words = {
  /** What was done: a line of the list of all probes. */
  readonly asked: string;
  /** What an app does that fails it. */
  readonly failing: string;
  readonly means: string;
  readonly fix: string;
};

const PIN =
  'let its library verify Logout Tokens with the algorithm of its ID Tokens and the keys of jwks_uri, and no other';
const CLAIMS = 'let it check the claims by Back-Channel Logout §2.6';

const WORDS: Readonly<Record<Probe, Words>> = {
  reachable: {
    asked: 'is there',
    failing: 'cannot be reached',
    means: 'it will not hear of a sign-out, and its sessions go on',
    fix: 'see that it runs, and that its name, network and certificate are right from this machine',
  },
  unsigned: {
    asked: 'a token without a signature (alg none)',
    failing: 'accepts unsigned tokens',
    means: 'anybody on the network can sign its users out',
    fix: PIN,
  },
  'bad-signature': {
    asked: 'a token that was changed after it was signed',
    failing: 'does not verify signatures',
    means: 'anybody on the network can sign its users out',
    fix: PIN,
  },
  'unknown-key': {
    asked: 'a token signed by a key that nobody published',
    failing: "accepts a stranger's key",
    means: 'anybody with a key of their own can sign its users out',
    fix: PIN,
  },
  'public-key-as-secret': {
    asked: 'a token signed by HS256 with the published key as secret',
    failing: 'takes the published key for a shared secret',
    means: 'anybody who reads jwks_uri can sign its users out',
    fix: PIN,
  },
  'client-secret-as-key': {
    asked: 'a token signed by HS256 with its own secret',
    failing: 'accepts tokens signed with its own secret',
    means: 'whoever reads its configuration can sign its users out',
    fix: PIN,
  },
  'other-issuer': {
    asked: 'a token of another issuer',
    failing: 'does not check iss',
    means: 'a sign-out at another provider ends sessions that this one began',
    fix: CLAIMS,
  },
  'other-audience': {
    asked: 'a token for another app',
    failing: 'does not check aud',
    means: 'what another app is told signs people out here as well: whoever runs it can send it on',
    fix: CLAIMS,
  },
  expired: {
    asked: 'a token that expired a day ago',
    failing: 'accepts expired tokens',
    means: 'whoever finds an old token, as in a log, can sign that person out again whenever they like',
    fix: CLAIMS,
  },
  'id-token': {
    asked: 'an ID Token in its place',
    failing: 'takes an ID Token for a Logout Token',
    means: 'every page and program that sees an ID Token can sign its owner out',
    fix: 'let it demand the type logout+jwt and the events claim',
  },
  'no-events': {
    asked: 'a token without the events claim',
    failing: 'does not check events',
    means: 'a token that was made for something else signs people out',
    fix: 'let it demand the events claim with http://schemas.openid.net/event/backchannel-logout',
  },
  nonce: {
    asked: 'a token with a nonce',
    failing: 'accepts a nonce',
    means: 'it cannot tell a Logout Token from an ID Token by what tells them apart',
    fix: CLAIMS,
  },
  'no-subject': {
    asked: 'a token that names nobody',
    failing: 'accepts a token without sub and sid',
    means: 'it says that it signed somebody out, and nobody was named',
    fix: CLAIMS,
  },
  'no-token': {
    asked: 'a post without a token',
    failing: 'accepts a post without a token',
    means: 'it says yes to anything, so its yes proves nothing: Curfew would take a lost sign-out for heard',
    fix: 'see that backchannel_logout_uri is the endpoint of its library, and not a page',
  },
  good: {
    asked: 'a good token',
    failing: 'refuses a good token',
    means: 'it will refuse when it matters, and its sessions go on',
    fix: "see the app's log for the reason: most often the issuer, the client_id or the keys it was set up with",
  },
  replay: {
    asked: 'the same good token once more',
    failing: 'accepts the same token twice',
    means: 'whoever sees a token on its way can sign that person out again until it expires',
    fix: 'let it remember the jti of what it accepted until exp',
  },
  'no-store': {
    asked: 'Cache-Control: no-store in the answer to the good token',
    failing: 'may have its answer cached',
    means: 'something in between may answer the next sign-out in its place',
    fix: 'let it answer with Cache-Control: no-store',
  },
  get: {
    asked: 'a GET',
    failing: 'answers a GET',
    means: 'the address may be that of a page, or take tokens from its query, which is logged on the way',
    fix: 'let it take POST alone at that address',
  },
};

const BY_WEIGHT = Object.keys(WORDS) as Probe[];

/** In few words, for a table: the worst that was found, and nothing where all is well. */
export function worstOf(probes: readonly ProbeResult[]): string {
  const failed = wrongWith(probes);
  const worst = failed.find(({ must }) => must) ?? failed[0];
  if (worst === undefined) return '–';
  return worst.must ? inShort(worst) : `only a warning: ${inShort(worst)}`;
}

/** What went wrong, the worst first, warnings last. What was not tried says nothing. */
export function findingsOf(probes: readonly ProbeResult[], { namedNobody }: { readonly namedNobody: boolean }) {
  const failed = wrongWith(probes);
  return [...failed.filter(({ must }) => must), ...failed.filter(({ must }) => !must)].map((result): Finding => {
    const { means, fix } = explained(result, namedNobody);
    const found = `${inShort(result)} (${whatCame(result)}): ${means}`;
    return { check: result.probe, status: result.must ? 'problem' : 'warning', found, fix };
  });
}

/** Every probe and what came of it, in the order they were sent. */
export function everyProbe(probes: readonly ProbeResult[], { namedNobody }: { readonly namedNobody: boolean }) {
  return probes.map((result): Finding => {
    const { probe, ok, must, flaw, oddStatus } = result;
    const { asked } = WORDS[probe];
    if (flaw === 'not-tried')
      return { check: probe, status: must ? 'problem' : 'warning', found: `${asked}: not tried` };
    if (!ok) return findingsOf([result], { namedNobody })[0] ?? { check: probe, status: 'problem', found: asked };
    const found = `${asked}: ${whatCame(result)}`;
    if (!oddStatus) return { check: probe, status: 'ok', found };
    return { check: probe, status: 'warning', found: `${found}; the specification says 400` };
  });
}

const wrongWith = (probes: readonly ProbeResult[]): ProbeResult[] =>
  BY_WEIGHT.flatMap((probe) => probes.filter((each) => each.probe === probe && !each.ok && each.flaw !== 'not-tried'));

const whatCame = ({ answered, detail }: ProbeResult): string => (detail === null ? answered : detail);

function inShort({ probe, flaw }: ProbeResult): string {
  const { asked, failing } = WORDS[probe];
  if (probe === 'reachable') return failing;
  switch (flaw) {
    case 'fell-over':
      return `falls over at ${asked}`;
    case 'redirected':
      return `redirects at ${asked}`;
    case 'no-answer':
      return `does not answer ${asked}`;
    case 'accepted':
    case 'refused':
    case 'cacheable':
    case 'not-tried':
    case null:
      return failing;
  }
}

function explained(result: ProbeResult, namedNobody: boolean): Pick<Words, 'means' | 'fix'> {
  const { probe, flaw, answered } = result;
  if (flaw === 'redirected') {
    return {
      means: 'redirects are not followed, and say neither yes nor no',
      fix: 'name the address that it redirects to in backchannel_logout_uri, or take what demands a sign-in from before it',
    };
  }
  if (flaw === 'fell-over') {
    return {
      means: 'a fault is not a refusal: Curfew goes on trying for days, and anybody can cause it',
      fix: "see the app's log; it may be that it cannot fetch the keys of this issuer",
    };
  }
  if (answered === 'refused-address') {
    return { means: 'Curfew will not call it', fix: 'if that is intended, add its host or network to outbound.allow' };
  }
  if (flaw === 'no-answer' && probe !== 'reachable') {
    return { means: 'anybody can make it hang, and it may not hear when it matters', fix: "see the app's log" };
  }
  const { means, fix } = WORDS[probe];
  if (probe === 'good' && namedNobody) {
    return {
      means: `${means}; or it refuses whom it does not know, where the specification says that they are signed out already (§2.7)`,
      fix: `to tell which, drill it with --account and an account of yours that is signed in there; ${fix}`,
    };
  }
  return { means, fix };
}
