/**
 * Epochs in MongoDB: how scopes stand, and the one compare-and-set by which anything that belongs to a scope changes.
 *
 * Invariant: a raise, the Sign-out it is pending for, and a new password or a tombstone with it, are one update of one
 * document; whoever read an older revision has to look again. A Sign-out is on the record it raised from that instant, and
 * has a document of its own before it leaves there: looked for in that order, it is never missed.
 */
import type { UpdateQuery } from 'mongoose';

import type { SignOutRequest } from '../port.ts';
import type { ScopeKey, SignOutRecord, Stamps } from '../records.ts';
import { raisedBy, type ScopeState, sparedByRaise, stampEntries } from '../standing.ts';
import { isDuplicateKey, type Models, trusted } from './database.ts';
import type { KeyedEpoch, ScopeDocument, SignOutDocument, SignOutFields } from './documents.ts';
import { FREE } from './leases.ts';

export const keyedEpochs = (stamps: Stamps): KeyedEpoch[] =>
  stampEntries(stamps).map(([key, epoch]) => ({ key, epoch }));

export const stampsFrom = (pairs: readonly KeyedEpoch[]): Stamps =>
  Object.fromEntries(pairs.map(({ key, epoch }) => [key, epoch]));

/** How these scopes stand now, in one read. Keys without a document are left out: they stand at UNRAISED. */
export async function scopeStates({ scopes }: Models, keys: readonly string[]): Promise<Map<ScopeKey, ScopeState>> {
  if (keys.length === 0) return new Map();
  const found = await scopes
    .find({ _id: trusted({ $in: keys }) }, { epoch: 1, spared: 1, signedOutAt: 1 })
    .lean<Pick<ScopeDocument, '_id' | 'epoch' | 'spared' | 'signedOutAt'>[]>();
  return new Map(found.map((scope) => [scope._id as ScopeKey, scopeState(scope)]));
}

function scopeState({ epoch, spared, signedOutAt }: Pick<ScopeDocument, 'epoch' | 'spared' | 'signedOutAt'>) {
  return { epoch, spared: stampsFrom(spared), signedOutAt } satisfies ScopeState;
}

/** What is to happen to a scope's document, and what to answer once it has; without a change, the answer at once. */
export type Decision<Answer> = { readonly answer: Answer; readonly change?: UpdateQuery<ScopeDocument> };

/**
 * Reads the document, decides, and writes only if nobody has changed it since; else reads again. Each time round, somebody
 * else has got through, so everybody does. Changes of one process take turns, so that it is processes that contend, and not
 * everybody who asks at once.
 */
export function changeScope<Answer>(
  models: Models,
  key: string,
  decide: (present: ScopeDocument | null) => Decision<Answer> | Promise<Decision<Answer>>,
): Promise<Answer> {
  return inTurn(models, key, async () => {
    for (;;) {
      const present = await models.scopes.findById(key).lean<ScopeDocument>();
      const { answer, change } = await decide(present);
      if (change === undefined) return answer;
      if (await changed(models, key, present, change)) return answer;
    }
  });
}

/** The last in the queue of each key, for each store that this process has open. */
const queues = new WeakMap<Models, Map<string, Promise<unknown>>>();

async function inTurn<Answer>(models: Models, key: string, work: () => Promise<Answer>): Promise<Answer> {
  const queue = queues.get(models) ?? new Map<string, Promise<unknown>>();
  queues.set(models, queue);
  const mine = (queue.get(key) ?? Promise.resolve()).then(work, work);
  queue.set(key, mine);
  try {
    return await mine;
  } finally {
    if (queue.get(key) === mine) queue.delete(key);
  }
}

async function changed(
  { scopes }: Models,
  key: string,
  present: ScopeDocument | null,
  change: UpdateQuery<ScopeDocument>,
): Promise<boolean> {
  if (present !== null) {
    const { matchedCount } = await scopes.updateOne(
      { _id: key, revision: present.revision },
      { ...change, $inc: { ...change.$inc, revision: 1 } },
    );
    return matchedCount === 1;
  }
  const touched = new Set(Object.values(change).flatMap((operands) => Object.keys(operands as object)));
  const unraised = { epoch: 0, spared: [], pending: [], signedOutAt: null, raisedAt: null };
  const missing = Object.fromEntries(Object.entries(unraised).filter(([field]) => !touched.has(field)));
  try {
    await scopes.updateOne(
      { _id: key, revision: trusted({ $exists: false }) },
      { ...change, $inc: { ...change.$inc, revision: 1 }, $setOnInsert: missing },
      { upsert: true },
    );
    return true;
  } catch (fault) {
    if (isDuplicateKey(fault) && (await scopes.exists({ _id: key })) !== null) return false;
    throw fault;
  }
}

