/**
 * What each step of an incident does to one batch, and nothing about order, pace or interruption.
 *
 * Invariant: a batch may be done again from its beginning, by this process or another, and comes out the same: an Account
 * that was contained is not contained twice, and whoever has signed in anew since then stays signed in; one that was written
 * to is not written to twice. It knows no mail, no key and no secret: those who own them hand in what is done.
 */
import type { AccountRecord, Actor } from '../../store/records.ts';
import type { Store } from '../../store/port.ts';
import { matching, type WalkPage } from './cohort.ts';
import { everyoneSignOutId, type Failure, type Incident, isEveryone, signOutIdOf, type StepName } from './incident.ts';

export type BatchOutcome = { readonly done: number; readonly skipped: number; readonly failures: readonly Failure[] };

const OPERATOR: Actor = { kind: 'operator' };

/**
 * Ends access for everyone: one write, and before it the demand that makes present passwords worthless. Once more after it:
 * until then people who began before could choose one that is newer than the first demand, and from there on none can, nor
 * on a machine whose clock is ahead.
 */
export async function endAccessOfEveryone(
  { revocations, cohorts }: Pick<Store, 'revocations' | 'cohorts'>,
  incident: Incident,
  needs: {
    readonly now: () => Date;
    readonly demandPasswords: (at: Date) => Promise<void>;
    readonly passwordsDemandedAt: () => Promise<Date | null>;
    /** Throws where another run has taken over: by then people may have chosen what must stay good. */
    readonly still: () => Promise<void>;
  },
): Promise<void> {
  const { requirePasswordReset } = incident.actions;
  const at = needs.now();
  const before = await revocations.findSignOut(everyoneSignOutId(incident.id));
  if (before === null && requirePasswordReset) await needs.demandPasswords(at);
  const ended = await revocations.signOut({
    id: everyoneSignOutId(incident.id),
    scope: { kind: 'everyone' },
    reason: incident.reason,
    actor: OPERATOR,
    at,
  });
  if (!requirePasswordReset) return;
  const demandedAt = await needs.passwordsDemandedAt();
  // Gone on with: what people have chosen since the demand that was made then must stay good.
  if (before !== null && demandedAt !== null && demandedAt > ended.at) {
    return demandOfThose(cohorts, needs.now(), needs.still);
  }
  // Later than either, whose very instant a password of that millisecond may have been put after; one that was made by
  // a clock ahead of this one included.
  const after = [ended.at, demandedAt ?? ended.at].map((each) => each.getTime() + 1);
  const demanded = new Date(Math.max(needs.now().getTime(), ...after));
  await needs.still();
  await needs.demandPasswords(demanded);
  await demandOfThose(cohorts, demanded, needs.still);
}

/**
 * Demands another password of each Account whose own is newer than this. Access has ended a moment ago, so whoever put one
 * later than that by the clock of another machine did so before, on a clock that is ahead.
 */
async function demandOfThose(
  cohorts: Store['cohorts'],
  passwordChangedAfter: Date,
  still: () => Promise<void>,
): Promise<void> {
  for await (const page of matching({ cohorts }, { conditions: { passwordChangedAfter }, listed: null })) {
    await still();
    await cohorts.contain(
      page.map(({ id: accountId, password }) => ({
        accountId,
        signOut: null,
        passwordResetRequiredAt: password?.changedAt ?? null,
        disable: false,
      })),
    );
  }
}

/**
 * Contains the Accounts of a page. Where everyone's access has ended by one write already, what is left to do is kept with
 * each Account; disabling ends whatever has begun in between.
 */
export async function containPage(
  { cohorts }: Pick<Store, 'cohorts'>,
  { id, reason, actions, cohort, steps }: Incident,
  { ids }: WalkPage,
  now: Date,
): Promise<BatchOutcome & { readonly contained: readonly string[] }> {
  const endedAt = steps.find(({ name }) => name === 'end-access')?.startedAt ?? null;
  const alone = isEveryone(cohort) && !actions.disable;
  const answers = await cohorts.contain(
    ids.map((accountId) => ({
      accountId,
      signOut: alone
        ? null
        : { id: signOutIdOf(id, accountId), scope: { kind: 'account', accountId }, reason, actor: OPERATOR, at: now },
      // With everyone's own demand passwords chosen since are good; with the Account's Sign-out they are not.
      passwordResetRequiredAt: actions.requirePasswordReset ? (alone ? endedAt : now) : null,
      disable: actions.disable,
    })),
  );
  const gone = ids.filter((_, nth) => answers[nth] === 'unknown');
  return {
    // Those of before as well: whoever did it may have gone before it was on the record.
    contained: ids.filter((_, nth) => answers[nth] !== 'unknown'),
    done: ids.length - gone.length,
    skipped: gone.length,
    failures: failed(gone, 'contain', 'deleted-meanwhile'),
  };
}

/** Whom of a page to write to, and why not to the others. */
export function addresseesOf<Addressee extends { readonly id: string; readonly email: string }>(
  { actions }: Incident,
  { ids, accounts }: WalkPage,
  view: (record: AccountRecord) => Addressee,
): { readonly addressees: readonly Addressee[]; readonly failures: readonly Failure[] } {
  const addressees: Addressee[] = [];
  const failures: Failure[] = [];
  for (const accountId of ids) {
    const record = accounts.get(accountId);
    const viewed = record === undefined ? null : view(record);
    if (record === undefined || viewed === null) failures.push({ accountId, step: 'notify', why: 'deleted-meanwhile' });
    // Locked by an operator before: what it is asked to do would be refused.
    else if (record.status === 'disabled' && !actions.disable)
      failures.push({ accountId, step: 'notify', why: 'disabled' });
    else if (viewed.email === '') failures.push({ accountId, step: 'notify', why: 'no-address' });
    else addressees.push(viewed);
  }
  return { addressees, failures };
}

/** Looks at the Accounts of a page as they are kept, whatever the steps believe to have done. */
export async function checkPage(
  { revocations }: Pick<Store, 'revocations'>,
  { id, actions, cohort, openedAt }: Incident,
  { ids, accounts }: WalkPage,
): Promise<BatchOutcome> {
  const everyone = isEveryone(cohort);
  const ended = everyone && (await revocations.findSignOut(everyoneSignOutId(id))) !== null;
  const isContained = async (record: AccountRecord): Promise<boolean> => {
    const signedOut = ended || (await revocations.findSignOut(signOutIdOf(id, record.id))) !== null;
    return (
      signedOut &&
      (!actions.requirePasswordReset || isDemanded(record, openedAt)) &&
      (!actions.disable || record.status !== 'active')
    );
  };
  const living = ids.flatMap((accountId) => accounts.get(accountId) ?? []);
  const verdicts = await Promise.all(living.map(isContained));
  const missed = living.filter((_, nth) => !verdicts[nth]).map((record) => record.id);
  return {
    done: living.length - missed.length,
    skipped: ids.length - living.length,
    failures: failed(missed, 'check', 'not-contained'),
  };
}

/** No password of before the incident lets anybody in. */
const isDemanded = ({ password, passwordResetRequiredAt }: AccountRecord, openedAt: Date): boolean =>
  password === null ||
  password.changedAt > openedAt ||
  (passwordResetRequiredAt !== null && passwordResetRequiredAt >= openedAt);

const failed = (ids: readonly string[], step: StepName, why: Failure['why']): Failure[] =>
  ids.map((accountId) => ({ accountId, step, why }));
