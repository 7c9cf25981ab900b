/** What applications were told of a sign-out, and what they answered; for the person who pressed the button. */
import { randomBytes } from 'node:crypto';

export type Told = { readonly who: string; readonly by: string; readonly answer: string };
export type SignOut = { readonly at: Date; readonly name: string; readonly told: readonly Told[] };

export type SignOuts = ReturnType<typeof createSignOuts>;

const MOST_KEPT = 100;

export function createSignOuts({ now }: { readonly now: () => Date }) {
  const kept = new Map<string, SignOut>();

  return {
    /** Resolves to a name for it that cannot be guessed. */
    begin({ name, told }: { readonly name: string; readonly told: readonly Told[] }): string {
      const id = randomBytes(16).toString('base64url');
      kept.set(id, { at: now(), name, told });
      const [oldest] = kept.keys();
      if (kept.size > MOST_KEPT && oldest !== undefined) kept.delete(oldest);
      return id;
    },

    /** One that was told last is heard from. */
    heard(id: string, told: Told): void {
      const signOut = kept.get(id);
      if (signOut) kept.set(id, { ...signOut, told: [...signOut.told.filter(({ by }) => by !== told.by), told] });
    },

    find: (id: string): SignOut | undefined => kept.get(id),
  };
}
