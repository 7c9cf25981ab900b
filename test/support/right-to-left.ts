/**
 * A language that nobody speaks, for looking at pages that run from right to left: English in which each letter stands as one
 * of the Hebrew ones. It is complete because English is; names put into it stay what they are.
 */
import { en, type Texts } from '../../src/languages/en.ts';
import { type Language, LANGUAGES } from '../../src/languages/languages.ts';
import type { Sentence } from '../../src/languages/text.ts';

const FIRST_LETTER = 0x05d0;
const LETTERS = 27;
/** Of private use: no name has them. */
const [BEGIN, END] = ['\ue000', '\ue001'];
const NAMES = /(\ue000[^\ue001]*\ue001)/u;

const turned = (words: string): string =>
  words.replaceAll(/[a-z]/gi, (letter) => String.fromCodePoint(FIRST_LETTER + (letter.charCodeAt(0) % LETTERS)));

/** Names are handed in marked, so that they can be told from the words around them, and come out isolated. */
const mark = (name: unknown): unknown => (typeof name === 'string' ? `${BEGIN}${name}${END}` : name);

function turnedText(words: string): string {
  return words
    .split(NAMES)
    .map((part) => (NAMES.test(part) ? `\u2068${part.slice(1, -1)}\u2069` : turned(part)))
    .join('');
}

function turnedAll(value: unknown): unknown {
  if (typeof value === 'string') return turned(value);
  if (typeof value === 'function') {
    return (...names: readonly unknown[]): unknown => {
      const made = (value as (...given: readonly unknown[]) => string | Sentence)(...names);
      if (typeof made !== 'string') return made.map((part) => (typeof part === 'string' ? turned(part) : part));
      return turnedText((value as (...given: readonly unknown[]) => string)(...names.map(mark)));
    };
  }
  if (Array.isArray(value)) return value.map(turnedAll);
  return Object.fromEntries(Object.entries(value as object).map(([name, each]) => [name, turnedAll(each)]));
}

export const RIGHT_TO_LEFT: Language = {
  ...LANGUAGES.en,
  tag: 'he',
  direction: 'rtl',
  texts: turnedAll(en) as Texts,
};
