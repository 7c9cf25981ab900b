/** Who works at the company, and how they prove it. Names and passwords are compared here and nowhere else. */
import { createHash, timingSafeEqual } from 'node:crypto';

export type Person = {
  /** Names them for good, in both protocols. */
  readonly sub: string;
  readonly username: string;
  readonly name: string;
  readonly email: string;
};

export type People = ReturnType<typeof createPeople>;

const MIRA: Person = {
  sub: 'pinwhistle-1001',
  username: 'mira',
  name: 'Mira Okafor',
  email: 'mira@pinwhistle.example',
};

export function createPeople({ password }: { readonly password: string }) {
  const everybody = [MIRA];
  const expected = digest(password);

  return {
    find: (sub: string | undefined): Person | undefined => everybody.find((person) => person.sub === sub),

    /** Nobody, without saying whether it was the name or the password. */
    prove(typed: { readonly username: string; readonly password: string }): Person | undefined {
      const person = everybody.find(({ username }) => username === typed.username.trim().toLowerCase());
      return timingSafeEqual(digest(typed.password), expected) ? person : undefined;
    },
  };
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
