/**
 * A thousand ways of changing an exported record, drawn by a seed that is printed: each is found, and said where it is. None is
 * found in the record as it was exported.
 */
import { describe, expect, test } from 'vitest';

import { auditWorld } from '../support/audit-world.ts';

const MUTATIONS = 1000;
const SEED = 20_311;

/** A number that follows from the seed alone (mulberry32), below `below`. */
function drawing(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Draw = (below: number) => number;
/** What is done to the lines, and the first line (from 1) that is not what it was. */
type Mutated = { readonly text: Buffer; readonly line: number };
type Mutation = (lines: readonly string[], others: readonly string[], draw: Draw) => Mutated | null;

const joined = (lines: readonly string[]): Buffer => Buffer.from(lines.join(''));
const lineAt = (bytes: Buffer, offset: number): number =>
  bytes.subarray(0, offset).reduce((count, byte) => count + (byte === 0x0a ? 1 : 0), 1);

/** An event, not the header. */
const anEvent = (lines: readonly string[], draw: Draw): number => 1 + draw(lines.length - 1);

const changed = (value: unknown, draw: Draw): unknown => {
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  if (value === null) return 'somebody';
  if (typeof value === 'object') return { ...value, kind: 'operator', added: draw(9) };
  return draw(3) === 0 ? null : `${value as string}x`;
};

const editField = (index: number, lines: readonly string[], draw: Draw): Mutated => {
  const fields = JSON.parse(lines[index] ?? '') as Record<string, unknown>;
  const name = Object.keys(fields)[draw(Object.keys(fields).length)] ?? '';
  const edited = draw(8) === 0 ? { ...fields, [name]: undefined } : { ...fields, [name]: changed(fields[name], draw) };
  return { text: joined(lines.with(index, `${JSON.stringify(edited)}\n`)), line: index + 1 };
};

const MUTATION: { readonly [name: string]: Mutation } = {
  'another byte': (lines, _others, draw) => {
    const text = joined(lines);
    const at = draw(text.length);
    const line = lineAt(text, at);
    text[at] = ((text[at] ?? 0) + 1 + draw(255)) % 256;
    return { text, line };
  },
  'a bit': (lines, _others, draw) => {
    const text = joined(lines);
    const at = draw(text.length);
    const line = lineAt(text, at);
    text[at] = (text[at] ?? 0) ^ (1 << draw(8));
    return { text, line };
  },
  'a byte more': (lines, _others, draw) => {
    const text = joined(lines);
    const at = draw(text.length);
    const more = Buffer.from([[0x20, 0x0a, 0x0d, 0x30, 0x22, draw(256)][draw(6)] ?? 0]);
    return { text: Buffer.concat([text.subarray(0, at), more, text.subarray(at)]), line: lineAt(text, at) };
  },
  'a byte less': (lines, _others, draw) => {
    const text = joined(lines);
    const at = draw(text.length);
    return { text: Buffer.concat([text.subarray(0, at), text.subarray(at + 1)]), line: lineAt(text, at) };
  },
  'another value of a field': (lines, _others, draw) => editField(anEvent(lines, draw), lines, draw),
  'another value in the header': (lines, _others, draw) => editField(0, lines, draw),
  'a line left out': (lines, _others, draw) => {
    const index = anEvent(lines, draw);
    return { text: joined(lines.toSpliced(index, 1)), line: index + 1 };
  },
  'several lines left out': (lines, _others, draw) => {
    const index = anEvent(lines, draw);
    return { text: joined(lines.toSpliced(index, 1 + draw(20))), line: index + 1 };
  },
  'two lines the other way round': (lines, _others, draw) => {
    const [one, two] = [anEvent(lines, draw), anEvent(lines, draw)].toSorted((a, b) => a - b) as [number, number];
    if (one === two) return null;
    return { text: joined(lines.with(one, lines[two] ?? '').with(two, lines[one] ?? '')), line: one + 1 };
  },
  'cut off at the end of a line': (lines, _others, draw) => {
    const index = anEvent(lines, draw);
    return { text: joined(lines.slice(0, index)), line: index + 1 };
  },
  'cut off in the middle of a line': (lines, _others, draw) => {
    const text = joined(lines);
    const at = 1 + draw(text.length - 1);
    return { text: text.subarray(0, at), line: lineAt(text, at) };
  },
  'a line twice': (lines, _others, draw) => {
    const index = anEvent(lines, draw);
    return { text: joined(lines.toSpliced(index + 1, 0, lines[index] ?? '')), line: index + 2 };
  },
  'a line again later': (lines, _others, draw) => {
    const index = anEvent(lines, draw);
    const later = index + 1 + draw(lines.length - index);
    return { text: joined(lines.toSpliced(later, 0, lines[index] ?? '')), line: later + 1 };
  },
  'a line of another record': (lines, others, draw) => {
    const index = anEvent(lines, draw);
    return { text: joined(lines.with(index, others[index] ?? others.at(-1) ?? '')), line: index + 1 };
  },
  // All of another record is one that agrees with itself, up to the first place that is signed: from its second event on.
  'the end of another record': (lines, others, draw) => {
    const index = 2 + draw(lines.length - 2);
    return { text: joined([...lines.slice(0, index), ...others.slice(index)]), line: index + 1 };
  },
  'the beginning of another record': (lines, others, draw) => {
    const index = anEvent(lines, draw);
    return { text: joined([...others.slice(0, index), ...lines.slice(index)]), line: 1 };
  },
  'the header of an earlier export': (lines, others) => ({ text: joined(lines.with(0, others[0] ?? '')), line: 1 }),
};

/** Two records of one installation would be told apart by nothing but what is in them; of two, by their keys as well. */
async function records(reveal: boolean) {
  const world = await auditWorld();
  await world.happen(30);
  const earlier = await world.exported({ reveal });
  await world.happen(30);
  await world.store.accounts.setStatus({ accountId: 'person-1', status: 'deleted' });
  await world.journal.forget('person-1');
  await world.happen(20);
  const lines = await world.exported({ reveal });
  const stranger = await auditWorld();
  await stranger.happen(90);
  return { world, lines, others: [await stranger.exported({ reveal }), earlier] as const };
}

describe.each([{ reveal: false }, { reveal: true }])('a record that is exported, %o', ({ reveal }) => {
  test(`is told from ${MUTATIONS / 2} others that are made of it by seed ${SEED}`, async () => {
    const { world, lines, others } = await records(reveal);
    expect(await world.verified(joined(lines))).toMatchObject({ ok: true, found: 0 });
    const draw = drawing(SEED + (reveal ? 1 : 0));
    const names = Object.keys(MUTATION);
    const seen = new Map<string, number>();
    for (let nth = 0; nth < MUTATIONS / 2;) {
      const name = names[nth % names.length] ?? '';
      // The earlier export is a record of its own, and the same as the beginning of this one: only its header is another.
      const other = name === 'the header of an earlier export' ? others[1] : others[0];
      const mutated = MUTATION[name]?.(lines, other, draw) ?? null;
      // Where drawing came to the same, there is nothing to be found.
      if (mutated === null || mutated.text.equals(joined(lines))) continue;
      nth += 1;
      seen.set(name, (seen.get(name) ?? 0) + 1);
      const { ok, faults } = await world.verified(mutated.text);
      const which = `${name}, number ${nth}, line ${mutated.line}`;
      expect(ok, which).toBe(false);
      // What is missing is found where something else stands in its place, or at the end.
      const first = Math.min(...faults.map(({ line }) => line ?? Number.POSITIVE_INFINITY));
      expect(first, `${which}: ${JSON.stringify(faults[0])}`).toBeGreaterThanOrEqual(Math.min(mutated.line - 1, 1));
      expect(Math.abs(first - placeOf(name, mutated, lines)), `${which}: ${JSON.stringify(faults[0])}`).toBeLessThan(2);
    }
    expect(seen.size).toBe(names.length);
  });
});

/** Where the first fault ought to be: the first line that is not what it was, or the last there is. */
function placeOf(name: string, { text, line }: Mutated, lines: readonly string[]): number {
  const count = lineAt(text, text.length) - (text.at(-1) === 0x0a ? 1 : 0);
  // All that stands after the header of an earlier export is what it says, but for what was forgotten since; then it goes on.
  if (name === 'the header of an earlier export') {
    const [header = '', ...rest] = text.toString().split('\n');
    const beyond = (JSON.parse(header) as { through: number }).through + 2;
    const forgotten = rest.findIndex((each) => each.includes('"erased":"')) + 2;
    return forgotten > 1 ? Math.min(forgotten, beyond) : beyond;
  }
  return Math.min(line, count, lines.length + 1);
}
