/**
 * Which passwords may be chosen (NIST SP 800-63B-4 §3.1.1.2).
 *
 * Purpose: long enough, not known from a breach, not the person's own name. Invariant: no rule about kinds of characters,
 * no expiry, nothing cut silently; every problem is told at once, in words that help. It refuses to know present passwords:
 * a policy that becomes stricter locks nobody out.
 */
import { foldPassword, openBlocklist, type PasswordBlocklist } from './password-blocklist.ts';
import { countCodePoints, LONGEST_PASSWORD, normalisePassword } from './password-hash.ts';
import { predictableShape } from './predictable.ts';

/** What is wrong, in sentences for whoever chose it. */
export type ProblemWords = {
  readonly tooLong: (most: number) => string;
  readonly notText: string;
  readonly tooShort: (least: number) => string;
  readonly hasUsername: string;
  readonly hasEmail: string;
  readonly hasService: string;
  readonly breached: string;
  readonly repeated: string;
  readonly decorated: string;
  readonly walk: string;
};

/** Pages bring words of their own language. */
export const ENGLISH: ProblemWords = {
  tooLong: (most) => `Use at most ${most} characters.`,
  notText: 'The password holds something that is not a character.',
  tooShort: (least) => `Use at least ${least} characters. A few unrelated words make a good password.`,
  hasUsername: 'Do not use your username in the password.',
  hasEmail: 'Do not use your e-mail address in the password.',
  hasService: 'Do not use the name of this service in the password.',
  breached: 'This password is known from data breaches and is among the first to be guessed.',
  repeated: 'This is one short or common password repeated; guessers try that.',
  decorated: 'This is a common password with digits or signs around it; guessers try that.',
  walk: 'This follows the keyboard, the alphabet or a count; guessers try that.',
};

/** In code points; the second where a second factor is asked for as well. */
export const SHORTEST_PASSWORD = { alone: 15, withSecondFactor: 10 } as const;

export type PasswordPolicy = {
  /** What is wrong with a password somebody wants to choose, in these words. Empty: it may be used. */
  problems(choice: {
    readonly password: string;
    readonly username: string;
    readonly email: string;
    readonly secondFactor?: boolean;
    readonly words?: ProblemWords | undefined;
  }): readonly string[];
};

// Shorter names turn up inside good passwords by chance.
const SHORTEST_NAME = 4;

export function createPasswordPolicy(needs: {
  /** The issuer's URL: its host name is what people here type all day. */
  readonly issuer: string;
  readonly blocklist?: PasswordBlocklist;
}): PasswordPolicy {
  const { blocklist = openBlocklist() } = needs;
  const houseNames = namesOfHouse(needs.issuer);

  return {
    problems({ password, username, email, secondFactor = false, words = ENGLISH }) {
      const plain = normalisePassword(password);
      if (plain === null) {
        return [password.isWellFormed() ? words.tooLong(LONGEST_PASSWORD) : words.notText];
      }
      const shortest = secondFactor ? SHORTEST_PASSWORD.withSecondFactor : SHORTEST_PASSWORD.alone;
      const folded = foldPassword(plain);
      const problems: string[] = [];
      if (countCodePoints(plain) < shortest) {
        problems.push(words.tooShort(shortest));
      }
      if (holdsName(folded, [username])) problems.push(words.hasUsername);
      if (holdsName(folded, [email, email.split('@')[0] ?? ''])) {
        problems.push(words.hasEmail);
      }
      if (holdsName(folded, houseNames)) problems.push(words.hasService);
      const easy = easyToGuess(folded, blocklist);
      if (easy !== null) problems.push(words[easy]);
      return problems;
    },
  };
}

const easyToGuess = (folded: string, blocklist: PasswordBlocklist) =>
  blocklist.has(folded) ? 'breached' : predictableShape(folded, blocklist);

const holdsName = (folded: string, names: readonly string[]): boolean =>
  names
    .map(foldPassword)
    .some((name) => name !== '' && (name === folded || (name.length >= SHORTEST_NAME && folded.includes(name))));

// `login.example.org`: the host and `example`. Short labels (`id`, `auth`) are parts of ordinary words.
function namesOfHouse(issuer: string): readonly string[] {
  const host = new URL(issuer).hostname;
  const [longest = ''] = host
    .split('.')
    .slice(0, -1)
    .sort((a, b) => b.length - a.length);
  return ['curfew', host, longest].filter((name) => name.length >= SHORTEST_NAME);
}
