/**
 * What a Client may say about itself.
 *
 * Purpose: the one schema of Client metadata, for the configuration file and for whatever else registers Clients. Invariant:
 * standard names with standard meanings (OpenID Connect Dynamic Client Registration §2, RP-Initiated Logout §3.1,
 * Back-Channel Logout §2.2, RFC 9126, RFC 9449), plus five of our own; a key that is not listed is refused, never ignored. It
 * refuses to know where the metadata was written and where the secret is kept.
 */
import { z } from 'zod';

/** A refusal with a fix, for `refine`. */
export const rule = (message: string, fix: string): { message: string; params: { fix: string } } => ({
  message,
  params: { fix },
});

const WEB_URI = 'write the whole address, for example https://player.example/path';
const webUri = z
  .string()
  .refine(isWebUri, rule('must be an http or https address without user name, password or fragment', WEB_URI));

// Registered URIs are compared as strings, so there is nothing to expand (CVE-2024-52289), and a scheme that a browser runs or
// renders itself would hand the answer to whoever wrote it (CVE-2023-6717); a browser overlooks tabs and line breaks in it.
export const RedirectUri = z
  .string()
  .refine((text) => URL.canParse(text) && !text.includes('#') && !/[\s\p{Cc}]/u.test(text), {
    ...rule('must be an absolute URI without a fragment and without blanks', 'write it exactly as the app sends it'),
  })
  .refine((text) => !/^(javascript|data|vbscript|file|blob|about|view-source|ws|wss|ftp):/i.test(text), {
    ...rule(
      'has a scheme that cannot receive a sign-in',
      'use https, or a scheme of the app such as com.example.app:/callback',
    ),
  })
  .refine((text) => !URL.canParse(text) || (new URL(text).username === '' && new URL(text).password === ''), {
    ...rule('must not hold a user name or password', 'remove what stands before the @'),
  })
  .refine((text) => !text.includes('*'), {
    ...rule('must not hold a wildcard', 'list every redirect URI in full; they are compared character by character'),
  });

const signingAlgorithm = z.enum(
  ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  { error: 'must be an asymmetric signing algorithm such as ES256 or RS256' },
);

const jwks = z
  .looseObject({
    keys: z
      .array(z.looseObject({ kty: z.string().describe('Key type, and its other members (RFC 7517 §4).') }))
      .min(1)
      .describe('JSON Web Keys.'),
  })
  .refine(({ keys }) => keys.every((key) => !('d' in key) && !('k' in key)), {
    ...rule('holds a private or shared key', 'publish public keys only, and replace this one: it has been shown'),
  });

/** Grant types that exist here; the implicit and password grants do not (RFC 9700 §2.1.2, §2.4). */
const GRANT_TYPES = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
] as const;

/** Ways for a Client to prove itself at the token endpoint. `client_secret_jwt` would need the secret in the clear. */
const CLIENT_AUTHENTICATION = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const;

