/**
 * Where sealed texts are in MongoDB, and replacing them: in documents of their own, walked by id, or in those of scopes, which
 * hold an account with its Identities and Credentials, and a Connection.
 *
 * A replacement raises the revision of the scope it is in, so that whoever has read that document and is about to write all of
 * it reads again.
 */
import type { Model, UpdateQuery } from 'mongoose';

import type { SealedCollection, SealedPlace, SealedRow, SealRepository } from '../seals.ts';
import { type Database, type Models, trusted } from './database.ts';
import type { ScopeDocument } from './documents.ts';

type Whole = {
  readonly model: Exclude<keyof Models, 'scopes' | 'house'>;
  readonly kind?: string;
  readonly field: string;
  /** What holds nothing any more. */
  readonly but?: object;
  /** An id that is bytes, in hexadecimal everywhere else. */
  readonly bytes?: true;
};

const WHOLES: { readonly [Name in Exclude<SealedCollection, keyof typeof PARTS>]: Whole } = {
  facts: { model: 'facts', field: 'value' },
  signingKeys: { model: 'signingKeys', kind: 'alg', field: 'sealedJwk' },
  clientSessions: { model: 'clientSessions', field: 'sealedDevice' },
  artifacts: { model: 'artifacts', kind: 'model', field: 'payload', but: { destroyed: false }, bytes: true },
  mails: { model: 'mails', kind: 'kind', field: 'sealed' },
  events: { model: 'events', kind: 'kind', field: 'sealed', but: { sealed: trusted({ $ne: '' }) } },
};

type Part = {
  readonly keys: 'account' | 'connection';
  /** The part of a scope's document that has it. */
  readonly part: string;
  readonly but?: object;
  readonly fields: readonly string[];
  readonly rows: (scope: ScopeDocument) => readonly SealedRow[];
  /** What is to be there of a text that is still the same, besides the scope's own key, and the path it is written to. */
  readonly at: (change: SealedPlace & Change) => { readonly found: object; readonly path: string };
};

type Change = { readonly field: string; readonly from: string; readonly to: string };

const idOf = ({ _id }: ScopeDocument): string => _id.slice(_id.indexOf(':') + 1);

/** The element of an array in an account. */
const element = (array: 'identities' | 'credentials', key: string) => ({
  keys: 'account' as const,
  part: `account.${array}`,
  at: ({ id, field, from }: SealedPlace & Change) => ({
    found: { [`account.${array}`]: { $elemMatch: { [key]: { $eq: id }, [field]: { $eq: from } } } },
    path: `account.${array}.$.${field}`,
  }),
});
/** A field of a part there is one of. */
const single = (part: 'account' | 'connection') => ({
  keys: part,
  part,
  at: ({ field, from }: Change) => ({ found: { [`${part}.${field}`]: { $eq: from } }, path: `${part}.${field}` }),
});

const PARTS = {
  accounts: {
    ...single('account'),
    fields: ['sealedUsername', 'sealedEmail'],
    but: { 'account.status': trusted({ $ne: 'deleted' }) },
    rows: (scope) => {
      const { sealedUsername = '', sealedEmail = '' } = scope.account ?? {};
      return [{ id: idOf(scope), kind: null, accountId: null, fields: { sealedUsername, sealedEmail } }];
    },
  },
  identities: {
    ...element('identities', 'subject'),
    fields: ['sealedIdentity'],
    rows: (scope) =>
      (scope.account?.identities ?? []).map(({ subject, sealedIdentity }) => {
        return { id: subject, kind: null, accountId: idOf(scope), fields: { sealedIdentity } };
      }),
  },
  credentials: {
    ...element('credentials', 'id'),
    fields: ['sealed'],
    rows: (scope) =>
      (scope.account?.credentials ?? []).map(({ id, kind, sealed }) => {
        return { id, kind, accountId: idOf(scope), fields: { sealed } };
      }),
  },
  connections: {
    ...single('connection'),
    fields: ['state'],
    rows: (scope) => {
      const { type = '', state = '' } = scope.connection ?? {};
      return [{ id: idOf(scope), kind: type, accountId: null, fields: { state } }];
    },
  },
} as const satisfies { readonly [collection: string]: Part };

type PartName = keyof typeof PARTS;
type Anywhere = { readonly _id: unknown; readonly [field: string]: unknown };

