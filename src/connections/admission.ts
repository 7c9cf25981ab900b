/**
 * Who may come in through a connection.
 *
 * Invariant: a rule that is set lets in only whom it plainly names; an address counts only if it is verified; and an empty
 * list lets in nobody. It refuses to know who anybody is here.
 */
import { domainToASCII } from 'node:url';

import { parseEmail } from '../accounts/identifiers.ts';
import type { UpstreamPerson } from './claims.ts';

/** Absent: no such rule. Where both are set, both must be met. */
export type AdmissionPolicy = {
  /** Exactly these, without their subdomains. International ones in either form. */
  readonly emailDomains?: readonly string[] | undefined;
  /** Exactly these, in their very case; one of them is enough. */
  readonly groups?: readonly string[] | undefined;
};

export type Admission = { readonly admitted: true } | { readonly refused: AdmissionRefusal };
export type AdmissionRefusal = 'email-missing' | 'email-unverified' | 'email-domain' | 'group';

export function admit({
  person: { email, emailVerified, groups },
  policy,
}: {
  readonly person: UpstreamPerson;
  readonly policy: AdmissionPolicy;
}): Admission {
  const { emailDomains, groups: allowedGroups } = policy;
  if (emailDomains !== undefined) {
    if (email === undefined) return { refused: 'email-missing' };
    if (!emailVerified) return { refused: 'email-unverified' };
    const domain = domainOf(email);
    if (!emailDomains.some((allowed) => parseEmailDomain(allowed) === domain)) {
      return { refused: 'email-domain' };
    }
  }
  if (allowedGroups !== undefined && !allowedGroups.some((allowed) => groups.includes(allowed))) {
    return { refused: 'group' };
  }
  return { admitted: true };
}

/**
 * A domain as an operator writes it, in the form in which it is compared; undefined where it is none. Only what operators
 * write is converted: an address from outside that is not ASCII already is no address here (`parseEmail`), so that no
 * look-alike is ever folded into a domain that is let in.
 */
export function parseEmailDomain(written: string): string | undefined {
  // Before conversion, which drops what follows the host of a URL.
  if (/[\s/:@?#%\\*[\]]/.test(written)) return undefined;
  const domain = domainToASCII(written).toLowerCase();
  return 'email' in parseEmail(`a@${domain}`) ? domain : undefined;
}

const domainOf = (email: string): string => email.slice(email.indexOf('@') + 1).toLowerCase();
