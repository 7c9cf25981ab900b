import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Config, ConfigProblem } from '../../src/config.ts';
import { type ConfigReading, formatProblems, readConfig } from '../../src/config/read.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'));
  mkdirSync(join(folder, 'secrets'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const longSecret = 'kVd0Qm1x-long-enough-to-be-a-secret';

function read(text: string): ConfigReading {
  const file = join(folder, 'curfew.yaml');
  writeFileSync(file, text);
  return readConfig({ file, env: {}, cwd: '/' });
}

function accepted(text: string): { config: Config; warnings: ConfigProblem[] } {
  const reading = read(text);
  if (!reading.ok) throw new Error(formatProblems(reading.problems, reading.source));
  return reading;
}

function problems(text: string): ConfigProblem[] {
  const reading = read(text);
  if (reading.ok) throw new Error('it was accepted');
  expect(reading.problems.every(({ problem, fix }) => problem !== '' && fix !== '')).toBe(true);
  return reading.problems;
}

const paths = (text: string): string[] => problems(text).map(({ path }) => path);

const client = (lines: string): string =>
  `issuer: https://id.example.org\nclients:\n  - client_id: app\n    ${lines.split('\n').join('\n    ')}\n`;
const web = 'redirect_uris: [https://app.example/cb]\nclientSecretFile: secrets/app';
const secret = (name = 'app', value = `${longSecret}\n`): void => writeFileSync(join(folder, 'secrets', name), value);

test('without a file there are development defaults on loopback', () => {
  const reading = readConfig({ env: {}, cwd: '/srv/curfew' });
  expect(reading).toEqual({
    ok: true,
    source: { from: 'defaults', file: null },
    warnings: [],
    config: {
      issuer: 'http://127.0.0.1:3000',
      listen: { host: '127.0.0.1', port: 3000 },
      trustProxy: 0,
      store: { engine: 'sqlite', path: '/srv/curfew/data/curfew.db' },
      keyringFile: '/srv/curfew/secrets/keyring.json',
      mail: null,
      registration: 'closed',
      secondFactor: { requiredFor: 'nobody' },
      outbound: { allow: [] },
      clients: [],
      connections: [],
      resources: [],
      scopes: {},
      throttle: { addressAttemptsPerMinute: 30 },
      passwordHashing: { memoryKiB: 65_536, iterations: 3, parallelism: 1 },
      delivery: { concurrency: 64, perClient: 2, deadlineHours: 72 },
      audit: { keepDays: 400, checkpointMinutes: 10 },
      log: { level: 'info' },
    },
  });
});

test('the named file comes before the environment’s, and that before the defaults', () => {
  for (const name of ['option', 'environment']) {
    writeFileSync(join(folder, `${name}.yaml`), `issuer: https://${name}.example.org`);
  }
  const env = { CURFEW_CONFIG: 'environment.yaml' };
  const issuer = (reading: ConfigReading): unknown => reading.ok && [reading.source.from, reading.config.issuer];
  expect(issuer(readConfig({ file: 'option.yaml', env, cwd: folder }))).toEqual([
    'option',
    'https://option.example.org',
  ]);
  expect(issuer(readConfig({ env, cwd: folder }))).toEqual(['environment', 'https://environment.example.org']);
  expect(issuer(readConfig({ env: { CURFEW_CONFIG: '' }, cwd: folder }))).toEqual([
    'defaults',
    'http://127.0.0.1:3000',
  ]);
});

test('a file that is not there is a problem, not the defaults', () => {
  const reading = readConfig({ file: 'missing.yaml', env: {}, cwd: folder });
  expect(reading).toMatchObject({
    ok: false,
    problems: [{ path: '', problem: `${join(folder, 'missing.yaml')} cannot be read (ENOENT)` }],
  });
  expect(readConfig({ env: { CURFEW_CONFIG: folder }, cwd: '/' })).toMatchObject({ ok: false });
});

test('paths are relative to the file that holds them', () => {
  secret();
  const { config } = accepted(`${client(web)}store: sqlite:./d/c.db\nkeyringFile: ../ring.json`);
  expect(config.store).toEqual({ engine: 'sqlite', path: join(folder, 'd/c.db') });
  expect(config.keyringFile).toBe(join(folder, '../ring.json'));
  expect(config.clients[0]?.client_secret).toBe(longSecret);
  expect(accepted('issuer: https://id.example.org\nstore: sqlite:/var/c.db').config.store).toEqual({
    engine: 'sqlite',
    path: '/var/c.db',
  });
});

test('an empty file is the defaults, next to it', () => {
  expect(accepted('').config.keyringFile).toBe(join(folder, 'secrets/keyring.json'));
  expect(accepted('# nothing yet\n').config.issuer).toBe('http://127.0.0.1:3000');
});

test('everything that is wrong is told at once, with path and fix', () => {
  const text = `
isuer: https://id.example.org
listen: { host: 0.0.0.0, prot: 80, port: "x" }
throttle: { addressAttemptsPerMinute: 0.5 }
log:
unheard: of
clients:
  - { client_id: a, redirectUris: [], clientSecretFile: nope }
  - { client_id: 5, redirect_uris: "https://a.example" }
  - { client_id: a, token_endpoint_auth_method: none, introspects: [zz], redirect_uris: ["https://*.example/cb", "javascript:alert(1)"] }
  - { client_id: c, token_endpoint_auth_method: none, introspects: [zz], redirect_uris: ["https://c.example/"] }
resources: [{ identifier: "https://a.example" }, { identifier: "https://a.example" }]
outbound: { allow: ["10.0.0.0/33"] }
`;
  const found = problems(text);
  expect(found.map(({ path }) => path)).toEqual([
    'clients[0].clientSecretFile',
    'clients[0].redirectUris',
    'clients[1].client_id',
    'clients[1].redirect_uris',
    'clients[2].client_id',
    'clients[2].redirect_uris[0]',
    'clients[2].redirect_uris[1]',
    'clients[3].introspects',
    'clients[3].introspects[0]',
    'isuer',
    'listen.port',
    'listen.prot',
    'log',
    'outbound.allow[0]',
    'resources[1].identifier',
    'throttle.addressAttemptsPerMinute',
    'unheard',
  ]);
  const fixes = Object.fromEntries(found.map(({ path, fix }) => [path, fix]));
  expect(fixes['isuer']).toBe('did you mean issuer?');
  expect(fixes['listen.prot']).toBe('did you mean port?');
  expect(fixes['clients[0].redirectUris']).toBe('did you mean redirect_uris?');
  expect(fixes['clients[1].client_id']).toBe('put it in quotes');
  expect(fixes['unheard']).toMatch(/example\.yaml/);
});

test('an issuer is needed where it cannot be guessed', () => {
  for (const listen of ['{ host: 0.0.0.0 }', '{ port: 0 }', '{ host: id.example.org }']) {
    expect(paths(`listen: ${listen}`)).toEqual(['issuer']);
    expect(paths(`listen: ${listen}\nunheard: of`)).toEqual(['issuer', 'unheard']);
  }
  expect(accepted('listen: { port: 8080 }').config.issuer).toBe('http://127.0.0.1:8080');
  expect(accepted('listen: { host: localhost, port: 80 }').config.issuer).toBe('http://localhost');
  expect(accepted('listen: { host: "::1" }').config.issuer).toBe('http://[::1]:3000');
});

test.each([
  'https://id.example.org',
  'https://id.example.org:8443',
  'http://localhost:3000',
  'http://id.localhost',
  'http://127.0.0.1:3000',
  'http://[::1]:3000',
])('the issuer may be %s', (issuer) => expect(accepted(`issuer: "${issuer}"`).config.issuer).toBe(issuer));

test.each([
  'http://id.example.org',
  'http://10.0.0.1',
  'http://127.0.0.1.example.org',
  'http://localhost.example.org',
  'https://id.example.org/',
  'https://id.example.org/curfew',
  'https://id.example.org?x',
  'https://id.example.org#',
  'https://user@id.example.org',
  'https://ID.example.org',
  'https://id.example.org:443',
  'ftp://id.example.org',
  'id.example.org',
  ' https://id.example.org',
  '',
])('the issuer may not be "%s"', (issuer) => expect(paths(`issuer: "${issuer}"`)).toEqual(['issuer']));

test.each(['closed', 'invite', 'open'] as const)('registration may be %s', (registration) => {
  expect(accepted(`issuer: https://id.example.org\nregistration: ${registration}`).config).toMatchObject({
    registration,
  });
});

test('what stands for nothing may be written out', () => {
  expect(accepted('mail: null\nregistration: closed\nconnections: []').config).toMatchObject({
    mail: null,
    registration: 'closed',
    connections: [],
  });
});

test.each([
  ['store: ./data/curfew.db', 'store'],
  ['store: "sqlite:"', 'store'],
  ['store: "sqlite::memory:"', 'store'],
  ['store: postgres://x', 'store'],
  ['store: "mongodb:"', 'store'],
  ['store: mongodb://db.example', 'store'],
  ['store: mongodb://db.example/', 'store'],
  ['store: mongodb://db.example/a.b', 'store'],
  ['store: mongodb://db.example/curfew/more', 'store'],
  ['store: mongodb://db.example/curfew#x', 'store'],
  ['store: mongodb://user:hunter2@db.example/curfew', 'store'],
  ['store: "mongodb://user:@db.example/curfew"', 'store'],
  ['store: mongodb://db.example/curfew?w=1', 'store'],
  ['store: mongodb://db.example/curfew?replicaSet=rs0&readPreference=secondary', 'store'],
  ['store: mongodb://db.example/curfew?JOURNAL=false', 'store'],
  ['storePasswordFile: ./password', 'storePasswordFile'],
  ['store: mongodb://db.example/curfew\nstorePasswordFile: ./password', 'storePasswordFile'],
  ['store: mongodb://user@db.example/curfew\nstorePasswordFile: ./not-there', 'storePasswordFile'],
  ['store: mongodb://user@db.example/curfew\nstorePasswordFile: ""', 'storePasswordFile'],
  ['trustProxy: -1', 'trustProxy'],
  ['trustProxy: true', 'trustProxy'],
  ['listen: { port: 65536 }', 'listen.port'],
  ['passwordHashing: { memoryKiB: 19455 }', 'passwordHashing.memoryKiB'],
  ['passwordHashing: { iterations: 1 }', 'passwordHashing.iterations'],
  ['passwordHashing: { parallelism: 0 }', 'passwordHashing.parallelism'],
  ['delivery: { concurrency: 0 }', 'delivery.concurrency'],
  ['delivery: { deadlineHours: 0 }', 'delivery.deadlineHours'],
  ['log: { level: loud }', 'log.level'],
  ['outbound: { allow: ["http://a.example"] }', 'outbound.allow[0]'],
  ['resources: [{ identifier: "https://a.example#x" }]', 'resources[0].identifier'],
  [
    'resources: [{ identifier: "https://a.example", accessTokenFormat: jwt, accessTokenSeconds: 301 }]',
    'resources[0].accessTokenSeconds',
  ],
  ['resources: [{ identifier: "https://a.example", scopes: ["a b"] }]', 'resources[0].scopes[0]'],
  ['scopes: { "a b": x }', 'scopes."a b"'],
  ['scopes: { a: "" }', 'scopes.a'],
])('%s is refused', (text, path) => expect(paths(`issuer: https://id.example.org\n${text}`)).toEqual([path]));

test('the floor of password hashing itself is allowed', () => {
  const { config } = accepted('passwordHashing: { memoryKiB: 19456, iterations: 2, parallelism: 1 }');
  expect(config.passwordHashing).toEqual({ memoryKiB: 19_456, iterations: 2, parallelism: 1 });
});

test('an API’s audience is its identifier unless it says otherwise', () => {
  const { config } = accepted(
    'resources: [{ identifier: "https://a.example" }, { identifier: "urn:b", audience: b, accessTokenFormat: jwt }]',
  );
  expect(config.resources).toEqual([
    {
      identifier: 'https://a.example',
      audience: 'https://a.example',
      scopes: [],
      accessTokenFormat: 'opaque',
      accessTokenSeconds: 300,
    },
    { identifier: 'urn:b', audience: 'b', scopes: [], accessTokenFormat: 'jwt', accessTokenSeconds: 300 },
  ]);
});

test('a client is completed with the defaults of its standard', () => {
  secret();
  const { config, warnings } = accepted(client(web));
  expect(config.clients).toEqual([
    {
      client_id: 'app',
      client_secret: longSecret,
      redirect_uris: ['https://app.example/cb'],
      post_logout_redirect_uris: [],
      response_types: ['code'],
      grant_types: ['authorization_code'],
      token_endpoint_auth_method: 'client_secret_basic',
      application_type: 'web',
      subject_type: 'public',
      first_party: false,
    },
  ]);
  expect(warnings).toEqual([]);
});

test('a device-only client needs neither secret nor redirect URI', () => {
  const device =
    'token_endpoint_auth_method: none\ngrant_types: ["urn:ietf:params:oauth:grant-type:device_code", refresh_token]';
  expect(accepted(client(device)).config.clients[0]).toMatchObject({ redirect_uris: [], response_types: [] });
  expect(accepted(client(`${device}\nredirect_uris: []\nresponse_types: []`)).config.clients[0]).toMatchObject({
    response_types: [],
  });
});

test.each([
  ['an unknown key', `${web}\nfirstParty: true`, 'firstParty'],
  ['a scheme that runs', 'redirect_uris: ["javascript:alert(1)"]\nclientSecretFile: secrets/app', 'redirect_uris[0]'],
  ['a data scheme', 'redirect_uris: ["data:text/html,x"]\nclientSecretFile: secrets/app', 'redirect_uris[0]'],
  ['a wildcard', 'redirect_uris: ["https://*.app.example/"]\nclientSecretFile: secrets/app', 'redirect_uris[0]'],
  [
    'a user name in a URI',
    'redirect_uris: ["https://localhost:80@evil.example/"]\nclientSecretFile: secrets/app',
    'redirect_uris[0]',
  ],
  ['a fragment', 'redirect_uris: ["https://app.example/#x"]\nclientSecretFile: secrets/app', 'redirect_uris[0]'],
  ['a relative URI', 'redirect_uris: [/cb]\nclientSecretFile: secrets/app', 'redirect_uris[0]'],
  ['a script as logo', `${web}\nlogo_uri: "javascript:alert(1)"`, 'logo_uri'],
  ['data as policy', `${web}\npolicy_uri: "data:text/html,x"`, 'policy_uri'],
  ['a wildcard after logout', `${web}\npost_logout_redirect_uris: ["https://*/"]`, 'post_logout_redirect_uris[0]'],
  [
    'an app scheme for a web app',
    'redirect_uris: ["com.example.app:/cb"]\nclientSecretFile: secrets/app',
    'redirect_uris[0]',
  ],
  [
    'a claimable scheme',
    'application_type: native\nredirect_uris: ["app:/cb"]\nclientSecretFile: secrets/app',
    'redirect_uris[0]',
  ],
  [
    'http to elsewhere for a native app',
    'application_type: native\nredirect_uris: ["http://app.example/cb"]\nclientSecretFile: secrets/app',
    'redirect_uris[0]',
  ],
  ['nowhere to return to', 'clientSecretFile: secrets/app', 'redirect_uris'],
  ['the implicit grant', `${web}\ngrant_types: [implicit]`, 'grant_types[0]'],
  ['the password grant', `${web}\ngrant_types: [authorization_code, password]`, 'grant_types[1]'],
  ['an implicit response type', `${web}\nresponse_types: ["id_token"]`, 'response_types[0]'],
  ['code without its grant', `${web}\ngrant_types: [client_credentials]\nresponse_types: [code]`, 'response_types'],
  ['a grant without its response type', `${web}\nresponse_types: []`, 'response_types'],
  ['no secret', 'redirect_uris: [https://app.example/cb]', 'clientSecretFile'],
  ['an empty secret', 'redirect_uris: [https://app.example/cb]\nclient_secret: ""', 'client_secret'],
  ['two secrets', `${web}\nclient_secret: hunter2`, 'client_secret'],
  ['a secret of a public client', `${web}\ntoken_endpoint_auth_method: none`, 'clientSecretFile'],
  [
    'a secret beside a key',
    `${web}\ntoken_endpoint_auth_method: private_key_jwt\njwks_uri: https://app.example/jwks`,
    'clientSecretFile',
  ],
  [
    'private_key_jwt without a key',
    'redirect_uris: [https://app.example/cb]\ntoken_endpoint_auth_method: private_key_jwt',
    'jwks',
  ],
  ['a private key', `${web}\njwks: { keys: [{ kty: EC, d: hunter2 }] }`, 'jwks'],
  ['keys twice', `${web}\njwks: { keys: [{ kty: EC }] }\njwks_uri: https://app.example/jwks`, 'jwks_uri'],
  ['client_secret_jwt', `${web}\ntoken_endpoint_auth_method: client_secret_jwt`, 'token_endpoint_auth_method'],
  ['no signature', `${web}\nid_token_signed_response_alg: none`, 'id_token_signed_response_alg'],
  ['a symmetric signature', `${web}\nid_token_signed_response_alg: HS256`, 'id_token_signed_response_alg'],
  ['an unknown client to introspect', `${web}\nintrospects: [app, other]`, 'introspects[1]'],
  ['a word other than all', `${web}\nintrospects: everything`, 'introspects'],
  [
    'a missing secret file',
    'redirect_uris: [https://app.example/cb]\nclientSecretFile: secrets/none',
    'clientSecretFile',
  ],
  ['a folder as secret file', 'redirect_uris: [https://app.example/cb]\nclientSecretFile: secrets', 'clientSecretFile'],
  [
    'an empty secret file',
    'redirect_uris: [https://app.example/cb]\nclientSecretFile: secrets/empty',
    'clientSecretFile',
  ],
  [
    'a secret file of two lines',
    'redirect_uris: [https://app.example/cb]\nclientSecretFile: secrets/two',
    'clientSecretFile',
  ],
])('a client with %s is refused', (_, lines, path) => {
  secret();
  secret('empty', '\n');
  secret('two', 'hunter2\nhunter3\n');
  const found = problems(client(lines));
  expect(found.map((problem) => problem.path)).toEqual([`clients[0].${path}`]);
  expect(JSON.stringify(found)).not.toMatch(/hunter/);
});

test('two clients of one name are refused', () => {
  const two =
    '[{ client_id: a, token_endpoint_auth_method: none, redirect_uris: ["https://a.example/"] }, { client_id: a, token_endpoint_auth_method: none, redirect_uris: ["https://a.example/"] }]';
  expect(paths(`issuer: https://id.example.org\nclients: ${two}`)).toEqual(['clients[1].client_id']);
});

test('native apps may return to loopback and to their own scheme', () => {
  const lines =
    'application_type: native\ntoken_endpoint_auth_method: none\nredirect_uris: ["http://127.0.0.1/cb", "http://localhost:1/cb", "com.example.app:/cb", "https://app.example/cb"]';
  expect(accepted(client(lines)).warnings).toEqual([]);
});

test('a resource server names whose tokens it sees', () => {
  secret();
  expect(accepted(client(`${web}\nintrospects: all`)).config.clients[0]?.introspects).toBe('all');
  expect(accepted(client(`${web}\nintrospects: [app]`)).config.clients[0]?.introspects).toEqual(['app']);
  expect(
    paths(client('redirect_uris: [https://app.example/cb]\ntoken_endpoint_auth_method: none\nintrospects: all')),
  ).toEqual(['clients[0].introspects']);
});

test('a secret in the configuration itself is accepted with a warning', () => {
  const { config, warnings } = accepted(
    client(`redirect_uris: [https://app.example/cb]\nclient_secret: ${longSecret}`),
  );
  expect(config.clients[0]?.client_secret).toBe(longSecret);
  expect(warnings.map(({ path }) => path)).toEqual(['clients[0].client_secret']);
  expect(JSON.stringify(warnings)).not.toContain(longSecret);
});

test('a secret that could be guessed is warned about, whichever way it came', () => {
  secret('app', 'hunter2');
  expect(accepted(client(web)).warnings.map(({ path }) => path)).toEqual(['clients[0].clientSecretFile']);
});

test.each([
  ['http://127.0.0.1:9000/logout', true],
  ['http://localhost:9000/logout', true],
  ['http://player.localhost/logout', true],
  ['http://[::1]/logout', true],
  ['https://192.168.1.5/logout', true],
  ['https://[fd00::5]/logout', true],
  ['http://2130706433/logout', true],
  ['https://player.example/logout', false],
  ['https://8.8.8.8/logout', false],
])('a logout URI %s is warned about: %s', (uri, warned) => {
  secret();
  const { warnings } = accepted(client(`${web}\nbackchannel_logout_uri: "${uri}"`));
  expect(warnings.map(({ path }) => path)).toEqual(warned ? ['clients[0].backchannel_logout_uri'] : []);
});

test('what outbound.allow lists is not warned about', () => {
  secret();
  const cases = [
    ['localhost', 'http://localhost/l'],
    ['127.0.0.0/8', 'http://localhost/l'],
    ['127.0.0.0/8', 'http://127.0.0.1/l'],
    ['192.168.1.5', 'http://192.168.1.5/l'],
    ['media.lan', 'http://media.lan/l'],
  ];
  for (const [allow, uri] of cases) {
    expect(
      accepted(`${client(`${web}\nbackchannel_logout_uri: "${uri}"`)}outbound: { allow: ["${allow}"] }`).warnings,
    ).toEqual([]);
  }
});

test('YAML that does not parse is told by line and column, and not quoted', () => {
  const found = problems('issuer: https://id.example.org\nclients:\n  - client_secret: "hunter2\n');
  expect(found[0]).toMatchObject({ path: '', problem: expect.stringMatching(/line \d+, column \d+/) as string });
  expect(JSON.stringify(found)).not.toMatch(/hunter/);
  expect(problems('log: { level: info }\nlog: { level: warn }\n')[0]?.problem).toMatch(
    /line 2, column 1 .*duplicate key/,
  );
  expect(problems('log: !secret hunter2\n')[0]?.problem).toMatch(/line 1/);
  expect(problems('log: *nowhere\n')).toHaveLength(1);
  expect(problems('- a\n- b\n')).toHaveLength(1);
  expect(problems('hunter2\n')).toHaveLength(1);
});

test('aliases that multiply are refused, not expanded', () => {
  const levels = Array.from(
    { length: 12 },
    (_, at) =>
      `a${at + 1}: &a${at + 1} [${Array(9)
        .fill(at === 0 ? 'x' : `*a${at}`)
        .join(', ')}]`,
  );
  expect(problems(levels.join('\n'))[0]?.problem).toMatch(/alias/);
});

test('keys that mean something to JavaScript mean nothing here', () => {
  expect(paths('__proto__: { polluted: 1 }\nconstructor: 1\n')).toEqual(['__proto__', 'constructor']);
  expect({}).not.toHaveProperty('polluted');
});

test('no value of the file is ever quoted', () => {
  const text = `
issuer: hunter01
listen: { host: 5, port: hunter02 }
store: hunter03
keyringFile: { a: hunter04 }
registration: hunter05
mail: { url: "smtp://u:hunter06@m" }
outbound: { allow: ["hunter07/x"] }
clients:
  - { client_id: "hunter 08", client_secret: [hunter09], redirect_uris: ["hunter10"], introspects: hunter11, grant_types: [hunter12] }
  - { client_id: b, client_secret: { x: hunter13 }, jwks: hunter14, token_endpoint_auth_method: hunter15, backchannel_logout_uri: hunter16 }
resources: [{ identifier: hunter17, accessTokenFormat: hunter18 }]
log: { level: hunter19 }
`;
  const reading = read(text);
  expect(reading.ok).toBe(false);
  expect(JSON.stringify(reading).replaceAll(folder, '')).not.toMatch(/hunter/);
});

test('problems are shown one under the other, each with its fix, and cannot disturb the terminal', () => {
  const reading = read('"evil\\e[2J": 1\nlisten: { port: 65536 }');
  if (reading.ok) throw new Error('it was accepted');
  expect(formatProblems(reading.problems, reading.source)).toBe(
    `2 problems in ${join(folder, 'curfew.yaml')}\n` +
      '  "evil\\u001b[2J": is not a known key\n    fix: remove it; config/example.yaml lists every key\n' +
      '  listen.port: must be at most 65535\n    fix: write a number that is at most 65535',
  );
});

const example = readFileSync(new URL('../../config/example.yaml', import.meta.url), 'utf8');

test('the example is a configuration without problems or warnings', () => {
  for (const name of ['player', 'acme', 'mail']) secret(name);
  writeFileSync(join(folder, 'corp-metadata.pem'), 'a certificate');
  const { config, warnings } = accepted(example);
  expect(warnings).toEqual([]);
  expect(config.connections.map(({ id, type }) => [id, type])).toEqual([
    ['acme', 'oidc'],
    ['corp', 'saml'],
  ]);
  expect(config.clients.map(({ client_id }) => client_id)).toEqual(['player', 'tv', 'catalogue-api']);
});

type JsonSchema = {
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  oneOf?: JsonSchema[];
  anyOf?: JsonSchema[];
  description?: string;
};
const schema = JSON.parse(readFileSync(new URL('../../config/schema.json', import.meta.url), 'utf8')) as JsonSchema;

function keysOf(part: JsonSchema): [string, JsonSchema][] {
  const own = Object.entries(part.properties ?? {});
  const kinds = [...(part.oneOf ?? []), ...(part.anyOf ?? [])];
  return [
    ...own,
    ...own.flatMap(([, inner]) => keysOf(inner)),
    ...(part.items ? keysOf(part.items) : []),
    ...kinds.flatMap(keysOf),
  ];
}

test('the example documents every key, and the schema describes it', () => {
  const keys = keysOf(schema);
  expect(keys.length).toBeGreaterThan(60);
  const missing = keys.filter(([key]) => !new RegExp(`(^|[\\s{-])${key}\\b`, 'm').test(example)).map(([key]) => key);
  expect(missing).toEqual([]);
  expect(keys.filter(([, { description }]) => !description).map(([key]) => key)).toEqual([]);
});

test('config/schema.json is what the schema in src says', () => {
  const script = new URL('../../scripts/config-schema.ts', import.meta.url).pathname;
  expect(execFileSync(process.execPath, [script, '--check'], { encoding: 'utf8' })).toBe('');
});

test.each([
  'mongodb://db.example/curfew',
  'mongodb+srv://curfew@db.example/curfew',
  'mongodb://one.example:27017,two.example:27018/curfew?replicaSet=rs0&tls=true&authSource=admin',
])('%s is a store', (url) => {
  const { config } = accepted(`issuer: https://id.example.org\nstore: ${url}`);
  expect(config.store).toEqual({ engine: 'mongodb', url, password: undefined });
  expect(config).not.toHaveProperty('storePasswordFile');
});

test('the password of the store comes from its file, and stands nowhere else', () => {
  writeFileSync(join(folder, 'password'), 'p@ss:word/%\n');
  const { config } = accepted(
    'issuer: https://id.example.org\nstore: mongodb://curfew@db.example/curfew\nstorePasswordFile: ./password',
  );
  expect(config.store).toEqual({
    engine: 'mongodb',
    url: 'mongodb://curfew@db.example/curfew',
    password: 'p@ss:word/%',
  });
});

const oidc = 'id: acme, type: oidc, name: Acme, issuer: https://login.acme.test, client_id: curfew';
const saml = 'id: corp, type: saml, name: Corp, metadataUrl: https://idp.corp.test/metadata';

test.each([
  [`[{ ${oidc}, unknown: 1 }]`, 'connections[0].unknown'],
  [`[{ ${oidc.replace('https:', 'http:')} }]`, 'connections[0].issuer'],
  [`[{ ${oidc.replace('id: acme', 'id: Acme Inc')} }]`, 'connections[0].id'],
  [`[{ ${oidc.replace('https://', 'https://user:secret@')} }]`, 'connections[0].issuer'],
  [`[{ ${oidc} }, { ${oidc} }]`, 'connections[1].id'],
  [`[{ ${oidc}, clientSecretFile: ./not-there }]`, 'connections[0].clientSecretFile'],
  [`[{ ${oidc}, domains: [ACME.test] }]`, 'connections[0].domains[0]'],
  [`[{ ${oidc}, reauthentication: perhaps }]`, 'connections[0].reauthentication'],
  [`[{ ${saml}, metadataFile: ./corp.xml }]`, 'connections[0].metadataFile'],
  ['[{ id: corp, type: saml, name: Corp }]', 'connections[0].metadataFile'],
  ['[{ id: corp, type: saml, name: Corp, metadataFile: ./not-there }]', 'connections[0].metadataFile'],
  [`[{ ${saml.replace('https:', 'javascript:')} }]`, 'connections[0].metadataUrl'],
  ['[{ id: x, type: ldap, name: X }]', 'connections[0].type'],
])('connections: %s is refused', (text, path) => {
  expect(paths(`issuer: https://id.example.org\nconnections: ${text}`)).toContain(path);
});

test('a client may name the connection that its people come through, and only one there is', () => {
  const text = (named: string) =>
    `issuer: https://id.example.org\nconnections: [{ ${oidc} }]\nclients: [{ client_id: web, token_endpoint_auth_method: none, redirect_uris: [https://web.test/back], connection: ${named} }]`;
  expect(accepted(text('acme')).config.clients[0]).toMatchObject({ connection: 'acme' });
  expect(paths(text('other'))).toEqual(['clients[0].connection']);
});
