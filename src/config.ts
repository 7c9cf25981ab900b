/**
 * What an operator decides.
 *
 * Purpose: one strict schema of the configuration file, from which defaults, types, messages and `config/schema.json` come; and
 * the only reader of the environment. Invariant: what is not described here cannot be configured, and what this version cannot
 * do cannot be switched on. It refuses to know where the file lies and how it is read (config/read.ts).
 */
import { z } from 'zod';
import { type ClientEntry, ClientMetadata, rule } from './config/client-metadata.ts';
import { Connection, type ConnectionEntry } from './config/connections.ts';
import { isLoopbackHost } from './config/loopback.ts';
import { Mail, type MailConfig } from './config/mail.ts';
import { isRefusal, parseStoreAddress } from './config/store-address.ts';
import { parseAllowEntry } from './platform/addresses.ts';

export type { ClientEntry } from './config/client-metadata.ts';
export type { ConnectionEntry, OidcConnectionEntry, SamlConnectionEntry } from './config/connections.ts';
export { isLoopbackHost } from './config/loopback.ts';

/** The environment. `CURFEW_CONFIG` names the configuration file; nothing else is read from it. */
export const environment = (): Readonly<Record<string, string | undefined>> => process.env;

const NOT_YET = 'not supported by this version yet';

// RFC 6749 §3.3: a scope is made of visible ASCII without the double quote and the backslash.
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/;
const scope = z.string().regex(SCOPE, 'must be a scope: visible ASCII without spaces, quotes or backslashes');

const Listen = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default('127.0.0.1')
      .describe('Address or name to listen on. 0.0.0.0 or :: for every interface.'),
    port: z.int().min(0).max(65_535).default(3000).describe('TCP port. 0 takes any free one.'),
  })
  .describe('Where the server listens. TLS is for the proxy in front.');

const Resource = z
  .strictObject({
    identifier: z
      .string()
      .refine(
        (text) => URL.canParse(text) && !text.includes('#'),
        rule('must be an absolute URI without a fragment (RFC 8707 §2)', 'for example https://api.example.org'),
      )
      .describe('What clients ask for as resource (RFC 8707). Unique.'),
    scopes: z.array(scope).default([]).describe('The scopes this API understands.'),
    accessTokenFormat: z
      .enum(['opaque', 'jwt'])
      .default('opaque')
      .describe(
        'jwt tokens are self-contained: until they expire, an API that does not introspect cannot see a sign-out.',
      ),
    accessTokenSeconds: z
      .int()
      .min(30)
      .max(600)
      .default(300)
      .describe('Lifetime of its access tokens; at most 300 for jwt.'),
    audience: z.string().min(1).describe('Audience of its tokens. Default: the identifier.').optional(),
  })
  .refine(({ accessTokenFormat, accessTokenSeconds }) => accessTokenFormat === 'opaque' || accessTokenSeconds <= 300, {
    ...rule('must be at most 300 for jwt access tokens', 'shorten it, or use opaque'),
    path: ['accessTokenSeconds'],
  });

