/**
 * What Curfew needs to know of a person, out of what a provider says.
 *
 * Purpose: one reading for OpenID Connect claims and SAML attributes. Invariant: what is not plainly there is not there: a
 * value of the wrong type, two where one is meant, one that is too long, or one with control characters in it is ignored,
 * never cut, converted or guessed, since a cut name is somebody else's. It refuses to know whether a provider is to be
 * believed.
 */
import { parseEmail } from '../accounts/identifiers.ts';

/** Which claim or attribute holds what. Names are taken literally: a dot in one leads nowhere. */
export type ClaimMapping = {
  readonly username?: string | undefined;
  readonly email?: string | undefined;
  readonly emailVerified?: string | undefined;
  readonly name?: string | undefined;
  readonly groups?: string | undefined;
};

export type UpstreamPerson = {
  readonly username?: string;
  /** As `parseEmail` accepts it. */
  readonly email?: string;
  readonly emailVerified: boolean;
  readonly name?: string;
  readonly groups: readonly string[];
};

/** The standard's own names (OpenID Connect Core §5.1), and what everybody calls groups. */
export const OIDC_CLAIMS = {
  username: 'preferred_username',
  email: 'email',
  emailVerified: 'email_verified',
  name: 'name',
  groups: 'groups',
} as const satisfies ClaimMapping;

const LONGEST = { username: 128, email: 254, name: 256, group: 256 };
const MOST_GROUPS = 1000;

/**
 * `claims`: of an ID Token, or a SAML Assertion's attributes (each a list of strings). The address is verified only where
 * the claim says `true`, the boolean. `vouchedFor` is for SAML, which has no such claim: the operator has said that this
 * provider's addresses are verified.
 */
export function mapClaims({
  claims,
  mapping,
  vouchedFor = false,
}: {
  readonly claims: Readonly<Record<string, unknown>>;
  readonly mapping: ClaimMapping;
  readonly vouchedFor?: boolean;
}): UpstreamPerson {
  const read = (claim: string | undefined): unknown => (claim === undefined ? undefined : claims[claim]);
  const username = oneText(read(mapping.username), LONGEST.username);
  const address = parseEmail(oneText(read(mapping.email), LONGEST.email) ?? '');
  const name = oneText(read(mapping.name), LONGEST.name);
  return {
    ...(username !== undefined && { username }),
    ...('email' in address && { email: address.email }),
    emailVerified: 'email' in address && (vouchedFor || read(mapping.emailVerified) === true),
    ...(name !== undefined && { name }),
    groups: texts(read(mapping.groups), LONGEST.group),
  };
}

function oneText(value: unknown, longest: number): string | undefined {
  const [only, ...more]: readonly unknown[] = Array.isArray(value) ? value : [value];
  return more.length === 0 && isText(only, longest) ? only : undefined;
}

function texts(value: unknown, longest: number): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  // Past any bound the rest is unknown, and with it whether somebody belongs: then nobody is said to.
  if (values.length > MOST_GROUPS) return [];
  return [...new Set(values.filter((one) => isText(one, longest)))];
}

const isText = (value: unknown, longest: number): value is string =>
  typeof value === 'string' && value.trim() !== '' && value.length <= longest && !/\p{Cc}/u.test(value);
