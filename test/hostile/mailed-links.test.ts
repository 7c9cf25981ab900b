/** Rows 56–63 of security.md at the pages that send mail and that mailed links lead to. */
import { describe, expect, test } from 'vitest';

import type { Store } from '../../src/store/port.ts';
import { MAIL, mailbox, type Received } from '../support/mailbox.ts';
import type { Person } from '../support/world.ts';
import { answered, cookiesOf, csrfOf, type HostileWorld, hostileWorld, type RawAnswer, sharedWorld } from './probe.ts';

const configuration = { ...MAIL, registration: 'open' };
const shared = sharedWorld({ configuration });
const NEW_PASSWORD = 'seven lighthouses in the fog';
const FIELD = { '/reset': 'username', '/register': 'email' } as const;
type Asking = keyof typeof FIELD;
const ASKING = Object.keys(FIELD) as Asking[];

let nth = 0;
const somebody = ({ person }: HostileWorld): Promise<Person> => person(`reader-${++nth}`);

/** Sends a page's form as a browser that has opened it would; resolves once nothing it set in motion is under way. */
async function post(
  hostile: HostileWorld,
  path: string,
  fields: readonly (readonly [string, string])[],
  { page = path, headers = [] as [string, string][], host = undefined as string | undefined } = {},
): Promise<RawAnswer> {
  const browser = hostile.alice.anotherBrowser();
  await browser.open(page);
  const body = new URLSearchParams([['csrf', csrfOf(browser.page.text)], ...fields.map((pair) => [...pair])]);
  const all: [string, string][] = [cookiesOf(browser, path), ['Accept', 'text/html'], ...headers];
  const answer = await hostile.send({ path, headers: all, body, ...(host === undefined ? {} : { host }) });
  await hostile.server.settled();
  return answer;
}
const ask = (hostile: HostileWorld, path: Asking, value: string): Promise<RawAnswer> =>
  post(hostile, path, [[FIELD[path], value]]);

describe('56 the step by mail', () => {
  const WITHOUT = 'A'.repeat(43);
  test.each([
    ['no link', '/register/confirm', 400],
    ['a link that nobody was sent', `/register/confirm?link=${WITHOUT}`, 410],
    ['an address in place of a link', '/register/confirm?link=nora@example.test', 410],
    ['two links', `/register/confirm?link=${WITHOUT}&link=${WITHOUT}`, 400],
    ['an address beside the link', `/register/confirm?link=${WITHOUT}&email=nora@example.test`, 400],
  ])('56 %s → nothing', async (_what, path, status) => {
    expect((await shared().send({ path, headers: [['Accept', 'text/html']] })).status).toBe(status);
  });

  test.each([
    ['no link', [], 400],
    ['a link that nobody was sent', [['link', WITHOUT]], 410],
    [
      'an address of one’s own',
      [
        ['link', WITHOUT],
        ['email', 'nora@example.test'],
      ],
      400,
    ],
    [
      'an account of one’s own',
      [
        ['link', WITHOUT],
        ['admin', 'true'],
      ],
      400,
    ],
  ] as [string, [string, string][], number][])('56 a new account with %s → none', async (_what, fields, status) => {
    const changes = await shared().changes(async () => {
      const given: [string, string][] = [...fields, ['username', 'nora'], ['password', NEW_PASSWORD]];
      const answer = await post(shared(), '/register/confirm', given, { page: '/register' });
      expect(answer.status).toBe(status);
    });
    expect(changes).toEqual([]);
  });

  test('56 a link is good for nothing but what it is for', async () => {
    const { core, alice } = shared();
    const { id: accountId, email } = alice;
    const at = new Date().toISOString();
    const mint = (purpose: Parameters<typeof core.links.mint>[0]['purpose'], whose: string | null = accountId) =>
      core.links.mint({ accountId: whose, purpose });
    const links = {
      '/reset/confirm': await mint({ kind: 'reset-password', email, passwordChangedAt: at }),
      '/register/confirm': await mint({ kind: 'register', email: 'nora@example.test' }, null),
      '/verify': await mint({ kind: 'verify-email', email }),
      '/email/confirm': await mint({ kind: 'change-email', email: 'nora@example.test', from: email }),
      '/email/revert': await mint({ kind: 'revert-email', email: 'nora@example.test' }),
      '/not-me': await mint({ kind: 'not-me' }),
    };
    const password: [string, string] = ['password', NEW_PASSWORD];
    const changes = await shared().changes(async () => {
      for (const [path, own] of Object.entries(links)) {
        for (const link of Object.values(links).filter((each) => each !== own)) {
          const more: [string, string][] =
            path === '/reset/confirm'
              ? [password]
              : path === '/register/confirm'
                ? [['username', 'nora'], password]
                : [];
          const answer = await post(shared(), path, [['link', link], ...more], { page: '/reset' });
          expect([path, answer.status]).toEqual([path, 410]);
        }
      }
    });
    expect(changes).toEqual([]);
  });
});

