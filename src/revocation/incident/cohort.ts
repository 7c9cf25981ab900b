/**
 * Whom an incident is about: counted beforehand, settled when it is opened, walked while it is carried out.
 *
 * Invariant: a walk comes by every Account of the cohort once, in the order of the ids, however often it is cut off; and
 * whoever was created after the incident was opened is in none.
 */
import type { CohortRepository, Conditions } from '../../store/cohorts.ts';
import type { IncidentRepository } from '../../store/incidents.ts';
import type { AccountRecord } from '../../store/records.ts';
import { type Cohort, type Incident, isSettledBefore } from './incident.ts';

const AT_ONCE = 1000;

/** Accounts that an operator means: conditions, and a list of ids where there is one. */
export type Meant = { readonly conditions: Conditions; readonly listed: readonly string[] | null };

/** A page of a walk. An id without a record is an Account that was deleted since the cohort was settled. */
export type WalkPage = {
  readonly ids: readonly string[];
  readonly accounts: ReadonlyMap<string, AccountRecord>;
};

type Stores = { readonly cohorts: CohortRepository; readonly incidents: IncidentRepository };

export const cohortOf = ({ conditions, listed }: Meant): Cohort => ({ conditions, listed: listed?.length ?? null });

/** Accounts that match now, page by page, by id ascending. */
export async function* matching(
  { cohorts }: Pick<Stores, 'cohorts'>,
  { conditions, listed }: Meant,
): AsyncGenerator<readonly AccountRecord[]> {
  if (listed === null) {
    for (let after: string | undefined; ;) {
      const page = await cohorts.matching(conditions, { after, limit: AT_ONCE });
      if (page.length > 0) yield page;
      if (page.length < AT_ONCE) return;
      after = page.at(-1)?.id;
    }
  }
  const ids = [...new Set(listed)].sort();
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const page = await cohorts.matching(conditions, { limit: AT_ONCE, among: ids.slice(from, from + AT_ONCE) });
    if (page.length > 0) yield page;
  }
}

/** Writes down who is in, where that would change under the walk; resolves to how many Accounts it is about. */
export async function settle(
  stores: Stores,
  { incidentId, meant, openedAt }: { readonly incidentId: string; readonly meant: Meant; readonly openedAt: Date },
  seen: (accounts: number) => void,
): Promise<number> {
  if (!isSettledBefore(cohortOf(meant))) return stores.cohorts.count(bounded(meant.conditions, openedAt));
  let accounts = 0;
  for await (const page of matching(stores, meant)) {
    await stores.incidents.addMembers(
      incidentId,
      page.map(({ id }) => id),
    );
    seen((accounts += page.length));
  }
  return accounts;
}

/** The next Accounts of the cohort after `cursor`; none when the walk is at its end. */
export async function walk(
  { cohorts, incidents }: Stores,
  { id, cohort, openedAt }: Incident,
  { cursor, limit }: { readonly cursor: string | null; readonly limit: number },
): Promise<WalkPage> {
  const page = { after: cursor ?? undefined, limit };
  if (!isSettledBefore(cohort)) {
    const accounts = await cohorts.matching(bounded(cohort.conditions, openedAt), page);
    return { ids: accounts.map((account) => account.id), accounts: byId(accounts) };
  }
  const ids = await incidents.membersOf(id, page);
  if (ids.length === 0) return { ids, accounts: new Map() };
  return { ids, accounts: byId(await cohorts.matching({}, { among: ids, limit: ids.length })) };
}

const byId = (accounts: readonly AccountRecord[]): ReadonlyMap<string, AccountRecord> =>
  new Map(accounts.map((account) => [account.id, account]));

/** Whoever was there when the incident was opened. */
function bounded(conditions: Conditions, openedAt: Date): Conditions {
  const end = new Date(openedAt.getTime() + 1);
  const { createdBefore } = conditions;
  return { ...conditions, createdBefore: createdBefore !== undefined && createdBefore < end ? createdBefore : end };
}
