/**
 * Long, and still the first thing a guesser tries.
 *
 * Purpose: recognise what people do to make a common password long enough: say it twice, put a year behind it, walk along
 * the keyboard, count. Invariant: it looks at the shape alone, asks the list it is given about words, and takes bounded
 * time. It refuses to know how long a password must be.
 */
import type { PasswordBlocklist } from './password-blocklist.ts';

/** Why a password is easy to guess, or null. `folded` is NFKC, lower case, at most a few hundred characters. */
export function predictableShape(
  folded: string,
  blocklist: PasswordBlocklist,
): 'repeated' | 'decorated' | 'walk' | null {
  if (isRepeated(folded, blocklist)) return 'repeated';
  if (isWalk(folded)) return 'walk';
  if (isDecorated(folded, blocklist)) return 'decorated';
  return null;
}

// Up to four characters again and again are no better than those four, listed or not.
const SHORT_UNIT = 4;
const JOINERS = /[\s\p{P}]/gu;

function isRepeated(folded: string, blocklist: PasswordBlocklist): boolean {
  const period = smallestPeriod(folded);
  if (period * 2 > folded.length) return false;
  if (period <= SHORT_UNIT) return true;
  const unit = folded.slice(0, period);
  // `letmein-letmein-`: what joins the repetitions is not part of the word.
  return blocklist.has(unit) || blocklist.has(unit.replaceAll(JOINERS, ''));
}

// The last repetition may be cut: `passwordpasswordpass` has a period of 8. (Knuth–Morris–Pratt's failure function.)
function smallestPeriod(text: string): number {
  const borders = [0];
  for (let at = 1, border = 0; at < text.length; at += 1) {
    while (border > 0 && text[at] !== text[border]) border = borders[border - 1] ?? 0;
    if (text[at] === text[border]) border += 1;
    borders.push(border);
  }
  return text.length - (borders.at(-1) ?? 0);
}

const SHORTEST_WORD = 4;
const LETTER = /\p{L}/u;

// A listed word with digits and signs before or behind it: `password2024!!!`. A word has a letter: among plain digits some
// listed date would nearly always be found.
function isDecorated(folded: string, blocklist: PasswordBlocklist): boolean {
  const characters = Array.from(folded);
  const first = characters.findIndex((character) => LETTER.test(character));
  if (first === -1) return false;
  const last = characters.findLastIndex((character) => LETTER.test(character));
  const body = characters.slice(first, last + 1).join('');
  if (body.length < folded.length && body.length * 2 >= folded.length && isRepeated(body, blocklist)) return true;
  const starts = [...new Set([0, first])];
  // Signs may belong to the word (`p@ssw0rd!`), so every length of what hangs behind it is tried.
  for (const start of starts) {
    for (let end = characters.length; end > last; end -= 1) {
      if (end - start < SHORTEST_WORD || (start === 0 && end === characters.length)) continue;
      if (blocklist.has(characters.slice(start, end).join(''))) return true;
    }
  }
  return false;
}

// Orders that hands and heads follow: the alphabet, digits, rows and columns of common keyboards.
const ORDERS = [
  'abcdefghijklmnopqrstuvwxyz',
  '01234567890',
  'qwertyuiop[]',
  "asdfghjkl;'",
  'zxcvbnm,./',
  'qwertzuiopü',
  'yxcvbnm',
  'azertyuiop',
  'qsdfghjklm',
  'wxcvbn',
  '!@#$%^&*()',
  'йцукенгшщзхъ',
  'фывапролджэ',
  'ячсмитьбю',
  'абвгдеёжзийклмнопрстуфхцчшщъыьэюя',
  ...'1qaz 2wsx 3edc 4rfv 5tgb 6yhn 7ujm 8ik, 9ol. 0p;/'.split(' '),
  ...'zse4 xdr5 cft6 vgy7 bhu8 nji9 mko0'.split(' '),
  // Two of them in turn.
  ...'1q2w3e4r5t6y7u8i9o0p q1w2e3r4t5y6u7i8o9p0 qawsedrftgyhujikolp aqswdefrgthyjukilo;p'.split(' '),
  ...'1a2b3c4d5e6f7g8h9i0j a1b2c3d4e5f6g7h8i9j0'.split(' '),
].flatMap((order) => [order, Array.from(order).toReversed().join('')]);

const SHORTEST_RUN = 3;
const RUN_IS_WORTH = 2;
// What is left once runs are counted for what they are worth; with this much a password may hold any run it likes.
const ENOUGH_WITHOUT_RUNS = 13;

function isWalk(folded: string): boolean {
  let worth = 0;
  for (let at = 0; at < folded.length;) {
    const run = longestRunAt(folded, at);
    worth += run >= SHORTEST_RUN ? RUN_IS_WORTH : 1;
    at += run >= SHORTEST_RUN ? run : 1;
  }
  return worth < ENOUGH_WITHOUT_RUNS && worth * 3 <= folded.length * 2;
}

function longestRunAt(text: string, start: number): number {
  const character = text[start] ?? '';
  let longest = 1;
  while (text[start + longest] === character) longest += 1;
  for (const order of ORDERS) {
    for (let from = order.indexOf(character); from !== -1; from = order.indexOf(character, from + 1)) {
      let length = 1;
      while (start + length < text.length && text[start + length] === order[from + length]) length += 1;
      longest = Math.max(longest, length);
    }
  }
  return longest;
}
