/**
 * Containing many accounts in MongoDB. Each is one update of one document, decided by what was read of it and written only if
 * nobody has changed it since, as everything that belongs to a scope is (scopes.ts); a batch of them is read at once and
 * written at once, and whoever was changed in between is read again.
 */
import type { Contained, Containment } from '../cohorts.ts';
import { randomId } from '../../platform/random.ts';
import { keyOf } from './account-documents.ts';
import { type Models, trusted } from './database.ts';
import type { PendingSignOut, ScopeDocument } from './documents.ts';
import { raiseFor } from './scopes.ts';
import { IN_ANY_ORDER } from './transfer-bulk.ts';

/** What of a document is read to decide. */
const DECIDED_BY = {
  revision: 1,
  epoch: 1,
  spared: 1,
  pending: 1,
  signedOutAt: 1,
  'account.status': 1,
  'account.passwordChangedAt': 1,
  'account.passwordResetRequiredAt': 1,
} as const;

type Turn = { readonly index: number; readonly containment: Containment };
type Write = { readonly turn: Turn; readonly revision: number; readonly update: object };

/** In the order of the batch. */
export async function contain(models: Models, batch: readonly Containment[]): Promise<readonly Contained[]> {
  const answers: Contained[] = [];
  // Names who put a pending Sign-out there, until it is leased: of two that contain an account at once, one did.
  const mark = `contained-by:${randomId()}`;
  let left: Turn[] = batch.map((containment, index) => ({ index, containment }));
  while (left.length > 0) {
    // One that is in the batch twice has two turns.
    const first = new Map<string, Turn>();
    for (const turn of left) if (!first.has(turn.containment.accountId)) first.set(turn.containment.accountId, turn);
    const turns = [...first.values()];
    const { documents, spread } = await present(models, turns);
    const writes: Write[] = [];
    for (const turn of turns) {
      const document = documents.get(keyOf(turn.containment.accountId));
      const answer = decided(turn.containment, document, spread, `${mark}:${turn.index}`);
      if (typeof answer === 'string') answers[turn.index] = answer;
      else writes.push({ turn, ...answer });
    }
    // Whoever was not written has another turn: by then it says whose the change was that came between.
    if (writes.length > 0 && (await written(models, writes))) {
      for (const { turn } of writes) answers[turn.index] = 'contained';
    }
    left = left.filter(({ index }) => answers[index] === undefined);
  }
  return answers;
}

async function present({ scopes, signOuts }: Models, turns: readonly Turn[]) {
  const found = await scopes
    .find({ _id: trusted({ $in: turns.map(({ containment }) => keyOf(containment.accountId)) }) }, DECIDED_BY)
    .lean<ScopeDocument[]>();
  // After the documents: one that has left there has a document of its own by now.
  const ids = turns.flatMap(({ containment }) => containment.signOut?.id ?? []);
  const spread = await signOuts.find({ _id: trusted({ $in: ids }) }, { _id: 1 }).lean<{ _id: string }[]>();
  return {
    documents: new Map(found.map((each) => [each._id, each])),
    spread: new Set(spread.map(({ _id }) => _id)),
  };
}

function decided(
  { signOut, passwordResetRequiredAt, disable }: Containment,
  document: ScopeDocument | undefined,
  spread: ReadonlySet<string>,
  mark: string,
): Contained | Omit<Write, 'turn'> {
  const pending = signOut === null ? undefined : document?.pending.find(({ id }) => id === signOut.id);
  if (pending !== undefined) return pending.holder === mark ? 'contained' : 'contained-before';
  if (signOut !== null && spread.has(signOut.id)) return 'contained-before';
  const account = document?.account;
  if (document === undefined || account === undefined || account.status === 'deleted') return 'unknown';
  const change = signOut === null ? {} : marked(raiseFor(signOut, document).change, mark);
  const set = signOut === null ? null : account.passwordChangedAt;
  const demandedAt =
    passwordResetRequiredAt === null ? null : latest(passwordResetRequiredAt, account.passwordResetRequiredAt, set);
  const $set = {
    ...('$set' in change ? (change.$set as object) : {}),
    ...(demandedAt === null ? {} : { 'account.passwordResetRequiredAt': demandedAt }),
    ...(disable ? { 'account.status': 'disabled' } : {}),
  };
  if (Object.keys($set).length === 0) return 'contained';
  const $inc = { ...('$inc' in change ? (change.$inc as object) : {}), revision: 1 };
  return { revision: document.revision, update: { ...change, $set, $inc } };
}

const latest = (first: Date, ...others: readonly (Date | null | undefined)[]): Date =>
  others.reduce<Date>((latest, each) => (each != null && each > latest ? each : latest), first);

function marked(change: ReturnType<typeof raiseFor>['change'], mark: string): object {
  const { pending } = change.$push as { readonly pending: PendingSignOut };
  return { ...change, $push: { pending: { ...pending, holder: mark } } };
}

/** Whether all of them were. */
async function written({ scopes }: Models, writes: readonly Write[]): Promise<boolean> {
  const { matchedCount } = await scopes.bulkWrite(
    writes.map(({ turn, revision, update }) => ({
      updateOne: {
        // Nothing sanitises the filters of a bulk write.
        filter: { _id: { $eq: keyOf(turn.containment.accountId) }, revision: { $eq: revision } },
        update,
      },
    })) as never,
    IN_ANY_ORDER,
  );
  return matchedCount === writes.length;
}
