/**
 * Why a configuration was refused, in an operator's words.
 *
 * Purpose: turn the schema's findings into problems with a path and a fix. Invariant: values are never quoted, only their types
 * and the names of keys: any of them may be a secret in the wrong place. It refuses to know what the keys mean.
 */
import type { z } from 'zod';
import type { ConfigProblem } from '../config.ts';

/** One problem per finding, and per unknown key. `written` is what was parsed; `schema` what it was parsed with. */
export function explain(error: z.ZodError, written: unknown, schema: z.ZodType): ConfigProblem[] {
  return error.issues.flatMap((issue): ConfigProblem[] => {
    const path = pathText(issue.path);
    const one = (problem: string, fix: string): ConfigProblem[] => [{ path, problem, fix }];
    const custom =
      issue.code !== 'custom' && !/^(Invalid|Too|Unrecognized)/.test(issue.message) ? issue.message : undefined;
    switch (issue.code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => ({
          path: pathText([...issue.path, key]),
          problem: 'is not a known key',
          fix: suggestion(key, knownKeys(schema, issue.path)),
        }));
      case 'custom': {
        const { fix } = (issue.params ?? {}) as { fix?: string };
        return one(issue.message, fix ?? 'see config/example.yaml');
      }
      case 'invalid_type': {
        const found = valueAt(written, issue.path);
        if (custom) return one(custom, 'remove it');
        if (found === undefined) return one('is missing', `add it: ${kind(issue.expected)}`);
        if (issue.expected === 'int' && typeof found === 'number') return one('must be a whole number', 'round it');
        const quotes = issue.expected === 'string' && (typeof found === 'number' || typeof found === 'boolean');
        return one(
          `must be ${kind(issue.expected)}, not ${typeName(found)}`,
          quotes ? 'put it in quotes' : `write ${kind(issue.expected)}`,
        );
      }
      case 'invalid_value': {
        const options = issue.values.map(String).join(', ');
        return one(
          custom ?? `must be one of ${options}`,
          `use ${issue.values.length === 1 ? options : `one of ${options}`}`,
        );
      }
      case 'too_small':
      case 'too_big': {
        const least = issue.code === 'too_small';
        const limit = String(issue.code === 'too_small' ? issue.minimum : issue.maximum);
        if (custom) return one(custom, 'remove it');
        if (issue.origin === 'string' || issue.origin === 'array') {
          const empty = least && limit === '1';
          return one(
            empty ? 'must not be empty' : `is too ${least ? 'short' : 'long'}`,
            empty ? 'fill it in' : `${least ? 'at least' : 'at most'} ${limit}`,
          );
        }
        const open = issue.inclusive === false ? (least ? 'more than' : 'less than') : least ? 'at least' : 'at most';
        return one(`must be ${open} ${limit}`, `write a number that is ${open} ${limit}`);
      }
      case 'invalid_union': {
        const { options } = issue as { readonly options?: readonly unknown[] };
        if (options === undefined || options.length === 0) return one('is not valid', 'see config/example.yaml');
        const names = options.map(String).join(' or ');
        if (valueAt(written, issue.path) === undefined) return one('is missing', `add it: ${names}`);
        return one(`must be ${names}`, `write ${names}`);
      }
      case 'invalid_key':
        return one('is not a valid name', issue.issues[0]?.message ?? 'see config/example.yaml');
      default:
        return one(custom ?? 'is not valid', 'see config/example.yaml');
    }
  });
}

/** `clients[0].redirect_uris` for `['clients', 0, 'redirect_uris']`. */
function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    // A key from the file is shown as it is only if it cannot disturb a terminal.
    const name = /^[\w.:/@-]{1,100}$/.test(String(step)) ? String(step) : JSON.stringify(String(step).slice(0, 100));
    return text === '' ? name : `${text}.${name}`;
  }, '');
}

function kind(expected: string): string {
  const names: Record<string, string> = {
    int: 'a whole number',
    array: 'a list',
    object: 'a map of keys',
    record: 'a map of keys',
    boolean: 'true or false',
  };
  return names[expected] ?? `a ${expected}`;
}

function typeName(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a map of keys' : `a ${typeof value}`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce((inside, step) => (inside as Record<PropertyKey, unknown> | null | undefined)?.[step], value);
}

type Definition = {
  type: string;
  innerType?: z.ZodType;
  element?: z.ZodType;
  shape?: Record<string, z.ZodType>;
  valueType?: z.ZodType;
};

function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const definition = (schema as unknown as { def: Definition }).def;
  if (definition.innerType) return knownKeys(definition.innerType, path);
  const [step, ...rest] = path;
  if (step === undefined) return Object.keys(definition.shape ?? {});
  const next = definition.shape?.[String(step)] ?? definition.element ?? definition.valueType;
  return next ? knownKeys(next, rest) : [];
}

function suggestion(key: string, known: string[]): string {
  const plain = (name: string): string => name.toLowerCase().replaceAll(/[_-]/g, '');
  const near = known
    .map((name) => ({ name, distance: plain(name) === plain(key) ? 0 : distance(plain(name), plain(key)) }))
    .sort((a, b) => a.distance - b.distance)[0];
  if (near && near.distance <= Math.max(near.name.length < 4 ? 1 : 2, Math.floor(near.name.length / 3)))
    return `did you mean ${near.name}?`;
  return known.length > 0 && known.length <= 12
    ? `remove it; known here: ${known.join(', ')}`
    : 'remove it; config/example.yaml lists every key';
}

// Levenshtein, one row at a time; a key longer than any of ours is not near to one.
function distance(a: string, b: string): number {
  if (b.length > 64) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (const [i, letter] of a.split('').entries()) {
    const next = [i + 1];
    for (const [j, other] of b.split('').entries()) {
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] ?? Infinity;
}
