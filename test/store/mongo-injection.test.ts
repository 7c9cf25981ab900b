/**
 * An operator of MongoDB where a text belongs: whatever it is handed to, it is taken for a value or refused, and never for a
 * question that somebody else's rows answer.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { mongo } from 'mongoose';

import type { Store } from '../../src/store/port.ts';
import { type Call, callsFor } from '../support/mongodb/calls.ts';
import { fill } from '../support/mongodb/filled.ts';
import { type Fresh, freshDatabase } from '../support/mongodb/fresh.ts';

const ROWS = 40;

/** Each of them is true of the text that it stands in for, and of others. */
const operators = (text: string): readonly object[] => [{ $ne: null }, { $gte: '' }, { $in: [text] }];

let fresh: Fresh;
let store: Store;
const tidying: (() => Promise<void>)[] = [];
beforeAll(async () => {
  fresh = await freshDatabase((tidy) => void tidying.unshift(tidy));
  store = await fresh.open();
  await fill(store, ROWS);
});
afterAll(async () => {
  for (const tidy of tidying) await tidy();
});

type Leaf = { readonly path: string; readonly text: string; replaced(by: unknown): unknown[] };

/** Every text among the arguments, wherever it stands; client metadata may hold anything and is kept as it is. */
function textsOf(given: readonly unknown[]): readonly Leaf[] {
  const leaves: Leaf[] = [];
  const visit = (value: unknown, path: readonly (string | number)[]): void => {
    if (typeof value === 'string') {
      const replaced = (by: unknown): unknown[] => replacedAt(given, path, by) as unknown[];
      leaves.push({ path: path.join('.'), text: value, replaced });
    } else if (Array.isArray(value)) value.forEach((each, index) => visit(each, [...path, index]));
    else if (isPlain(value)) {
      for (const [name, each] of Object.entries(value)) if (name !== 'metadata') visit(each, [...path, name]);
    }
  };
  visit(given, []);
  return leaves;
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

function replacedAt(value: unknown, [first, ...rest]: readonly (string | number)[], by: unknown): unknown {
  if (first === undefined) return by;
  if (Array.isArray(value)) return value.map((each, at) => (at === first ? replacedAt(each, rest, by) : each));
  const record = value as Record<string, unknown>;
  return { ...record, [first]: replacedAt(record[first], rest, by) };
}

type Documents = Map<string, { readonly collection: string; readonly document: mongo.Document; readonly text: string }>;

/** Every document by collection and id. */
async function documents(): Promise<Documents> {
  const found: Documents = new Map();
  for (const { name } of await fresh.db.listCollections({}, { nameOnly: true }).toArray()) {
    for (const document of await fresh.collection(name).find().toArray()) {
      const id = Buffer.isBuffer(document._id) ? document._id.toString('hex') : document._id;
      found.set(`${name} ${id}`, { collection: name, document, text: JSON.stringify(document) });
    }
  }
  return found;
}

type Outcome = { readonly refused: boolean; readonly answer: string; readonly changed: readonly string[] };

/** What came of asking: the answer and the rows it changed, which are then put back. */
async function outcomeOf(work: () => Promise<unknown>): Promise<Outcome> {
  const before = await documents();
  const told = await work().then(
    (answer) => ({ refused: false, answer: JSON.stringify(answer ?? null) }),
    () => ({ refused: true, answer: '' }),
  );
  const after = await documents();
  const changed = [...before.keys(), ...after.keys()].filter((row) => before.get(row)?.text !== after.get(row)?.text);
  for (const row of new Set(changed)) {
    const { collection, document } = (before.get(row) ?? after.get(row)) as NonNullable<ReturnType<Documents['get']>>;
    const rows = fresh.collection(collection);
    await rows.deleteOne({ _id: document['_id'] });
    if (before.has(row)) await rows.insertOne(document as never);
  }
  return { ...told, changed: [...new Set(changed)].sort() };
}

/** Where texts are kept, and nothing is looked for by them. */
const ONLY_KEPT: readonly string[] = ['artifacts.insert'];

/** Where a text is put into another one, an object becomes this. */
const AS_TEXT = '[object Object]';

/** What an operator did that the same object's name, a text that matches nobody's, does not. */
async function powerOf(operator: object, innocent: Outcome, work: () => Promise<unknown>): Promise<string[]> {
  const { refused, answer, changed } = await outcomeOf(work);
  const more = changed.filter((row) => !innocent.changed.includes(row));
  const plainly = answer.replaceAll(JSON.stringify(operator), JSON.stringify(AS_TEXT));
  if (!refused && plainly !== innocent.answer) more.push(`answered ${plainly.slice(0, 100)}`);
  return more;
}

const CALLS = callsFor(ROWS).map((call: Call) => ({ ...call, texts: textsOf(call.given) }));

describe('an operator in place of a text finds nothing and changes nothing', () => {
  for (const [method, calls] of Map.groupBy(CALLS, (call) => call.method)) {
    if (calls.every(({ texts }) => texts.length === 0)) continue;
    test(method, async () => {
      const harmed: string[] = [];
      let matters = false;
      for (const { given, ask, texts } of calls) {
        const own = await outcomeOf(() => ask(store, given));
        for (const { path, text, replaced } of texts) {
          const innocent = await outcomeOf(() => ask(store, replaced(AS_TEXT)));
          matters ||= JSON.stringify(innocent) !== JSON.stringify(own);
          for (const operator of operators(text)) {
            const done = await powerOf(operator, innocent, () => ask(store, replaced(operator)));
            harmed.push(...done.map((what) => `${path} = ${JSON.stringify(operator)}: ${what}`));
          }
        }
      }
      expect(harmed).toEqual([]);
      // Else it would be no wonder.
      expect(matters).toBe(!ONLY_KEPT.includes(method));
    });
  }
});