/** The configuration file's schema. Cross-field rules of clients are in check-clients.ts. */
export const ConfigSchema = z
  .strictObject({
    issuer: z
      .string()
      .superRefine((text, context) => {
        const refusal = refuseIssuer(text);
        if (refusal) context.addIssue({ code: 'custom', ...refusal });
      })
      .describe(
        'The public address of Curfew, as apps and people see it. https, except on loopback. Default: the listen address, if loopback.',
      )
      .optional(),
    listen: Listen.prefault({}),
    trustProxy: z
      .int()
      .min(0)
      .max(10)
      .default(0)
      .describe('Hops of proxies in front; 0 ignores X-Forwarded-* entirely.'),
    store: z
      .string()
      .superRefine((text, context) => {
        const address = parseStoreAddress(text);
        if (isRefusal(address)) context.addIssue({ code: 'custom', ...address });
      })
      .default('sqlite:./data/curfew.db')
      .describe(
        'Where everything is kept: sqlite:PATH, the path relative to this file, for one machine; mongodb://USER@HOST/DATABASE for many.',
      ),
    storePasswordFile: z
      .string()
      .min(1)
      .describe('The file with the password of the MongoDB user that `store` names, on one line.')
      .optional(),
    keyringFile: z
      .string()
      .min(1)
      .default('./secrets/keyring.json')
      .describe(
        'The keys that seal what is in the store. Keep it, and its backup, apart from the store. Created on the first start over an empty store.',
      ),
    mail: Mail.nullable().default(null).describe('How mail is sent. Without it none is, and what needs mail says so.'),
    registration: z
      .enum(['closed', 'invite', 'open'])
      .default('closed')
      .describe(
        'Who may make an account. closed: operators only, by command. invite: whoever was sent a link. open: anybody whose address receives mail.',
      ),
    secondFactor: z
      .strictObject({
        requiredFor: z
          .enum(['nobody', 'admins', 'everybody'])
          .default('nobody')
          .describe(
            'Who must have one; who has none sets one up at the next sign-in. It is always asked of who has one.',
          ),
      })
      .describe('The second factor: a code of an app, or a passkey.')
      .prefault({}),
    outbound: z
      .strictObject({
        allow: z
          .array(
            z
              .string()
              .refine(
                (text) => parseAllowEntry(text) !== undefined,
                rule(
                  'must be a host name, an address or a CIDR',
                  'leave out scheme, port, path and wildcards: media.lan or 192.168.1.0/24',
                ),
              ),
          )
          .default([])
          .describe('Host names (whatever they resolve to) or CIDRs (matched on the resolved address), any port.'),
      })
      .describe('Private hosts that Curfew may call. Loopback, private and metadata addresses are refused otherwise.')
      .prefault({}),
    clients: z.array(ClientMetadata).default([]).describe('The apps that sign people in here.'),
    connections: z
      .array(Connection)
      .default([])
      .describe('Upstream identity providers that may vouch for people: OpenID Connect and SAML.'),
    resources: z.array(Resource).default([]).describe('APIs that clients may ask tokens for (RFC 8707).'),
    scopes: z
      .record(scope, z.string().min(1))
      .default({})
      .describe(
        'Custom scopes and what the consent page says of them, for example watch:history: See what you watched.',
      ),
    throttle: z
      .strictObject({
        addressAttemptsPerMinute: z
          .int()
          .min(1)
          .max(100_000)
          .default(30)
          .describe('Sign-in attempts per address (IPv6 by /64).'),
      })
      .describe('Bounds on guessing.')
      .prefault({}),
    passwordHashing: z
      .strictObject({
        memoryKiB: z
          .int()
          .min(19_456)
          .max(4_194_304)
          .default(65_536)
          .describe('Memory of one hash. Floor 19456 (19 MiB).'),
        iterations: z.int().min(2).max(100).default(3).describe('Passes over that memory. Floor 2.'),
        parallelism: z.int().min(1).max(64).default(1).describe('Lanes. Floor 1.'),
      })
      .describe('argon2id parameters of new hashes; weaker ones are renewed at the next sign-in.')
      .prefault({}),
    delivery: z
      .strictObject({
        concurrency: z.int().min(1).max(1024).default(64).describe('Logout deliveries in flight at once.'),
        perClient: z.int().min(1).max(64).default(2).describe('Of these, to one Client.'),
        deadlineHours: z
          .number()
          .positive()
          .max(720)
          .default(72)
          .describe('How long a Client is tried before the delivery is abandoned.'),
      })
      .describe('Telling Clients of a sign-out.')
      .prefault({}),
    audit: z
      .strictObject({
        keepDays: z
          .int()
          .min(1)
          .max(36_500)
          .default(400)
          .describe('How long events are kept. What is older is deleted from the beginning, and the record says so.'),
        checkpointMinutes: z
          .int()
          .min(1)
          .max(1440)
          .default(10)
          .describe(
            'How often the end of the record is signed, if there is anything new; each is a line in the log too.',
          ),
      })
      .describe('The record of what happened.')
      .prefault({}),
    log: z
      .strictObject({
        level: z
          .enum(['debug', 'info', 'warn', 'error', 'fatal', 'silent'])
          .default('info')
          .describe('The least level written.'),
      })
      .describe('The log: one JSON line per event, on stdout.')
      .prefault({}),
  })
  .describe('Configuration of Curfew.');

type Parsed = z.output<typeof ConfigSchema>;

/** The configuration as the house uses it: complete, paths absolute, secrets read. */
export type Config = Omit<
  Parsed,
  'issuer' | 'store' | 'storePasswordFile' | 'mail' | 'connections' | 'clients' | 'resources'
> & {
  /** Without a trailing slash. */
  issuer: string;
  store: StoreConfig;
  /** Null: no mail is sent. */
  mail: MailConfig | null;
  connections: ConnectionEntry[];
  clients: ClientEntry[];
  resources: (Parsed['resources'][number] & { audience: string })[];
};

/** Which store, and how to get in. The password never stands in the URL, so the URL may be shown. */
export type StoreConfig =
  { engine: 'sqlite'; path: string } | { engine: 'mongodb'; url: string; password: string | undefined };

/** Something that stops the start, or, as a warning, ought to be looked at. Never holds a secret. */
export type ConfigProblem = {
  /** Where in the file: `clients[0].redirect_uris`. Empty for the file as a whole. */
  path: string;
  problem: string;
  fix: string;
};

// Apps compare the issuer character by character (OpenID Connect Discovery §4.3): it has exactly one spelling.
function refuseIssuer(text: string): ReturnType<typeof rule> | undefined {
  if (!URL.canParse(text)) return rule('must be a URL', 'for example https://id.example.org');
  const { protocol, hostname, username, password, pathname, origin } = new URL(text);
  if (protocol !== 'https:' && protocol !== 'http:')
    return rule('must be an https URL', 'for example https://id.example.org');
  if (username !== '' || password !== '') return rule('must not hold a user name or password', `write ${origin}`);
  if (text.includes('?') || text.includes('#')) return rule('must have no query and no fragment', `write ${origin}`);
  if (protocol === 'http:' && !isLoopbackHost(hostname)) {
    return rule(
      'must be https, except on loopback',
      `write https://${hostname} and let a proxy in front hold the certificate`,
    );
  }
  if (pathname !== '/')
    return rule(`a path in the issuer is ${NOT_YET}`, `give Curfew a host of its own and write ${origin}`);
  return text === origin ? undefined : rule('is not in its one spelling (no trailing slash)', `write ${origin}`);
}