/** One Client, as written. Its cross-field rules are in check-clients.ts. */
export const ClientMetadata = z
  .strictObject({
    client_id: z
      .string()
      .regex(/^[\x21-\x7e]{1,200}$/, 'must be 1 to 200 visible ASCII characters')
      .describe('Names the Client. Unique.'),
    client_secret: z
      .string()
      .min(1)
      .describe('The secret itself, for development only: a warning asks for clientSecretFile instead.')
      .optional(),
    clientSecretFile: z
      .string()
      .min(1)
      .describe('A file that holds the secret on one line. Relative to the configuration file.')
      .optional(),
    client_name: z
      .string()
      .min(1)
      .max(200)
      .describe('Shown to people on consent, device and receipt pages.')
      .optional(),
    client_uri: webUri.describe("The app's home page.").optional(),
    logo_uri: webUri.describe("The app's logo.").optional(),
    policy_uri: webUri.describe("The app's privacy policy.").optional(),
    tos_uri: webUri.describe("The app's terms of service.").optional(),
    contacts: z.array(z.string().min(1)).describe('Who is responsible for the app.').optional(),
    application_type: z
      .enum(['web', 'native'])
      .default('web')
      .describe('native: redirect URIs are loopback http, https, or a scheme of the app (RFC 8252 §7).'),
    redirect_uris: z
      .array(RedirectUri)
      .default([])
      .describe('Where sign-ins return to, compared character by character. Empty for device-only Clients.'),
    post_logout_redirect_uris: z
      .array(RedirectUri)
      .default([])
      .describe('Where RP-initiated logout may return to (RP-Initiated Logout §3.1).'),
    response_types: z
      .array(z.enum(['code'], { error: 'must be code; implicit and hybrid flows do not exist here' }))
      .describe('Default: [code] when grant_types has authorization_code, otherwise [].')
      .optional(),
    grant_types: z
      .array(z.enum(GRANT_TYPES, { error: `must be one of ${GRANT_TYPES.join(', ')}` }))
      .min(1)
      .default(['authorization_code'])
      .describe('How the Client obtains tokens. refresh_token is needed for offline_access.'),
    token_endpoint_auth_method: z
      .enum(CLIENT_AUTHENTICATION, { error: `must be one of ${CLIENT_AUTHENTICATION.join(', ')}` })
      .default('client_secret_basic')
      .describe('How the Client proves itself. none: a public Client, which must use PKCE with S256.'),
    token_endpoint_auth_signing_alg: signingAlgorithm.describe('For private_key_jwt.').optional(),
    jwks: jwks.describe("The Client's public keys (RFC 7517).").optional(),
    jwks_uri: webUri
      .describe("Where the Client's public keys are published. Fetched within outbound rules.")
      .optional(),
    scope: z
      .string()
      .min(1)
      .describe('The scopes the Client may ask for, separated by spaces. Default: all.')
      .optional(),
    subject_type: z.enum(['public', 'pairwise']).default('public').describe('OpenID Connect Core §8.'),
    sector_identifier_uri: webUri.describe('For pairwise subjects with several redirect hosts.').optional(),
    id_token_signed_response_alg: signingAlgorithm.describe('How ID Tokens and Logout Tokens are signed.').optional(),
    userinfo_signed_response_alg: signingAlgorithm
      .describe('Signs userinfo answers, which are plain JSON without it.')
      .optional(),
    request_object_signing_alg: signingAlgorithm.describe('How request objects must be signed (RFC 9101).').optional(),
    default_max_age: z
      .int()
      .min(0)
      .describe('Seconds since sign-in after which the Client wants a fresh one.')
      .optional(),
    require_auth_time: z.boolean().describe('Always put auth_time in ID Tokens.').optional(),
    default_acr_values: z.array(z.string().min(1)).describe('Authentication context asked for by default.').optional(),
    initiate_login_uri: webUri.describe('Where a third party may start a sign-in (Core §4).').optional(),
    backchannel_logout_uri: webUri
      .describe('Where Logout Tokens are posted (Back-Channel Logout §2.2). A private host must be in outbound.allow.')
      .optional(),
    backchannel_logout_session_required: z
      .boolean()
      .describe('One Logout Token per session, with its sid. Without it one token ends them all.')
      .optional(),
    require_pushed_authorization_requests: z.boolean().describe('Only pushed requests (RFC 9126 §6).').optional(),
    dpop_bound_access_tokens: z.boolean().describe('Only DPoP-bound tokens (RFC 9449 §5.2).').optional(),
    first_party: z
      .boolean()
      .default(false)
      .describe('Ours: no consent page, and refresh tokens for offline_access without prompt=consent.'),
    require_second_factor: z
      .boolean()
      .describe('Every sign-in at this app needs a second factor; who has none sets one up on the way.')
      .optional(),
    connection: z
      .string()
      .min(1)
      .describe('The id of the connection whose people this app is for: they are sent there without being asked.')
      .optional(),
    introspects: z
      .union([z.literal('all'), z.array(z.string().min(1))], { error: 'must be the word all, or a list of client ids' })
      .describe('A resource server: whose tokens it may introspect besides its own. all, or client ids.')
      .optional(),
  })
  .describe(
    'A Client: OpenID Connect client metadata, plus first_party, require_second_factor, connection, introspects and clientSecretFile.',
  );

/** Client metadata, parsed. */
export type ClientMetadata = z.output<typeof ClientMetadata>;

/** A Client ready to be registered: defaults filled in, and its secret, if it has one, in `client_secret`. */
export type ClientEntry = Omit<ClientMetadata, 'clientSecretFile' | 'response_types'> & { response_types: 'code'[] };

function isWebUri(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return /^https?:$/.test(protocol) && username === '' && password === '' && !text.includes('#');
}
