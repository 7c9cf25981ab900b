/**
 * What an incident must have come to, read from the rows of the store by somebody who knows nothing of how it is carried
 * out: whom it should have reached is what the test says, and what became of each is what lies there.
 */
import type { Store } from '../../src/store/port.ts';
import type { Kind, RowOf } from '../../src/store/transfer.ts';

export type Expected = {
  /** Ids of everybody it is about; null: of everyone there is. */
  readonly listed: readonly string[] | null;
  /** Its instant: when it was opened. */
  readonly openedAt: Date;
  /** By which its Sign-outs are known. */
  readonly reason: string;
  /** How each Client is told; absent: it cannot be. */
  readonly told: Readonly<Record<string, 'by sid' | 'by sub'>>;
};

export type Missed = { readonly accountId: string; readonly what: string };

async function everyRow<K extends Kind>({ transfer }: Store, kind: K): Promise<RowOf[K][]> {
  const all: RowOf[K][] = [];
  for (let after: string | undefined; ;) {
    const page = await transfer.rows(kind, { after, limit: 1000, aliveAt: new Date(0) });
    all.push(...page);
    if (page.length < 1000) return all;
    after = page.at(-1)?.id;
  }
}

const MAILS = ['password-reset-required', 'access-ended', 'account-locked'];

/** Everybody who was missed, and what was done to them too often, or to somebody else. */
export async function missedBy(store: Store, { listed, openedAt, reason, told }: Expected): Promise<readonly Missed[]> {
  const [accounts, sessions, signOuts, deliveries, mails, facts] = [
    await everyRow(store, 'accounts'),
    await everyRow(store, 'clientSessions'),
    (await everyRow(store, 'signOuts')).filter((each) => each.reason === reason),
    await everyRow(store, 'deliveries'),
    (await everyRow(store, 'mails')).filter(({ kind, createdAt }) => MAILS.includes(kind) && createdAt >= openedAt),
    await everyRow(store, 'facts'),
  ];
  const wanted = listed === null ? null : new Set(listed);
  const demanded = facts.find(({ id }) => id === 'passwords-demanded-at')?.value;
  const ofEveryone = wanted === null && demanded !== undefined ? new Date(demanded) : new Date(0);
  const missed: Missed[] = [];
  for (const account of accounts) {
    const accountId = account.id;
    const note = (what: string): void => void missed.push({ accountId, what });
    const isIn = wanted === null ? account.createdAt <= openedAt : wanted.has(accountId);
    const own = signOuts.filter(({ scope }) => scope.kind === 'account' && scope.accountId === accountId);
    const ends = wanted === null ? signOuts.filter(({ scope }) => scope.kind === 'everyone') : own;
    const letters = mails.filter((each) => each.accountId === accountId);
    const theirs = sessions.filter(
      ({ firstUsedAt, endedAt, ...each }) =>
        each.accountId === accountId && firstUsedAt <= openedAt && (endedAt === null || endedAt >= openedAt),
    );
    const notices = deliveries.filter(
      (each) => each.accountId === accountId && signOuts.some(({ id }) => id === each.signOutId),
    );
    if (!isIn) {
      if (own.length > 0) note('signed out, and not meant');
      if (letters.length > 0) note('written to, and not meant');
      if (wanted !== null && theirs.some(({ endedAt }) => endedAt !== null)) note('a device ended, and not meant');
      if (wanted !== null && (account.passwordResetRequiredAt ?? new Date(0)) >= openedAt)
        note('a password demanded, and not meant');
      continue;
    }
    const { passwordHash, passwordChangedAt, passwordResetRequiredAt } = account;
    const demandedAt = [passwordResetRequiredAt ?? new Date(0), ofEveryone].sort((a, b) => +b - +a)[0] ?? new Date(0);
    const worthless = passwordHash === null || (passwordChangedAt ?? new Date(0)) > openedAt || demandedAt >= openedAt;
    if (!worthless) note('the old password works');
    if (ends.length !== 1) note(`${ends.length} sign-outs`);
    if (ends.some(({ at, status }) => at < openedAt || status !== 'complete')) note('a sign-out that is not complete');
    if (theirs.some(({ endedAt }) => endedAt === null)) note('a device that has not ended');
    const owed = theirs.flatMap(({ clientId, sid }) =>
      told[clientId] === undefined ? [] : [told[clientId] === 'by sid' ? `${clientId} ${sid}` : `${clientId} null`],
    );
    const written = notices.map(({ clientId, sid }) => `${clientId} ${sid}`).sort();
    if ([...new Set(owed)].sort().join() !== written.join()) note(`notices ${written.join()} for ${owed.join()}`);
    // Whoever is locked by an operator, or has no address, is not written to.
    const letterWanted = account.status === 'active' && account.email !== null ? 1 : 0;
    if (letters.length !== letterWanted) note(`${letters.length} mails`);
  }
  return missed;
}
