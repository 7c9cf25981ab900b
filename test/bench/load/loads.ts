/** The requests that are measured, one kind each. */
import type { Load } from '../measure.ts';
import { basic, CONNECTIONS, type Endpoint, expectOk } from './endpoint.ts';
import { exchange, signInFully, type Tokens, visit, type Visitor } from './visitor.ts';

/** People who are signed in: one for each connection. */
export function signInAll(endpoint: Endpoint): Promise<Tokens[]> {
  return Promise.all(Array.from({ length: CONNECTIONS }, (_, nth) => signInFully(endpoint, nth)));
}

export function clientCredentials(endpoint: Endpoint): Load {
  const headers = basic('app');
  return {
    lanes: CONNECTIONS,
    perform: async () => void expectOk(await endpoint.post('/token', 'grant_type=client_credentials', headers)),
  };
}

/** Each connection has its own chain: every answer's refresh token is the next request's. */
export function refresh(endpoint: Endpoint, tokens: readonly Tokens[]): Load {
  const headers = basic('app');
  const chain = tokens.map(({ refresh_token }) => refresh_token);
  return {
    lanes: chain.length,
    async perform(lane) {
      const form = `grant_type=refresh_token&refresh_token=${chain[lane] ?? ''}`;
      chain[lane] = String(expectOk(await endpoint.post('/token', form, headers))['refresh_token']);
    },
  };
}

/** A resource server that asks without a hint, as most do. */
export function introspection(endpoint: Endpoint, tokens: readonly Tokens[]): Load {
  const headers = basic('library');
  return {
    lanes: CONNECTIONS,
    async perform(lane) {
      const form = `token=${tokens[lane]?.access_token ?? ''}`;
      const { active } = expectOk(await endpoint.post('/token/introspection', form, headers));
      if (active !== true) throw new Error('a live token was said to be inactive');
    },
  };
}

export function userinfo(endpoint: Endpoint, tokens: readonly Tokens[]): Load {
  const headers = tokens.map(({ access_token }) => ({ authorization: `Bearer ${access_token}` }));
  return {
    lanes: CONNECTIONS,
    async perform(lane) {
      const { email } = expectOk(await endpoint.get('/me', headers[lane]));
      if (typeof email !== 'string') throw new Error('userinfo came without claims');
    },
  };
}

/** Codes are obtained before each slice, from browsers that are signed in already; `rate` is how many a second at most. */
export function codeExchange(endpoint: Endpoint, rate: number): Load {
  const visitors: Visitor[] = Array.from({ length: CONNECTIONS }, (_, nth) => visit(endpoint, nth));
  const codes: string[] = [];
  return {
    lanes: CONNECTIONS,
    more: () => codes.length > 0,
    async prepare(seconds) {
      const wanted = Math.ceil(rate * seconds);
      // They live a minute: what an earlier slice left over may not live through this one.
      codes.length = 0;
      await Promise.all(
        visitors.map(async (visitor) => {
          while (codes.length < wanted) codes.push(await visitor.obtainCode());
        }),
      );
    },
    async perform() {
      await exchange(endpoint, codes.pop() ?? '');
    },
  };
}

/** Everything from the app's link to its tokens, each time in a new browser, person by person. */
export function fullSignIn(endpoint: Endpoint, { people, lanes }: { people: number; lanes: number }): Load {
  let nth = 0;
  return { lanes, perform: async () => void (await signInFully(endpoint, nth++ % people)) };
}

/** What the bare server answers. */
export function formPost(endpoint: Endpoint): Load {
  const headers = basic('app');
  return {
    lanes: CONNECTIONS,
    perform: async () => void expectOk(await endpoint.post('/', 'grant_type=client_credentials', headers)),
  };
}
