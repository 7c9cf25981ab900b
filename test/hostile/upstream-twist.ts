/** One sign-in at an upstream provider as it should be, and the same with a twist. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';

import type { Behaviour } from '../support/upstream-behaviour.ts';
import { connect, type Connection, withParameters } from '../support/upstream-connection.ts';
import { startUpstream, type Upstream } from '../support/upstream-idp.ts';

export type Way = NonNullable<Parameters<Connection['signIn']>[1]>;
export type Bring = NonNullable<Way['bring']>;
export type Twist = Omit<Way, 'browser'> & { readonly behaviour?: Behaviour };

/** A provider that a file's tests share; each test finds it behaving. Ada and Eve have accounts. */
export function sharedUpstream() {
  let upstream: Upstream;
  let connection: Connection;
  beforeAll(async () => {
    const ada = { sub: 'ada', claims: { email: 'ada@acme.example' } };
    upstream = await startUpstream({ accounts: [ada, { sub: 'eve' }] });
    connection = connect(upstream);
  });
  beforeEach(() => upstream.behave({}));
  afterEach(() => void vi.useRealTimers());
  afterAll(async () => {
    await connection.close();
    await upstream.stop();
  });

  /** What came of the twisted one, and how often a code was taken to the provider for it. */
  async function twisted({ behaviour = {}, forced = false, ...way }: Twist, through = connection) {
    const person = upstream.person('ada');
    const browser = person.anotherBrowser();
    upstream.behave({});
    expect(await through.signIn(person, { browser, forced })).toMatchObject({ subject: 'ada' });
    upstream.behave(behaviour);
    const exchanges = (): number => upstream.requests.filter((path) => path === '/token').length;
    const before = exchanges();
    const answer = await through.signIn(person, { browser, forced, ...way });
    return { answer, exchanged: exchanges() - before };
  }

  return {
    upstream: () => upstream,
    connection: () => connection,
    twisted,
    async expectRefused(twist: Twist, refused: string): Promise<void> {
      const { answer } = await twisted(twist);
      expect(answer).toMatchObject({ refused, detail: expect.any(String) as string });
      // A refusal says why in our words, and carries nothing of anybody.
      expect(JSON.stringify(answer)).not.toMatch(/eyJ|ada@acme|<script/);
    },
    /** Refused before the provider was asked anything: what the code is worth stays where it is. */
    async expectRefusedAtOnce(twist: Twist, refused: string): Promise<void> {
      expect(await twisted(twist)).toMatchObject({ answer: { refused }, exchanged: 0 });
    },
  };
}

export const bring =
  (parameters: Readonly<Record<string, string | undefined>>): Bring =>
  (url) =>
    withParameters(url, parameters);

export const twice =
  (name: string, value?: string): Bring =>
  (url) => {
    const bent = new URL(url);
    bent.searchParams.append(name, value ?? url.searchParams.get(name) ?? '');
    return bent;
  };