/** Raises a scope that nothing else hangs on: one update, whoever else raises it at once. */
export async function raiseAlone({ scopes }: Models, key: string, at: Date): Promise<void> {
  const { $inc, $set } = raise(key, at);
  const update = { $inc: { ...$inc, revision: 1 }, $set };
  try {
    await scopes.updateOne(
      { _id: key },
      { ...update, $setOnInsert: { spared: [], pending: [], signedOutAt: null } },
      { upsert: true },
    );
  } catch (fault) {
    // Two that make it at once: the other has made it.
    if (!isDuplicateKey(fault)) throw fault;
    await scopes.updateOne({ _id: key }, update);
  }
}

/** A raise of this scope, as a part of a change to its document. */
export function raise(key: string, at: Date): { $inc: { epoch: 1 }; $set: Partial<ScopeDocument> } {
  // Grants and browser Sessions come and go by the million, and are forgotten once nothing bears them.
  const forgettable = key.startsWith('grant:') || key.startsWith('session:');
  return {
    $inc: { epoch: 1 },
    $set: { raisedAt: at, ...(forgettable ? { forgettable: forgettableFrom(at, key) } : {}) },
  };
}

/** Compared as text it is in the order of the instants, and in that of the keys where those are the same. */
export function forgettableFrom(at: Date, key: string): string {
  return `${at.toISOString()} ${key}`;
}

/**
 * What a Sign-out does to the document of the scope it raises, and the record of it. The same id again changes nothing and
 * answers what stands.
 */
export async function decideSignOut(
  models: Models,
  request: SignOutRequest,
  present: ScopeDocument | null,
): Promise<Decision<SignOutRecord>> {
  const before = await foundBefore(models, request.id, present);
  return before === null ? raiseFor(request, present) : { answer: before };
}

/** The same where nothing of this id was found before. */
export function raiseFor(
  request: SignOutRequest,
  present: Pick<ScopeDocument, 'epoch' | 'spared' | 'signedOutAt'> | null,
): Decision<SignOutRecord> & { readonly change: UpdateQuery<ScopeDocument> } {
  const key = raisedBy(request.scope);
  const state = present === null ? { epoch: 0, spared: {}, signedOutAt: null } : scopeState(present);
  const spared = sparedByRaise(request.spares ?? [], state);
  const { id, scope, reason, actor, at } = request;
  const fields: SignOutFields = { scope, reason, actor, at, epochBefore: state.epoch, spared: keyedEpochs(spared) };
  const { $inc, $set } = raise(key, at);
  const signedOutAt = state.signedOutAt !== null && state.signedOutAt > at ? state.signedOutAt : at;
  return {
    answer: { id, scope, reason, actor, at, status: 'pending', epochBefore: state.epoch, spared },
    change: {
      $inc,
      $set: { ...$set, signedOutAt, spared: fields.spared },
      $push: { pending: { id, ...fields, holder: '', leaseUntil: FREE } },
    },
  };
}

export async function signOut(models: Models, request: SignOutRequest): Promise<SignOutRecord> {
  return changeScope(models, raisedBy(request.scope), (present) => decideSignOut(models, request, present));
}

/** Looked for after the document was read: one that has left it since has moved its revision, and is looked for again. */
async function foundBefore(
  { signOuts }: Models,
  id: string,
  present: ScopeDocument | null,
): Promise<SignOutRecord | null> {
  const pending = present?.pending.find((each) => each.id === id);
  if (pending !== undefined) return signOutFrom({ ...pending, _id: id, status: 'pending' });
  const found = await signOuts.findById(id).lean<SignOutDocument>();
  return found === null ? null : signOutFrom(found);
}

/** On the record it raised first, then on its own: it stands on one of them at any instant. */
export async function findSignOut(models: Models, id: string): Promise<SignOutRecord | null> {
  const raised = await models.scopes.findOne({ 'pending.id': id }, { pending: 1 }).lean<ScopeDocument>();
  return foundBefore(models, id, raised);
}

export function signOutFrom(
  document: SignOutFields & { readonly _id: string; readonly status: SignOutRecord['status'] },
): SignOutRecord {
  const { _id, scope, reason, actor, at, status, epochBefore, spared } = document;
  return { id: _id, scope, reason, actor, at, status, epochBefore, spared: stampsFrom(spared) };
}

/** The parts of a record that its document keeps as they are. */
export function signOutFields({ scope, reason, actor, at, epochBefore, spared }: SignOutRecord): SignOutFields {
  return { scope, reason, actor, at, epochBefore, spared: keyedEpochs(spared) };
}