const isPart = (collection: SealedCollection): collection is PartName => collection in PARTS;
const modelOf = (models: Models, { model }: Whole): Model<Anywhere> => models[model] as unknown as Model<Anywhere>;
const keyOf = ({ bytes }: Whole, id: string): string | Buffer => (bytes === true ? Buffer.from(id, 'hex') : id);

export function sealRepository(database: Database): SealRepository {
  return {
    rows: (collection, page) =>
      database.ask('read what is sealed', (models) =>
        isPart(collection)
          ? partRows(models, PARTS[collection], page)
          : wholeRows(models, WHOLES[collection], page.after?.id, page.limit),
      ),
    count: (collection) =>
      database.askPatiently('count what is sealed', async (models) => {
        if (isPart(collection)) return models.scopes.countDocuments(having(PARTS[collection]));
        const whole = WHOLES[collection];
        return modelOf(models, whole).countDocuments(whole.but ?? {});
      }),
    replace: (collection, changes) =>
      database.ask('replace what is sealed', async (models) => {
        if (changes.length === 0) return 0;
        // Nothing sanitises the filters of a bulk write.
        if (isPart(collection)) {
          const part: Part = PARTS[collection];
          const writes = changes.map((change) => {
            if (!part.fields.includes(change.field)) throw unsealed(collection, change.field);
            return { updateOne: partUpdate(part, change) };
          });
          return (await models.scopes.bulkWrite(writes)).modifiedCount;
        }
        const whole = WHOLES[collection];
        const writes = changes.map(({ id, field, from, to }) => {
          if (field !== whole.field) throw unsealed(collection, field);
          const filter = { _id: { $eq: keyOf(whole, id) }, [field]: { $eq: from } };
          return { updateOne: { filter, update: { $set: { [field]: to } } } };
        });
        return (await modelOf(models, whole).bulkWrite(writes as never)).modifiedCount;
      }),
  };
}

async function wholeRows(
  models: Models,
  whole: Whole,
  after: string | undefined,
  limit: number,
): Promise<readonly SealedRow[]> {
  const { kind, field, but = {} } = whole;
  const beyond = after === undefined ? {} : { _id: trusted({ $gt: keyOf(whole, after) }) };
  const found = await modelOf(models, whole)
    .find({ ...but, ...beyond } as never, { [field]: 1, ...(kind === undefined ? {} : { [kind]: 1 }) })
    .sort({ _id: 1 })
    .limit(limit)
    .lean<Anywhere[]>();
  return found.map((document) => ({
    id: Buffer.isBuffer(document._id) ? document._id.toString('hex') : String(document._id),
    kind: kind === undefined ? null : String(document[kind]),
    accountId: null,
    fields: { [field]: String(document[field]) },
  }));
}

/** Scopes whose documents have such a part, from this one on. */
const having = ({ keys, part, but = {} }: Part, from?: string) => ({
  _id: trusted(from === undefined ? { $gt: `${keys}:`, $lt: `${keys};` } : { $gte: from, $lt: `${keys};` }),
  [part]: trusted({ $exists: true }),
  ...but,
});

async function partRows(
  { scopes }: Models,
  part: Part,
  { after, limit }: { readonly after?: SealedPlace | undefined; readonly limit: number },
): Promise<readonly SealedRow[]> {
  const from = after === undefined ? undefined : scopeKey(part, after);
  // One more: of the scope that the page before ended in there may be nothing left.
  const found = await scopes
    .find(having(part, from), { [part.part]: 1 })
    .sort({ _id: 1 })
    .limit(limit + 1)
    .lean<ScopeDocument[]>();
  return found
    .flatMap((scope) => {
      const rows = part.rows(scope).toSorted((a, b) => (a.id < b.id ? -1 : 1));
      return after !== undefined && scope._id === from ? rows.filter(({ id }) => id > after.id) : rows;
    })
    .slice(0, limit);
}

const scopeKey = ({ keys }: Part, { id, accountId }: SealedPlace): string => `${keys}:${accountId ?? id}`;

function partUpdate(part: Part, change: SealedPlace & Change) {
  const { found, path } = part.at(change);
  const update: UpdateQuery<ScopeDocument> = { $set: { [path]: change.to }, $inc: { revision: 1 } };
  return { filter: { _id: { $eq: scopeKey(part, change) }, ...found }, update };
}

const unsealed = (collection: SealedCollection, field: string): RangeError =>
  new RangeError(`nothing is sealed in ${collection}.${field}`);
