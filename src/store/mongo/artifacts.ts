/**
 * Artifacts in MongoDB. A find is two reads: the artifact, and then how every scope of its stamps stands. Never the other
 * way round: epochs only rise, so what stands at the second read stood at the first, and a Sign-out between the two is seen.
 */
import { Types } from 'mongoose';

import type { ArtifactRepository } from '../port.ts';
import type { ArtifactRecord, FoundArtifact } from '../records.ts';
import { allStand, anyMovedBySignOut, presentEpochs } from '../standing.ts';
import { saveClientSession } from './client-sessions.ts';
import { type Database, isDuplicateKey, type Models, trusted } from './database.ts';
import type { ArtifactDocument } from './documents.ts';
import { keyedEpochs, scopeStates, stampsFrom } from './scopes.ts';

type Found = { readonly document: ArtifactDocument; readonly artifact: FoundArtifact };

export function artifactRepository(database: Database): ArtifactRepository {
  return {
    save: (artifact, clientSession) =>
      database.ask('save an artifact', async (models) => {
        if (clientSession !== undefined) await saveClientSession(models, clientSession);
        await save(models, artifact);
      }),
    insert: (artifact, now) =>
      database.ask('insert an artifact', async (models) => {
        if (await inserted(models, artifact)) return true;
        const _id = Buffer.from(artifact.key);
        const { deletedCount } = await models.artifacts.deleteOne({ _id, expiresAt: trusted({ $lte: now }) });
        return deletedCount === 1 && (await inserted(models, artifact));
      }),
    find: (key, now) =>
      database.ask('find an artifact', async (models) => {
        const document = await models.artifacts
          .findOne({ _id: Buffer.from(key), ...unexpired(now) })
          .lean<ArtifactDocument>();
        return document === null ? null : ((await alive(models, [document]))[0]?.artifact ?? null);
      }),
    findByUid: (model, uid, now) =>
      database.ask('find an artifact by uid', (models) => firstAlive(models, { uid, model, ...unexpired(now) })),
    findByUserCode: (userCode, now) =>
      database.ask('find a device code', (models) => firstAlive(models, { userCode, ...unexpired(now) })),
    consume: (key, now) =>
      database.ask('consume an artifact', async (models) => {
        // Consumed first and looked at after: one whose scope was signed out in between is of no use to anybody. A Grant
        // revoked in between was so by whoever found it consumed, which must not leave nobody served.
        const document = await models.artifacts
          .findOneAndUpdate(
            { _id: Buffer.from(key), consumedAt: null, ...unexpired(now) },
            { $set: { consumedAt: now } },
          )
          .lean<ArtifactDocument>();
        if (document === null) return false;
        const stamps = stampsFrom(document.stamps);
        const states = await scopeStates(
          models,
          document.stamps.map(({ key }) => key),
        );
        return !anyMovedBySignOut(stamps, states);
      }),
    destroy: (key) =>
      database.ask('destroy an artifact', async ({ artifacts }) => {
        await artifacts.updateOne({ _id: Buffer.from(key) }, { $set: { destroyed: true, payload: '{}' } });
      }),
    sessionsOf: (accountId, now) =>
      database.ask("list an account's sessions", async (models) => {
        const documents = await models.artifacts
          .find({ sessionOf: accountId, ...unexpired(now) })
          .sort({ order: 1 })
          .lean<ArtifactDocument[]>();
        const found = await alive(models, documents);
        return found.map(({ document, artifact }) => {
          return { uid: String(document.uid), payload: artifact.payload, key: artifact.key };
        });
      }),
  };
}

const unexpired = (now: Date) => ({ destroyed: false, expiresAt: trusted({ $gt: now }) });

async function save({ artifacts }: Models, artifact: ArtifactRecord): Promise<void> {
  const _id = Buffer.from(artifact.key);
  const { $set, $unset } = replacement(artifact);
  const update = { $set, ...(Object.keys($unset).length > 0 ? { $unset } : {}) };
  const anew = { consumedAt: null, destroyed: false, order: new Types.ObjectId() };
  try {
    await artifacts.updateOne(
      { _id, destroyed: trusted({ $ne: true }) },
      { ...update, $setOnInsert: anew },
      { upsert: true },
    );
  } catch (fault) {
    if (!isDuplicateKey(fault)) throw fault;
    // It is destroyed, and this save is lost on purpose; or another save has just made it.
    await artifacts.updateOne({ _id, destroyed: false }, update);
  }
}

/** A save replaces whatever it may replace: a field it does not bring is taken away. */
function replacement({ model, payload, stamps, expiresAt, uid, userCode, accountId }: ArtifactRecord) {
  const sessionOf = model === 'Session' ? accountId : undefined;
  const optional = Object.entries({ uid, userCode, accountId, sessionOf });
  return {
    $set: {
      model,
      payload,
      stamps: keyedEpochs(stamps),
      expiresAt,
      ...Object.fromEntries(optional.filter(([, value]) => value !== undefined)),
    },
    $unset: Object.fromEntries(
      optional.filter(([, value]) => value === undefined).map(([field]) => [field, 1 as const]),
    ),
  };
}

async function inserted({ artifacts }: Models, artifact: ArtifactRecord): Promise<boolean> {
  const _id = Buffer.from(artifact.key);
  const { $set } = replacement(artifact);
  try {
    await artifacts.create([{ _id, ...$set, consumedAt: null, destroyed: false, order: new Types.ObjectId() }]);
    return true;
  } catch (fault) {
    if (isDuplicateKey(fault)) return false;
    throw fault;
  }
}

async function firstAlive(models: Models, filter: object): Promise<FoundArtifact | null> {
  const documents = await models.artifacts.find(filter).sort({ order: -1 }).lean<ArtifactDocument[]>();
  return (await alive(models, documents))[0]?.artifact ?? null;
}

/** Those whose every stamp stands, in one read of all their scopes. */
async function alive(models: Models, documents: readonly ArtifactDocument[]): Promise<Found[]> {
  const keys = new Set(documents.flatMap(({ stamps }) => stamps.map(({ key }) => key)));
  const states = await scopeStates(models, [...keys]);
  return documents.flatMap((document) => {
    const stamps = stampsFrom(document.stamps);
    if (!allStand(stamps, states)) return [];
    const { _id, payload, consumedAt } = document;
    return [
      { document, artifact: { key: new Uint8Array(_id), payload, consumedAt, epochs: presentEpochs(stamps, states) } },
    ];
  });
}
