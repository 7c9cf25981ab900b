/**
 * Checking the record where it is kept: the same rules as for a file, and that every sealed detail opens and is the one that
 * was committed to. One that is gone must be of an account that is gone.
 */
import type { Keyring } from '../platform/keyring.ts';
import type { EventRecord, JournalRepository } from '../store/journal.ts';
import type { AccountRepository } from '../store/port.ts';
import type { AuditKey } from './audit-key.ts';
import { type Chain, placeOf } from './chain.ts';
import { commitmentOf, sealedDetails } from './details.ts';
import { follow, type Following, type SignedPlace } from './follow.ts';
import { checkAnchors, type Verified } from './verify-file.ts';

const PAGE = 500;
/** Accounts whose end is remembered: events of one come close together. */
const REMEMBERED = 10_000;

export type StoreNeeds = {
  readonly store: JournalRepository;
  readonly accounts: Pick<AccountRepository, 'find'>;
  readonly chain: Chain;
  readonly keyring: Pick<Keyring, 'seal' | 'unseal'>;
  readonly key: AuditKey;
  readonly issuer: string;
};

export async function verifyStore(
  { store, accounts, chain, keyring, key: { checker }, issuer }: StoreNeeds,
  {
    anchors = [],
    progress,
  }: {
    readonly anchors?: readonly SignedPlace[];
    readonly progress?: (done: number, total: number) => void;
  } = {},
): Promise<Verified> {
  await chain.extend();
  const begin = await chain.beginning();
  const end = await store.head();
  const following = follow({ checker, begin, anchors });
  const details = detailChecks({ accounts, keyring, following });
  for (let after = begin.seq; ;) {
    const events = await store.chained({ after, limit: PAGE });
    if (events.length === 0) break;
    for (const event of events) {
      following.next({ ...event, ...placeOf(event) }, null);
      await details(event);
    }
    after = events.at(-1)?.seq ?? after;
    progress?.(after - begin.seq, Math.max(end?.seq ?? 0, after) - begin.seq);
  }
  if (end !== null && following.last.seq < end.seq) {
    const text = `the record ends with ${following.last.seq}, and its chain goes through ${end.seq}`;
    following.report({ line: null, seq: following.last.seq, problem: 'cut-off', text });
  }
  if (begin.vouchedBy !== null && !following.notesPruning(begin.vouchedBy)) {
    const text = `the record begins with ${begin.seq + 1}, and no event of it says that what came before was deleted in time`;
    following.report({ line: null, seq: begin.seq + 1, problem: 'pruning', text });
  }
  checkAnchors(anchors, following, null);
  const { faults, found, events, last, lastCheckpoint } = following;
  const place = { from: begin.seq + 1, through: last.seq, head: last.hash };
  const said = { issuer, exportedAt: null, kid: checker.kid };
  return { ok: found === 0, faults, found, events, ...place, lastCheckpoint, ...said };
}

function detailChecks({
  accounts,
  keyring,
  following,
}: {
  readonly accounts: Pick<AccountRepository, 'find'>;
  readonly keyring: Pick<Keyring, 'seal' | 'unseal'>;
  readonly following: Following;
}): (event: EventRecord) => Promise<void> {
  const details = sealedDetails(keyring);
  const gone = new Map<string, boolean>();
  const isGone = async (accountId: string): Promise<boolean> => {
    const known = gone.get(accountId);
    if (known !== undefined) return known;
    if (gone.size >= REMEMBERED) gone.clear();
    const account = await accounts.find(accountId);
    gone.set(accountId, account === null || account.status === 'deleted');
    return account === null || account.status === 'deleted';
  };
  const faultOf = async ({ id, sealed, commitment, accountId }: EventRecord): Promise<string | null> => {
    if (sealed === '') {
      return accountId !== null && (await isGone(accountId)) ? null : 'its detail is gone, and nobody was deleted';
    }
    try {
      return commitmentOf(details.open(id, sealed)) === commitment ? null : 'its detail is not what was committed to';
    } catch {
      return 'its detail does not open';
    }
  };
  return async (event) => {
    const fault = await faultOf(event);
    if (fault === null) return;
    following.report({ line: null, seq: event.seq, problem: 'detail', text: `event ${event.seq}: ${fault}` });
  };
}
