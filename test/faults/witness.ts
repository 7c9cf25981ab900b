/**
 * A witness of everything that passes between Curfew and the world: every request a test sends with `fetch`, every answer,
 * and from each the values that somebody could use or that name a person. What is left out is left out for a reason.
 */
import { onTestFinished, vi } from 'vitest';

/** Fields of forms, queries and JSON that open nothing and name nobody, and why. */
const PUBLIC: Record<string, string> = {
  // Names of apps and addresses of theirs, printed in every authorization request.
  ...reason('client metadata is public', [
    'client_id client_name redirect_uri redirect_uris post_logout_redirect_uris registration_client_uri aud',
    'application_type grant_types response_types token_endpoint_auth_method resource first_party',
    'id_token_signed_response_alg subject_type backchannel_logout_uri backchannel_logout_session_required',
    'require_auth_time client_id_issued_at client_secret_expires_at dpop_bound_access_tokens',
    'introspection_endpoint_auth_method require_pushed_authorization_requests require_signed_request_object',
    'revocation_endpoint_auth_method post_logout_redirect_uri default_max_age tls_client_certificate_bound_access_tokens',
  ]),
  ...reason('words of the protocol', [
    'scope response_type grant_type token_type code_challenge_method prompt error error_description iss expires_in active',
    'interval verification_uri response_mode exp iat nbf username_hint email_verified decision logout abort signOutDevices',
    'token_type_hint jkt cnf amr acr auth_time changed return_to',
  ]),
  // In every ID Token; kept with an unspent code, because it must come back in its ID Token.
  ...reason('the word by which an app knows its own request again: it opens nothing here', ['nonce']),
  ...reason('a digest of what is secret', ['code_challenge at_hash c_hash']),
  ...reason('an account id is a random name that opens nothing', ['sub']),
  ...reason('names a sign-in to its own app, and opens nothing', ['sid']),
  ...reason('names a passkey or a browser to its own account, and opens nothing', ['passkey_id browser']),
};
/** Shorter values turn up by chance; and so does a code of an app, which was used up where it was seen. */
const SHORTEST = 6;
const worthSeeing = (value: string): boolean => value.length >= SHORTEST && !/^\d{6}$/.test(value);

export type Witness = {
  /** Value → where it was first seen. */
  readonly seen: Map<string, string>;
  note(value: unknown, where: string): void;
};

/** Watches `fetch` until the test ends. `address`: what every request says it came from. */
export function watch({ address }: { readonly address: () => string }): Witness {
  const seen = new Map<string, string>();
  const note = (value: unknown, where: string): void => {
    if (Array.isArray(value)) for (const one of value) note(one, where);
    else if (typeof value === 'object' && value !== null) {
      for (const [name, one] of Object.entries(value)) if (!(name in PUBLIC)) note(one, `${where}.${name}`);
    } else if (typeof value === 'string' && worthSeeing(value) && !seen.has(value)) seen.set(value, where);
  };
  const noteUrl = (url: URL, where: string): void => {
    for (const [name, value] of url.searchParams) if (!(name in PUBLIC)) note(value, `${where} ?${name}`);
    // The Interaction, the device code's confirmation: addresses that only one browser should know.
    const [, folder = '', id] = url.pathname.split('/');
    if (['interaction', 'auth', 'device'].includes(folder)) note(id, `${where} /${folder}/:id`);
  };
  const original = globalThis.fetch;
  const watching = async (input: string | URL, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(input);
    const headers = new Headers(init.headers);
    const from = address();
    headers.set('x-forwarded-for', from);
    note(from, 'address');
    note(headers.get('user-agent'), 'user agent');
    noteUrl(url, 'address line');
    for (const pair of headers.get('cookie')?.split('; ') ?? []) note(pair.slice(pair.indexOf('=') + 1), 'cookie');
    noteAuthorization(headers.get('authorization'), note);
    note(headers.get('dpop'), 'DPoP proof');
    if (init.body instanceof URLSearchParams) {
      for (const [name, value] of init.body) if (!(name in PUBLIC)) note(value, `form ${name}`);
    }
    const response = await original(url, { ...init, headers });
    for (const cookie of response.headers.getSetCookie()) {
      note(cookie.slice(cookie.indexOf('=') + 1).split(';')[0], `Set-Cookie ${cookie.slice(0, cookie.indexOf('='))}`);
    }
    const location = response.headers.get('location');
    if (location !== null) noteUrl(new URL(location, url), 'redirect');
    if (response.headers.get('content-type')?.includes('json')) note(await response.clone().json(), url.pathname);
    return response;
  };
  vi.stubGlobal('fetch', watching);
  onTestFinished(() => void vi.unstubAllGlobals());
  return { seen, note };
}

function noteAuthorization(header: string | null, note: Witness['note']): void {
  const [scheme, credential = ''] = header?.split(' ') ?? [];
  if (scheme !== 'Basic') return note(credential, `authorization ${scheme}`);
  note(credential, 'authorization Basic');
  note(decodeURIComponent(Buffer.from(credential, 'base64').toString().split(':')[1] ?? ''), 'client secret');
}

/** The ways in which a value may have been written down. */
export function spellings(value: string): Buffer[] {
  const bytes = Buffer.from(value, 'utf8');
  const hex = bytes.toString('hex');
  const written = new Set([
    value,
    value.toLowerCase(),
    hex,
    hex.toUpperCase(),
    encodeURIComponent(value),
    new URLSearchParams({ value }).toString().slice('value='.length),
    JSON.stringify(value).slice(1, -1),
    // Base64 within something longer starts at any of three places; the letters at the seams belong to the neighbours.
    ...[0, 1, 2].flatMap((shift) => {
      const shifted = Buffer.concat([Buffer.alloc(shift), bytes]);
      const whole = shifted.length - (shifted.length % 3);
      const text = shifted
        .subarray(0, whole)
        .toString('base64')
        .slice(shift === 0 ? 0 : 4);
      return [text, text.replaceAll('+', '-').replaceAll('/', '_')];
    }),
  ]);
  return [...written].filter((text) => text.length >= SHORTEST).map((text) => Buffer.from(text, 'utf8'));
}

/** Which of the values can be read in which of the places. */
export function findings(values: ReadonlyMap<string, string>, places: Readonly<Record<string, Buffer>>): string[] {
  const haystacks = Object.entries(places).map(([name, bytes]) => [name, bytes, lowered(bytes)] as const);
  const found: string[] = [];
  for (const [value, where] of values) {
    const asItIs = Buffer.from(value, 'utf8');
    const [plain, others] = [lowered(asItIs), spellings(value)];
    for (const [name, bytes, inLowerCase] of haystacks) {
      const needle = inLowerCase.includes(plain) ? asItIs : others.find((each) => bytes.includes(each));
      if (needle !== undefined) found.push(`${where} in ${name}: ${needle.toString().slice(0, 80)}`);
    }
  }
  return found;
}

/** ASCII letters in lower case, every other byte as it is. */
function lowered(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte)));
}

function reason(_why: string, fields: readonly string[]): Record<string, string> {
  return Object.fromEntries(fields.flatMap((line) => line.split(' ')).map((field) => [field, _why]));
}