const BENT: Record<string, (name: string, address: string) => [string, string][]> = {
  'a list of fields': (name, address) => [
    [`${name}[]`, address],
    [`${name}[]`, 'evil@evil.test'],
  ],
  'the field twice': (name, address) => [
    [name, address],
    [name, 'evil@evil.test'],
  ],
  'a comma list': (name, address) => [[name, `${address},evil@evil.test`]],
  'a semicolon list': (name, address) => [[name, `${address};evil@evil.test`]],
  'a list with spaces': (name, address) => [[name, `${address} evil@evil.test`]],
  'a header after it': (name, address) => [[name, `${address}\r\nBcc: evil@evil.test`]],
  'a line feed after it': (name, address) => [[name, `${address}\nBcc: evil@evil.test`]],
  'a NUL after it': (name, address) => [[name, `${address}\0`]],
  'an encoded line break': (name, address) => [[name, `${address}%0d%0aBcc:evil@evil.test`]],
  'a route': (name, address) => [[name, `${address.replace('@', '%')}@evil.test`]],
  'an angle address': (name, address) => [[name, `Alice <${address}>`]],
  'an address of one’s own beside it': (name, address) => [
    [name, address],
    ['to', 'evil@evil.test'],
  ],
  'an operator': (name) => [[`${name}[$ne]`, 'x']],
  nothing: () => [],
};
describe.each(ASKING)('57 %s', (path) => {
  // CVE-2023-7028.
  test.each(Object.entries(BENT))('57 %s → 400, and no mail', async (_what, bend) => {
    const changes = await shared().changes(async () => {
      expect((await post(shared(), path, bend(FIELD[path], shared().alice.email))).status).toBe(400);
    });
    expect(changes).toEqual([]);
  });
});

test('57 mail goes to the address that the account has, however it was typed', async () => {
  const hostile = await hostileWorld({ configuration });
  const box = mailbox(hostile);
  const { alice } = hostile;
  for (const typed of [alice.email.toUpperCase(), ` ${alice.email}\t`, alice.username.toUpperCase()]) {
    expect((await ask(hostile, '/reset', typed)).status).toBe(200);
  }
  expect((await box.all()).map(({ to }) => to)).toEqual([alice.email, alice.email, alice.email]);
});

