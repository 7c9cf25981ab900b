/** A person with a browser, without a browser's cost: cookies, redirects, and one form to fill in. */
import { PASSWORD, REDIRECT_URI, usernameOf } from '../house.ts';
import { basic, type Endpoint, expectOk, type Reply } from './endpoint.ts';

export type Tokens = { readonly access_token: string; readonly refresh_token: string };

const AUTHORIZATION = `/auth?${new URLSearchParams({
  client_id: 'app',
  response_type: 'code',
  redirect_uri: REDIRECT_URI,
  scope: 'openid profile email offline_access',
  state: 'a state of the app',
}).toString()}`;

export type Visitor = {
  /** An authorization request, signing in if asked; resolves to the code. */
  obtainCode(): Promise<string>;
};

export function visit(endpoint: Endpoint, nth: number): Visitor {
  const cookies = new Map<string, string>();
  const headers = (): Record<string, string> => ({
    'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    accept: 'text/html',
    // For the bare library, which signs in whoever says who they are.
    'x-account': usernameOf(nth),
    ...(cookies.size === 0 ? {} : { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') }),
  });
  const keep = (reply: Reply): Reply => {
    for (const cookie of reply.cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    return reply;
  };
  const signIn = (reply: Reply): Promise<Reply> => {
    const action = /<form[^>]*action="(\/interaction\/[^"]+\/sign-in)"/.exec(reply.text)?.[1];
    const csrf = /name="csrf"\s+value="([^"]+)"/.exec(reply.text)?.[1];
    if (action === undefined || csrf === undefined) {
      throw new Error(`no form to sign in with: ${reply.status} ${reply.text.slice(0, 300)}`);
    }
    const form = new URLSearchParams({ csrf, username: usernameOf(nth), password: PASSWORD });
    return endpoint.post(action, form.toString(), { ...headers(), origin: endpoint.origin });
  };
  return {
    async obtainCode() {
      let reply = keep(await endpoint.get(AUTHORIZATION, headers()));
      for (let hop = 0; hop < 10; hop++) {
        if (reply.location === undefined) {
          reply = keep(await signIn(reply));
          continue;
        }
        const next = new URL(reply.location, endpoint.origin);
        const code = next.searchParams.get('code');
        if (code !== null) return code;
        reply = keep(await endpoint.get(next.pathname + next.search, headers()));
      }
      throw new Error(`no code: ${reply.status} ${reply.text.slice(0, 300)}`);
    },
  };
}

const exchangeForm = (code: string): string =>
  `grant_type=authorization_code&code=${code}&redirect_uri=${encodeURIComponent(REDIRECT_URI)}`;

export async function exchange(endpoint: Endpoint, code: string): Promise<Tokens> {
  return expectOk(await endpoint.post('/token', exchangeForm(code), basic('app'))) as unknown as Tokens;
}

/** The whole way, in a browser of its own. */
export async function signInFully(endpoint: Endpoint, nth: number): Promise<Tokens> {
  return exchange(endpoint, await visit(endpoint, nth).obtainCode());
}
