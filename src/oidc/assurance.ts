/**
 * How sure a sign-in is (`acr`, OpenID Connect Core §2), on a ladder of two rungs named after NIST SP 800-63B-4 §2: one factor,
 * or two. What a Client asks for is met by that rung or a higher one; a value that is not on the ladder is not asked for.
 */
export const ASSURANCES = ['aal1', 'aal2'] as const;
export type Assurance = (typeof ASSURANCES)[number];

export const meets = (has: string | undefined, asked: Assurance): boolean =>
  ASSURANCES.indexOf(has as Assurance) >= ASSURANCES.indexOf(asked);

/** The least that would do, of several values; null when none of them is ours. */
function leastOf(values: readonly unknown[]): Assurance | null {
  return ASSURANCES.find((assurance) => values.includes(assurance)) ?? null;
}

type Asking = {
  /** `acr_values` of an authorization request (OpenID Connect Core §3.1.2.1). */
  readonly acrValues?: unknown;
  /** Whether every sign-in at this Client needs two factors, whatever it asks for. */
  readonly clientRequires?: boolean;
};

/** What an authorization request asks for; null when anything will do. */
export function askedFor({ acrValues, clientRequires = false }: Asking): Assurance | null {
  if (clientRequires) return 'aal2';
  return leastOf(typeof acrValues === 'string' ? acrValues.split(' ') : []);
}