describe('58 links lead to the configured issuer', () => {
  test.each([
    ['Host', 'evil.test', []],
    ['X-Forwarded-Host', undefined, [['X-Forwarded-Host', 'evil.test']]],
    ['Forwarded', undefined, [['Forwarded', 'host=evil.test;proto=https']]],
    [
      'X-Forwarded-Proto',
      undefined,
      [
        ['X-Forwarded-Proto', 'https'],
        ['X-Forwarded-Port', '443'],
      ],
    ],
    [
      'X-Original-URL',
      undefined,
      [
        ['X-Original-URL', 'https://evil.test/reset'],
        ['X-Rewrite-URL', '/admin'],
      ],
    ],
  ] as [string, string | undefined, [string, string][]][])('58 whatever %s says', async (_name, host, headers) => {
    const hostile = await hostileWorld({ configuration: { ...configuration, trustProxy: 1 } });
    const box = mailbox(hostile);
    const to = await somebody(hostile);
    await post(hostile, '/reset', [['username', to.username]], { headers, host });
    await post(hostile, '/register', [['email', 'nora@example.test']], { headers, host });
    await post(hostile, '/register', [['email', to.email]], { headers, host });
    const mails = await box.all();
    expect(mails).toHaveLength(3);
    for (const { text } of mails) {
      const origins = [...text.matchAll(/https?:\/\/[^/\s]+/g)].map(([origin]) => origin);
      expect(new Set(origins)).toEqual(new Set([hostile.issuer]));
    }
  });
});

describe('59 known or unknown', () => {
  const bare = ({ status, headers, text }: RawAnswer) => ({
    status,
    headers: headers.filter(([name]) => !['x-request-id', 'date', 'set-cookie'].includes(name)),
    text,
  });
  const kinds = async ({ core, person }: HostileWorld): Promise<Record<string, string>> => {
    const [known, disabled, deleted] = [await person('known'), await person('disabled'), await person('deleted')];
    const { accounts } = core.store;
    await accounts.setStatus({ accountId: disabled.id, status: 'disabled' });
    await accounts.setStatus({ accountId: deleted.id, status: 'deleted' });
    await core.accounts.create({ username: 'elsewhere', email: 'elsewhere@example.test' });
    return {
      known: known.username,
      disabled: disabled.username,
      deleted: deleted.username,
      elsewhere: 'elsewhere',
      unknown: 'nobody',
    };
  };

  // CVE-2023-39522.
  test.each(ASKING)('59 %s: the same bytes for whoever there is and is not, asked once or too often', async (path) => {
    const hostile = await hostileWorld({ configuration });
    const people = await kinds(hostile);
    for (let time = 0; time < 5; time++) {
      const answers = [];
      for (const name of Object.values(people)) answers.push(bare(await ask(hostile, path, `${name}@example.test`)));
      for (const answer of answers) expect(answer).toEqual(answers[0]);
      expect(answers[0]?.status).toBe(200);
    }
    // Whoever is disabled gets no way back, and whoever has an account no second one.
    const mails = await mailbox(hostile).all();
    const reset = ['elsewhere@example.test', 'known@example.test'];
    const subjects =
      path === '/reset' ? ['Choose a new password'] : ['Confirm your e-mail address', 'You have an account already'];
    expect(new Set(mails.map(({ subject }) => subject))).toEqual(new Set(subjects));
    const linked = mails.filter(({ text }) => text.includes('/confirm?link='));
    expect([...new Set(linked.map(({ to }) => to))].toSorted()).toEqual(
      path === '/reset' ? reset : ['deleted@example.test', 'nobody@example.test'],
    );
  });

  // What is written after the answer is the same amount for both: the next request waits for neither longer.
  test.each(ASKING)('59 %s: as many durable writes', async (path) => {
    const writes: string[] = [];
    const counting = <Repository extends object>(repository: Repository, names: readonly string[]): Repository =>
      new Proxy(repository, {
        get(target, property) {
          const value: unknown = Reflect.get(target, property);
          if (typeof value !== 'function') return value;
          return (...args: unknown[]): unknown => {
            if (names.includes(String(property))) writes.push(String(property));
            return (value as (...args: unknown[]) => unknown).apply(target, args);
          };
        },
      });
    const wrapStore = (store: Store): Store => ({
      ...store,
      accounts: counting(store.accounts, ['countAttempt', 'addFailure', 'setPassword', 'identify']),
      artifacts: counting(store.artifacts, ['save', 'insert', 'consume']),
      journal: counting(store.journal, ['append']),
      outbox: counting(store.outbox, ['enqueue']),
    });
    const hostile = await hostileWorld({ configuration, seams: { wrapStore } });
    const people = await kinds(hostile);
    const counted: Record<string, number> = {};
    for (const [kind, name] of Object.entries(people)) {
      writes.splice(0);
      await ask(hostile, path, `${name}@example.test`);
      counted[kind] = writes.length;
    }
    expect(new Set(Object.values(counted)), JSON.stringify(counted)).toHaveLength(1);
    expect(counted['known']).toBeGreaterThan(2);
  });

  test.each(ASKING)('59 %s: the answer does not wait for the account to be looked up', async (path) => {
    const held = Promise.withResolvers<void>();
    let looked = 0;
    const wrapStore = (store: Store): Store => ({
      ...store,
      accounts: new Proxy(store.accounts, {
        get(target, property) {
          if (property !== 'findByIdentifier') return Reflect.get(target, property) as unknown;
          return async (identifier: string) => {
            looked += 1;
            await held.promise;
            return target.findByIdentifier(identifier);
          };
        },
      }),
    });
    const hostile = await hostileWorld({ configuration, seams: { wrapStore } });
    const browser = hostile.alice.anotherBrowser();
    await browser.open(path);
    const body = new URLSearchParams({ csrf: csrfOf(browser.page.text), [FIELD[path]]: hostile.alice.email });
    const answer = await hostile.send({ path, headers: [cookiesOf(browser, path), ['Accept', 'text/html']], body });
    expect(answer.status).toBe(200);
    await expect.poll(() => looked).toBe(1);
    expect(await hostile.core.store.outbox.counts()).toMatchObject({ pending: 0, sent: 0 });
    held.resolve();
    expect(await mailbox(hostile).all()).toHaveLength(1);
  });
});

