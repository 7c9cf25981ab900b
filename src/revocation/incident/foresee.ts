/**
 * What an incident would come to, before anything is done: whom it is about, who would be told, who would be written to, and
 * about how long it takes. Changes nothing.
 */
import type { CohortRepository } from '../../store/cohorts.ts';
import type { Tellable } from '../fan-out.ts';
import { cohortOf, matching, type Meant } from './cohort.ts';
import { type Actions, isEveryone, type Pace } from './incident.ts';

export type Foreseen = {
  readonly accounts: number;
  /** Apps where somebody of them is signed in. */
  readonly clients: readonly {
    readonly clientId: string;
    readonly accounts: number;
    readonly sessions: number;
    /** Logout Tokens owed; null for one that cannot be told and learns by being refused. */
    readonly notices: number | null;
  }[];
  readonly notices: number;
  /** At most: not everybody has an address. */
  readonly mails: number;
  /** In seconds. Null where nobody can know: mails go as fast as their server takes them. */
  readonly estimate: { readonly containing: number; readonly telling: number; readonly writing: number | null };
};

/** What one machine of two cores does in a second, as measured (docs/performance.md), and rounded down. */
const CONTAINED_PER_SECOND = 2000;
const TOLD_PER_SECOND = 500;

type Reached = { accounts: number; sessions: number };

export async function foresee(
  { cohorts }: { readonly cohorts: CohortRepository },
  meant: Meant,
  {
    actions,
    pace,
    mailsPerMinute,
    tellable,
    seen,
  }: {
    readonly actions: Pick<Actions, 'notify' | 'requirePasswordReset' | 'disable'>;
    readonly pace: Pace;
    /** What the mail worker is allowed; null: as fast as it goes. */
    readonly mailsPerMinute: number | null;
    readonly tellable: (clientId: string) => Promise<Tellable>;
    readonly seen: (accounts: number) => void;
  },
): Promise<Foreseen> {
  const everyone = isEveryone(cohortOf(meant));
  const reached = new Map<string, Reached>();
  const add = (rows: Awaited<ReturnType<CohortRepository['reach']>>): void => {
    for (const { clientId, accounts, sessions } of rows) {
      const before = reached.get(clientId) ?? { accounts: 0, sessions: 0 };
      reached.set(clientId, { accounts: before.accounts + accounts, sessions: before.sessions + sessions });
    }
  };
  let accounts = 0;
  if (everyone) {
    accounts = await cohorts.count({});
    add(await cohorts.reach('everyone'));
  } else {
    for await (const page of matching({ cohorts }, meant)) {
      add(await cohorts.reach(page.map(({ id }) => id)));
      seen((accounts += page.length));
    }
  }
  const clients = await Promise.all(
    [...reached].map(async ([clientId, each]) => {
      const told = await tellable(clientId);
      return {
        clientId,
        ...each,
        notices: told === null ? null : told.sessionRequired ? each.sessions : each.accounts,
      };
    }),
  );
  const notices = clients.reduce((sum, client) => sum + (client.notices ?? 0), 0);
  const mails = actions.notify ? accounts : 0;
  const walked = everyone && !actions.requirePasswordReset && !actions.disable ? 0 : accounts;
  const perMinute = leastOf(pace.mailsPerMinute, mailsPerMinute);
  return {
    accounts,
    clients: clients.toSorted((a, b) => (a.clientId < b.clientId ? -1 : 1)),
    notices,
    mails,
    estimate: {
      containing: Math.ceil(walked / Math.min(pace.accountsPerSecond ?? Infinity, CONTAINED_PER_SECOND)),
      telling: Math.ceil(notices / TOLD_PER_SECOND),
      writing: mails === 0 ? 0 : perMinute === null ? null : Math.ceil((mails / perMinute) * 60),
    },
  };
}

const leastOf = (one: number | null, other: number | null): number | null =>
  one === null ? other : other === null ? one : Math.min(one, other);
