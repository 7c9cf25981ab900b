/**
 * Everything in MongoDB as rows that are the same on every engine. An account, a Client and the Sign-outs pending on a scope
 * are parts of the scope's document: each is a row here, and each is written as the part that it is.
 */
import type { Model } from 'mongoose';

import type { TransferReader, TransferRepository } from '../port.ts';
import { type Kind, type RowOf, type RowPage } from '../transfer.ts';
import { type Database, isDuplicateKey, type Models, trusted } from './database.ts';
import type { FactDocument } from './documents.ts';
import { CHAIN } from './journal.ts';
import { IN_ANY_ORDER, replaceAll } from './transfer-bulk.ts';
import { type Part, PARTS, type Whole, WHOLES } from './transfer-documents.ts';
import { countSignOuts, readSignOuts, writeSignOuts } from './transfer-sign-outs.ts';

/** The fact that is no row: what is noted of a copy into this store. */
const NOTE = 'unfinished-copy';
/** Deleted at once: the server answers between two of these. */
const CLEARED_AT_ONCE = 5000;

export function transferReader(database: Database): TransferReader {
  return {
    rows: (kind, page) => database.askPatiently(`read ${kind}`, (models) => read(models, kind, page)),
    count: (kind, aliveAt) =>
      database.askPatiently(`count ${kind}`, (models) => {
        if (kind === 'signOuts') return countSignOuts(models);
        const { model, filter } = chosen(models, kind, aliveAt);
        return model.countDocuments(filter);
      }),
    isEmpty: () => database.askPatiently('look for anything', isEmpty),
    unfinished: () =>
      database.askPatiently(
        'look for an unfinished copy',
        async ({ facts }) => (await facts.findById(NOTE).lean<FactDocument>())?.value ?? null,
      ),
  };
}

export function transferRepository(database: Database): TransferRepository {
  return {
    ...transferReader(database),
    begin: (note) =>
      database.askPatiently('begin a copy', async (models) => {
        const { facts } = models;
        if (!(await isEmpty(models))) return false;
        try {
          await facts.create([{ _id: NOTE, value: note }]);
        } catch (fault) {
          if (isDuplicateKey(fault)) return false;
          throw fault;
        }
        // Whoever found no note may have begun to keep something here meanwhile.
        if (await isEmpty(models)) return true;
        await facts.deleteOne({ _id: NOTE, value: note });
        return false;
      }),
    note: ({ from, to }) =>
      database.askPatiently('note how far a copy is', async ({ facts }) => {
        if (to === null) return (await facts.deleteOne({ _id: NOTE, value: from })).deletedCount === 1;
        return (await facts.updateOne({ _id: NOTE, value: from }, { $set: { value: to } })).matchedCount === 1;
      }),
    write: (kind, rows) => database.askPatiently(`write ${kind}`, (models) => write(models, kind, rows)),
    clear: () =>
      database.askPatiently('clear the store', async (models) => {
        for (const model of [...others(models), models.leases as unknown as Model<object>]) await clear(model, {});
        await models.house.deleteOne({ _id: CHAIN });
        await clear(models.facts, { _id: trusted({ $ne: NOTE }) });
      }),
  };
}

async function read<K extends Kind>(models: Models, kind: K, page: RowPage): Promise<readonly RowOf[K][]> {
  if (kind === 'signOuts') return (await readSignOuts(models, page)) as unknown as readonly RowOf[K][];
  const { model, filter, after, from } = chosen(models, kind, page.aliveAt);
  const later = page.after === undefined ? [] : [{ _id: trusted({ $gt: after(page.after) }) }];
  const found = await model
    .find({ $and: [filter, ...later] })
    .sort({ _id: 1 })
    // An index on something else would have to be sorted, page after page.
    .hint({ _id: 1 })
    .limit(page.limit)
    .lean<object[]>();
  return found.map((document) => from(document as never) as RowOf[K]);
}

async function write<K extends Kind>(models: Models, kind: K, rows: readonly RowOf[K][]): Promise<void> {
  if (rows.length === 0) return;
  if (kind === 'signOuts') return writeSignOuts(models, rows as unknown as readonly RowOf['signOuts'][]);
  if (isPart(kind)) {
    const part = PARTS[kind] as unknown as Part<RowOf[K]>;
    await part.prepare?.(models, rows);
    await models.scopes.bulkWrite(
      rows.map((row) => {
        return { updateOne: { filter: { _id: { $eq: part.key(row.id) } }, update: part.to(row), upsert: true } };
      }),
      IN_ANY_ORDER,
    );
    return;
  }
  const whole = WHOLES[kind as keyof typeof WHOLES] as unknown as Whole<RowOf[K], { readonly _id: string }>;
  await replaceAll(models[whole.model] as unknown as Model<{ _id: string }>, rows.map(whole.to));
}

const isPart = (kind: Kind): kind is keyof typeof PARTS => kind in PARTS;

/** Where the rows of a kind are, which documents have one, and how it is read from them. */
function chosen(models: Models, kind: Exclude<Kind, 'signOuts'>, aliveAt: Date) {
  if (isPart(kind)) {
    const { filter, key, from } = PARTS[kind];
    return { model: models.scopes as unknown as Model<object>, filter: filter(), after: key, from };
  }
  const { model, expires = false, after = (id: string) => id, from } = WHOLES[kind];
  const noNote: object = kind === 'facts' ? { _id: trusted({ $ne: NOTE }) } : {};
  const filter: object = expires ? { expiresAt: trusted({ $gt: aliveAt }) } : noNote;
  return { model: models[model] as unknown as Model<object>, filter, after, from };
}

async function isEmpty(models: Models): Promise<boolean> {
  for (const model of others(models)) if ((await model.exists({})) !== null) return false;
  return (await models.facts.exists({ _id: trusted({ $ne: NOTE }) })) === null;
}

/** Every collection of rows but the facts, among which the note is. A lease is no row. */
function others({ house: _house, facts: _facts, leases: _leases, ...models }: Models): Model<object>[] {
  return Object.values(models) as unknown as Model<object>[];
}

async function clear<Document>(model: Model<Document>, filter: object): Promise<void> {
  for (;;) {
    const found = await model.find(filter, { _id: 1 }).limit(CLEARED_AT_ONCE).lean<{ _id: unknown }[]>();
    if (found.length === 0) return;
    await model.deleteMany({ _id: trusted({ $in: found.map(({ _id }) => _id) }) });
  }
}
