/** What the specifications share: asking many things at once, walking pages, and asking whether something is alive. */
import type { Page, Store } from '../../../src/store/port.ts';
import type { ArtifactRecord, IdentityRecord, Stamps } from '../../../src/store/records.ts';
import { account, artifact, client, clientSession, identifiers, start } from '../../support/records.ts';

/** Asks `times` times at once, in turn through each of the handles. */
export const atOnce = <T>(
  times: number,
  handles: readonly Store[],
  ask: (store: Store, index: number) => Promise<T>,
): Promise<T[]> =>
  Promise.all(Array.from({ length: times }, (_, index) => ask(handles[index % handles.length] as Store, index)));

/** Walks every page, `limit` rows at a time, going on after the last row's `cursor`. */
export const walk = async <T>(
  limit: number,
  list: (page: Page) => Promise<readonly T[]>,
  cursor: (row: T) => string,
): Promise<T[]> => {
  const rows: T[] = [];
  for (let after: string | undefined; ;) {
    const page = await list(after === undefined ? { limit } : { after, limit });
    if (page.length > limit) throw new Error(`a page of ${limit} held ${page.length}`);
    rows.push(...page);
    const last = page.at(-1);
    if (last === undefined) return rows;
    if (cursor(last) === after) throw new Error('the cursor does not move');
    after = cursor(last);
  }
};

/** An artifact of these stamps, found at every door by which one is found. */
export const save = async (store: Store, name: string, stamps: Stamps, overrides: Partial<ArtifactRecord> = {}) => {
  const saved = artifact(name, {
    model: 'Session',
    uid: `uid:${name}`,
    userCode: `code:${name}`,
    accountId: 'alice',
    ...overrides,
    stamps,
  });
  await store.artifacts.save(saved);
  return saved;
};

/** Whether the artifact is alive: `true` or `false` when every door agrees, else each door's own answer. */
export const isAlive = async (store: Store, saved: ArtifactRecord, now: Date = start) => {
  const sessions = await store.artifacts.sessionsOf(saved.accountId ?? '', now);
  const doors = {
    find: (await store.artifacts.find(saved.key, now)) !== null,
    findByUid: (await store.artifacts.findByUid(saved.model, saved.uid ?? '', now)) !== null,
    findByUserCode: (await store.artifacts.findByUserCode(saved.userCode ?? '', now)) !== null,
    sessionsOf: sessions.some(({ uid }) => uid === saved.uid),
    stand: await store.revocations.stand(saved.stamps),
  };
  const answers = new Set(Object.values(doors));
  return answers.size === 1 ? doors.find : doors;
};

/** Which of the named artifacts are alive. */
export const aliveAmong = async (
  store: Store,
  saved: { readonly [name: string]: ArtifactRecord },
  now: Date = start,
) => {
  const alive: string[] = [];
  for (const [name, record] of Object.entries(saved)) if (await isAlive(store, record, now)) alive.push(name);
  return alive;
};

export const grantIds = (sessions: readonly { readonly grantId: string }[]): string[] =>
  sessions.map(({ grantId }) => grantId);

export const ids = (rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id);

/** 1, 2, … `count`. */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

/** The accounts and clients that tests speak of, so that each epoch has the record it belongs to. */
export const populate = async (
  store: Store,
  accountIds: readonly string[] = ['alice', 'bob'],
  clientIds: readonly string[] = ['player', 'tv'],
) => {
  for (const id of accountIds) await store.accounts.insert(account(id), identifiers(id));
  for (const id of clientIds) await store.catalogue.saveClient(client(id));
};

/** Accounts by the hundred, each signed in at the player; in a few writes. */
export const settleMany = async (
  store: Store,
  names: readonly string[],
  identities: (nth: number) => readonly Omit<IdentityRecord, 'accountId'>[] = () => [],
): Promise<void> => {
  const rows = names.map((name, nth) => {
    const { password, ...record } = account(name);
    const kept = { passwordHash: password?.hash ?? null, passwordChangedAt: password?.changedAt ?? null };
    return { ...record, ...kept, ...identifiers(name), identities: identities(nth), credentials: [] };
  });
  const sessions = names.map((name) => {
    const { grantId, ...session } = clientSession(name, { accountId: name });
    return { id: grantId, ...session };
  });
  for (let first = 0; first < names.length; first += 500) {
    await store.transfer.write('accounts', rows.slice(first, first + 500));
    await store.transfer.write('clientSessions', sessions.slice(first, first + 500));
  }
};

/** Sweeps until there is no more; resolves to how many went. */
export const sweepAll = async (store: Store, now: Date, limit = 1000): Promise<number> => {
  for (let all = 0; ;) {
    const { swept, more } = await store.sweep({ now, limit });
    all += swept;
    if (!more) return all;
  }
};
