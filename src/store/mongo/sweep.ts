/**
 * Forgetting, a bounded batch at a time. Where the server deletes what has expired by itself, that is left to it: one sweeper
 * for all processes, and nothing of theirs goes on it. The rest is found along an index of its age and decided before
 * anything is touched. Several processes may sweep at once: what one has deleted the other does not find.
 */
import type { Model } from 'mongoose';

import type { MailStatus } from '../outbox.ts';
import type { Store } from '../port.ts';
import type { DeliveryStatus } from '../records.ts';
import { type Database, type Models, trusted } from './database.ts';
import type { ScopeDocument, SignOutDocument } from './documents.ts';
import { rangeOf } from './incidents.ts';
import { forgettableFrom } from './scopes.ts';

const DAY_MS = 86_400_000;
/** What a Sign-out leaves behind stays for receipts. */
const KEEP_SIGN_OUT_DAYS = 90;
/** So long somebody may ask whether a mail went out. */
const KEEP_MAIL_DAYS = 90;
/** Twice the longest life of an artifact: whatever was stamped before the raise, requests in flight included, is gone. */
const KEEP_RAISED_DAYS = 800;
/** A lock outlasts anybody's patience; what was typed once and never again does not stay for ever. */
const KEEP_FAILURES_DAYS = 400;
/** Longer than anybody owes a report of what was done. */
const KEEP_INCIDENTS_DAYS = 400;
const AFTER_EVERY_KEY = '~';
/** At most this many Sign-outs or raised scopes are looked at in one batch, whatever may be deleted. */
const LOOKED_AT = 200;

/** What one batch did: how many documents went, and whether its walk has come to the end and starts over. */
type Batch = { readonly gone: number; readonly atEnd: boolean };
type Walk = (models: Models, now: Date, limit: number) => Promise<Batch>;

/** Each walk remembers where it is, in this process alone. */
export function createSweeper(
  database: Database,
  { serverDeletesExpired }: { readonly serverDeletesExpired: boolean },
): Store['sweep'] {
  const walks: readonly Walk[] = [
    ...(serverDeletesExpired
      ? []
      : [
          ({ artifacts }: Models, now: Date, limit: number) => deleteUntil(artifacts, 'expiresAt', now, limit),
          ({ attempts }: Models, now: Date, limit: number) => deleteUntil(attempts, 'expiresAt', now, limit),
        ]),
    ({ failures }, now, limit) => deleteUntil(failures, 'failedAt', daysBefore(now, KEEP_FAILURES_DAYS), limit),
    ({ mails }, now, limit) =>
      deleteUntil(mails, 'createdAt', daysBefore(now, KEEP_MAIL_DAYS), limit, {
        status: trusted({ $in: NO_LONGER_OWED }),
      }),
    forgetIncidents,
    walkSignOuts(),
    walkRaised(),
  ];
  return ({ now, limit }) =>
    database.askPatiently('sweep', async (models) => {
      const batches: Batch[] = [];
      for (const walk of walks) batches.push(await walk(models, now, limit));
      const swept = batches.reduce((sum, { gone }) => sum + gone, 0);
      return { swept, more: swept > 0 || batches.some(({ atEnd }) => !atEnd) };
    });
}

/** A mail that waits to be sent stays, however old. */
const NO_LONGER_OWED: MailStatus[] = ['sent', 'rejected', 'abandoned'];

const daysBefore = (now: Date, days: number): Date => new Date(now.getTime() - days * DAY_MS);

/** Deletes documents whose `field` is not after `instant`; one that was changed since it was found, and is kept now, stays. */
async function deleteUntil<Document>(
  model: Model<Document>,
  field: 'expiresAt' | 'failedAt' | 'createdAt',
  instant: Date,
  limit: number,
  others: object = {},
): Promise<Batch> {
  const old = { ...others, [field]: trusted({ $lte: instant }) };
  const found = await model
    .find(old, { _id: 1 })
    .sort({ [field]: 1 })
    .limit(limit)
    .lean<{ _id: unknown }[]>();
  if (found.length === 0) return { gone: 0, atEnd: true };
  const { deletedCount } = await model.deleteMany({ ...old, _id: trusted({ $in: found.map(({ _id }) => _id) }) });
  return { gone: deletedCount, atEnd: found.length < limit };
}

