/**
 * What a username and an e-mail address may look like, and when two of them are the same one.
 *
 * Purpose: one canonical form for both, so that one index finds a person by either. Invariant: only ASCII letters are
 * folded. Unicode folding and NFKC make `mıke@`, `Ｍike@` and `mike@` one person, and have handed accounts to strangers
 * (CVE-2019-19844); here they are different strings, and the odd ones cannot be registered at all. It refuses to know who
 * holds an identifier.
 */

/** Why an identifier cannot be used: a word for programs, a sentence for people. */
export type IdentifierProblem<Word extends string> = { readonly refused: Word; readonly problem: string };

const USERNAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
// The atoms of RFC 5322 §3.2.3, without `%` and `!`: old relays read those as routes to somebody else's mailbox.
const LOCAL_ATOM = /^[A-Za-z0-9#$&'*+/=?^_`{|}~-]+$/;
const DOMAIN_LABEL = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
const LONGEST_EMAIL = 254;
const LONGEST_LOCAL_PART = 64;

/** The identifier as it is compared: without spaces and tabs around it, ASCII letters lower-cased, nothing else changed. */
export function canonicalIdentifier(typed: string): string {
  return trimBlanks(typed).replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** The username as it is kept, or why it cannot be one. 1 to 64 of `A-Z a-z 0-9 . _ -`, first a letter or a digit. */
export function parseUsername(typed: string): { username: string } | IdentifierProblem<'bad-username'> {
  const username = trimBlanks(typed);
  if (USERNAME.test(username)) return { username };
  return {
    refused: 'bad-username',
    problem:
      'A username has 1 to 64 letters (a–z), digits, dots, dashes or underscores, and starts with a letter or digit.',
  };
}

/**
 * The e-mail address as it is kept, or why it cannot be one. Plain `local@domain` in ASCII, at most 254 characters
 * (RFC 5321 §4.5.3.1): no quoted local part, no list, no comment, no address literal. International domains go in their
 * `xn--` form.
 */
export function parseEmail(typed: string): { email: string } | IdentifierProblem<'bad-email'> {
  const email = trimBlanks(typed);
  const [local = '', domain = '', ...more] = email.length > LONGEST_EMAIL ? [] : email.split('@');
  const labels = domain.split('.');
  const good =
    more.length === 0 &&
    local.length <= LONGEST_LOCAL_PART &&
    local.split('.').every((atom) => LOCAL_ATOM.test(atom)) &&
    labels.every((label) => DOMAIN_LABEL.test(label)) &&
    // `user@10.0.0.1` is an address literal in disguise.
    !/^\d+$/.test(labels.at(-1) ?? '');
  if (good) return { email };
  return { refused: 'bad-email', problem: 'This does not look like one e-mail address, such as name@example.org.' };
}

// By hand: `/[ \t]+$/` takes quadratic time over a long run of blanks that ends in something else.
function trimBlanks(typed: string): string {
  let start = 0;
  let end = typed.length;
  while (start < end && isBlank(typed[start])) start += 1;
  while (end > start && isBlank(typed[end - 1])) end -= 1;
  return typed.slice(start, end);
}

const isBlank = (character: string | undefined): boolean => character === ' ' || character === '\t';