test('60 a name and an address are one account, and get mail by one count', async () => {
  const hostile = await hostileWorld({ fakeTime: true, configuration });
  const { alice } = hostile;
  for (const typed of [alice.username, alice.email, alice.email.toUpperCase(), alice.username.toUpperCase()]) {
    await ask(hostile, '/reset', typed);
  }
  expect(await mailbox(hostile).all()).toHaveLength(3);
});

test.each(ASKING)('61 %s: an address that cannot be read is counted all the same', async (path) => {
  const throttle = { addressAttemptsPerMinute: 5 };
  const hostile = await hostileWorld({ fakeTime: true, configuration: { ...configuration, trustProxy: 1, throttle } });
  const statuses = [];
  for (let nth = 0; nth < 8; nth++) {
    const headers: [string, string][] = [['X-Forwarded-For', `not an address ${nth}, <b>${nth}</b>`]];
    const { status } = await post(hostile, path, [[FIELD[path], `nobody-${nth}@example.test`]], { headers });
    statuses.push(status);
  }
  expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429, 429]);
});

// CVE-2019-19844.
test.each([
  'mıke@example.test',
  'ｍike@example.test',
  'mìke@example.test',
  'mike@example。test',
  'mi\u200bke@example.test',
])('62 %s is not mike@example.test', async (typed) => {
  const mike = (await shared().core.accounts.resolve('mike')) ?? (await shared().person('mike'));
  const changes = await shared().changes(async () => {
    for (const path of ASKING) expect((await ask(shared(), path, typed)).status).toBe(400);
  });
  expect(changes).toEqual([]);
  expect((await mailbox(shared()).all()).filter(({ to }) => to === mike.email)).toEqual([]);
});