/** There are few. Whom one was about goes first, so that a batch that stops half-way is taken up again. */
async function forgetIncidents({ incidents, incidentMembers }: Models, now: Date, limit: number): Promise<Batch> {
  const old = await incidents
    .find({ openedAt: trusted({ $lte: daysBefore(now, KEEP_INCIDENTS_DAYS) }) }, { _id: 1 })
    .lean<{ _id: string }[]>();
  let gone = 0;
  for (const { _id } of old) {
    gone += await deleteSome(incidentMembers, { _id: trusted(rangeOf(_id)) }, limit - gone);
    if (gone === limit) break;
    gone += (await incidents.deleteOne({ _id })).deletedCount;
    if (gone === limit) break;
  }
  return { gone, atEnd: true };
}

/**
 * A Sign-out that is complete, old, and heard of by everyone goes with what it ended and what was delivered; its own
 * record last, so that a batch that stops half-way is taken up again.
 */
function walkSignOuts(): Walk {
  const start = { at: new Date(-8.64e15), id: '' };
  let after = start;
  return async (models, now, limit) => {
    const candidates = await models.signOuts
      .find(
        {
          status: 'complete',
          at: trusted({ $lte: daysBefore(now, KEEP_SIGN_OUT_DAYS) }),
          $or: [{ at: trusted({ $gt: after.at }) }, { at: after.at, _id: trusted({ $gt: after.id }) }],
        },
        { at: 1 },
      )
      .sort({ at: 1, _id: 1 })
      .limit(LOOKED_AT)
      .lean<Pick<SignOutDocument, '_id' | 'at'>[]>();
    let gone = 0;
    for (const { _id, at } of candidates) {
      if (await owesNobody(models, _id)) gone += await forgetSignOut(models, _id, limit - gone);
      // The last one may not be finished: the next batch looks at it again.
      if (gone === limit) return { gone, atEnd: false };
      after = { at, id: _id };
    }
    const atEnd = candidates.length < LOOKED_AT;
    if (atEnd) after = start;
    return { gone, atEnd };
  };
}

const UNTOLD: DeliveryStatus[] = ['pending', 'rejected', 'abandoned'];

async function owesNobody({ deliveries }: Models, signOutId: string): Promise<boolean> {
  const owed = { signOutId, status: trusted({ $in: UNTOLD }) };
  return (await deliveries.exists(owed)) === null;
}

async function forgetSignOut({ clientSessions, deliveries, signOuts }: Models, id: string, limit: number) {
  let gone = await deleteSome(clientSessions, { endedBy: id }, limit);
  if (gone === limit) return gone;
  gone += await deleteSome(deliveries, { signOutId: id }, limit - gone);
  if (gone === limit) return gone;
  return gone + (await signOuts.deleteOne({ _id: id })).deletedCount;
}

async function deleteSome<Document>(model: Model<Document>, filter: object, limit: number): Promise<number> {
  const found = await model.find(filter, { _id: 1 }).limit(limit).lean<{ _id: unknown }[]>();
  if (found.length === 0) return 0;
  return (await model.deleteMany({ _id: trusted({ $in: found.map(({ _id }) => _id) }) })).deletedCount;
}

/**
 * Raised Grants and browser Sessions that nothing bears any more. One that a Client Session still to be told or a
 * Session still kept belongs to stays: forgetting it would take the epoch back to 0, below what those may be stamped
 * with.
 */
function walkRaised(): Walk {
  let after = '';
  return async (models, now, limit) => {
    const most = Math.min(limit, LOOKED_AT);
    const until = forgettableFrom(daysBefore(now, KEEP_RAISED_DAYS), AFTER_EVERY_KEY);
    const candidates = await models.scopes
      .find({ forgettable: trusted({ $gt: after, $lt: until }) }, { forgettable: 1, revision: 1, pending: 1 })
      .sort({ forgettable: 1 })
      .limit(most)
      .lean<ScopeDocument[]>();
    let gone = 0;
    for (const { _id, revision, pending } of candidates) {
      if (pending.length > 0 || (await isBorne(models, _id))) continue;
      gone += (await models.scopes.deleteOne({ _id, revision })).deletedCount;
    }
    const last = candidates.at(-1);
    const atEnd = last === undefined || candidates.length < most;
    after = atEnd ? '' : (last.forgettable ?? '');
    return { gone, atEnd };
  };
}

async function isBorne({ artifacts, clientSessions }: Models, key: string): Promise<boolean> {
  const id = key.slice(key.indexOf(':') + 1);
  if (key.startsWith('grant:')) return (await clientSessions.exists({ _id: id, endedAt: null })) !== null;
  if ((await clientSessions.exists({ sessionUid: id, endedAt: null })) !== null) return true;
  return (await artifacts.exists({ uid: id })) !== null;
}
