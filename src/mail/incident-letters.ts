/**
 * What people are written to when an incident concerns them: by the thousand, once each.
 *
 * Invariant: one incident is one mail to one Account, however often its batch is repeated. Whoever has a password that no
 * longer works gets a link to choose another; whoever signs in elsewhere is only told. It refuses to know who is concerned.
 */
import { addSeconds, type Clock } from '../platform/clock.ts';
import type { Mailer } from './outbox.ts';

/** Somebody to write to. */
export type Addressee = {
  readonly id: string;
  readonly email: string;
  readonly locale: string | null;
  /** Null: there is no password to replace. */
  readonly passwordChangedAt: Date | null;
};

export type IncidentLetters = {
  /** Queues them; durable once it resolves. `reset`: present passwords let nobody in any more; `locked`: nothing does. */
  write(
    incidentId: string,
    addressees: readonly Addressee[],
    about: { readonly at: Date; readonly reset: boolean; readonly locked: boolean },
  ): Promise<void>;
};

export function createIncidentLetters({
  mailer,
  mintReset,
  resetSeconds,
  issuer,
  clock,
}: {
  readonly mailer: Pick<Mailer, 'sendMany'>;
  /** Resolves to the bearer value of a link by which this Account chooses another password. */
  readonly mintReset: (addressee: Addressee) => Promise<string>;
  readonly resetSeconds: number;
  readonly issuer: string;
  readonly clock: Pick<Clock, 'now'>;
}): IncidentLetters {
  return {
    async write(incidentId, addressees, { at, reset, locked }) {
      const circumstances = { at, address: null, device: null };
      const letters = addressees.map(async (addressee) => {
        const { id: accountId, email: to, locale, passwordChangedAt } = addressee;
        const letter = { group: incidentId, eventId: `${incidentId}\n${accountId}`, to, accountId, locale };
        if (locked) return { ...letter, mail: { ...circumstances, kind: 'account-locked' } as const };
        if (!reset || passwordChangedAt === null) {
          return { ...letter, mail: { ...circumstances, kind: 'access-ended', link: `${issuer}/sign-in` } as const };
        }
        const link = `${issuer}/reset/confirm?link=${await mintReset(addressee)}`;
        const linkExpiresAt = addSeconds(clock.now(), resetSeconds);
        return { ...letter, mail: { ...circumstances, kind: 'password-reset-required', link, linkExpiresAt } as const };
      });
      await mailer.sendMany(await Promise.all(letters));
    },
  };
}