describe('63 a thousand requests', () => {
  const storm = async (hostile: HostileWorld, path: Asking, value: string): Promise<readonly Received[]> => {
    const browser = hostile.alice.anotherBrowser();
    await browser.open(path);
    const body = new URLSearchParams({ csrf: csrfOf(browser.page.text), [FIELD[path]]: value });
    const headers: [string, string][] = [cookiesOf(browser, path), ['Accept', 'text/html']];
    for (let batch = 0; batch < 50; batch++) {
      await Promise.all(Array.from({ length: 20 }, () => hostile.send({ path, headers, body })));
    }
    return mailbox(hostile).all();
  };

  test.each([
    ['/reset', 'alice'],
    ['/register', 'nora@example.test'],
    ['/register', 'alice@example.test'],
  ] as const)('63 at %s for %s → three mails an hour', { timeout: 300_000 }, async (path, value) => {
    const hostile = await hostileWorld({ fakeTime: true, configuration });
    expect(await storm(hostile, path, value)).toHaveLength(3);
    expect(new Set(answered(hostile))).toEqual(new Set([200]));
    hostile.advance(3600);
    await ask(hostile, path, value);
    expect(await mailbox(hostile).all()).toHaveLength(4);
  });
});

describe('63 looking', () => {
  // Programs that read people's mail follow links, by GET and HEAD.
  test('63 at any link uses nothing up', async () => {
    const { core, issuer } = shared();
    const person = await somebody(shared());
    const { id: accountId, email } = person;
    const changedAt = (await core.store.accounts.find(accountId))?.password?.changedAt.toISOString() ?? null;
    const mint = (purpose: Parameters<typeof core.links.mint>[0]['purpose'], whose: string | null = accountId) =>
      core.links.mint({ accountId: whose, purpose });
    const paths = [
      `/reset/confirm?link=${await mint({ kind: 'reset-password', email, passwordChangedAt: changedAt })}`,
      `/register/confirm?link=${await mint({ kind: 'register', email: 'looked@example.test' }, null)}`,
      `/register/decline?link=${await mint({ kind: 'register', email: 'looked@example.test' }, null)}`,
      `/verify?link=${await mint({ kind: 'verify-email', email })}`,
      `/verify/decline?link=${await mint({ kind: 'verify-email', email })}`,
      `/email/confirm?link=${await mint({ kind: 'change-email', email: 'looked@example.test', from: email })}`,
      `/email/decline?link=${await mint({ kind: 'change-email', email: 'looked@example.test', from: email })}`,
      `/email/revert?link=${await mint({ kind: 'revert-email', email: 'looked@example.test' })}`,
      `/not-me?link=${await mint({ kind: 'not-me' })}`,
    ];
    const changes = await shared().changes(async () => {
      for (const path of paths) {
        for (const method of ['GET', 'HEAD', 'GET', 'HEAD', 'GET']) {
          expect([path, (await shared().send({ method, path, headers: [['Accept', 'text/html']] })).status]).toEqual([
            path,
            200,
          ]);
        }
        // A form that did not come from its page changes nothing either.
        const link = new URL(path, issuer).searchParams.get('link') ?? '';
        const body = new URLSearchParams({ link, csrf: 'x', password: NEW_PASSWORD, username: 'looked' });
        const forged = await shared().send({ path: path.split('?')[0] ?? '', body });
        expect([400, 403]).toContain(forged.status);
      }
    });
    expect(changes).toEqual([]);
  });

  test('63 a link is nowhere but in its mail', async () => {
    const hostile = await hostileWorld({ configuration });
    await ask(hostile, '/reset', hostile.alice.username);
    await ask(hostile, '/register', 'nora@example.test');
    const links = (await mailbox(hostile).all()).flatMap(({ text }) => [...text.matchAll(/link=([\w-]{43})/g)]);
    expect(links.length).toBeGreaterThan(3);
    const kept = JSON.stringify(await hostile.database.rows());
    for (const [, link = ''] of links) {
      expect(kept).not.toContain(link);
      expect(hostile.logged.join('')).not.toContain(link);
    }
  });
});
