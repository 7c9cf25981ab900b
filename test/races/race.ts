/** What races share: who ends what, and the proof that nothing obtained works. */
import { expect } from 'vitest';

import type { SignOutScope } from '../../src/store/records.ts';
import type { Browser } from '../support/browser.ts';
import type { Answer, Client } from '../support/client.ts';
import type { Person, World } from '../support/world.ts';

const SCOPES = ['account', 'client', 'everyone', 'device', 'browser'] as const;
export type Scope = (typeof SCOPES)[number];

let nth = 0;
/** Somebody nobody has met, for each way through a race. */
export function somebody({ person }: World): Promise<Person> {
  return person(`person-${++nth}`);
}

/** Ends access for this person as the scope says; of a device, the only one they have at this Client. */
export async function end({ core }: World, scope: Scope, person: Person, client: Client): Promise<void> {
  const of = async (): Promise<SignOutScope> => {
    const accountId = person.id;
    if (scope === 'everyone') return { kind: 'everyone' };
    if (scope === 'client') return { kind: 'client', clientId: client.id };
    if (scope === 'account') return { kind: 'account', accountId };
    const sessions = await core.store.revocations.clientSessionsOf(accountId);
    const [session] = sessions.filter(({ clientId }) => clientId === client.id);
    if (session === undefined) throw new Error(`${person.username} has nothing at ${client.id}`);
    return scope === 'device'
      ? { kind: 'device', accountId, grantId: session.grantId }
      : { kind: 'browser', accountId, sessionUid: session.sessionUid };
  };
  await core.signOuts.signOut({ scope: await of(), reason: 'race', actor: { kind: 'operator' } });
}

/** None of these tokens opens anything. */
export async function expectWorthless(client: Client, tokens: Record<string, unknown>): Promise<void> {
  const [access, refresh] = [tokens['access_token'], tokens['refresh_token']];
  if (typeof access === 'string') {
    expect(await client.introspect(access), 'an access token is active').toEqual({ active: false });
    expect((await client.userinfo({ access_token: access })).status, 'userinfo was told').toBe(401);
  }
  if (typeof refresh === 'string') {
    expect(await client.introspect(refresh), 'a refresh token is active').toEqual({ active: false });
    expect(await client.refresh({ refresh_token: refresh }), 'a refresh worked').toEqual({ error: 'invalid_grant' });
  }
}

export const REFUSED = { status: 400, body: { error: 'invalid_grant' } };

/** The answer to a token request that began before a sign-out: a refusal, unless it had left already; worthless anyway. */
export async function expectRefused(client: Client, answer: Answer, { late }: { late: boolean }): Promise<void> {
  if (!late || answer.status !== 200) expect(answer).toMatchObject(REFUSED);
  await expectWorthless(client, answer.body);
}

/** The browser gets nothing for this Client without its person signing in. */
export async function expectSignedOut(browser: Browser, client: Client): Promise<void> {
  await browser.open(
    client.authorization({ prompt: 'none', ...(client.setup['first_party'] === true ? {} : { scope: 'openid' }) }).url,
  );
  expect(browser.left?.searchParams.get('error'), 'prompt=none').toBe('login_required');
}

/** A sign-in that begins now, in the very same instant, gives what works. */
export async function expectWelcome(client: Client, person: Person): Promise<void> {
  const tokens = await client.signIn(person, person.anotherBrowser());
  expect(await client.refresh(tokens), 'a fresh sign-in').toHaveProperty('access_token');
}

/** A code that a browser came back with, redeemed; undefined when it came back with none. */
export async function redeem(client: Client, browser: Browser, verifier: string): Promise<Answer | undefined> {
  const code = browser.left?.searchParams.get('code');
  return code ? client.exchange(code, verifier) : undefined;
}
