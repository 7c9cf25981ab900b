import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { blocklistEntry, openBlocklist } from '../../src/authn/password-blocklist.ts';
import { createPasswordPolicy } from '../../src/authn/password-policy.ts';
import { emptyStore } from '../support/authn-world.ts';

const policy = createPasswordPolicy({ issuer: 'https://id.starhouse.test' });
const person = { username: 'marvin', email: 'paranoid@sirius.test' };
const problems = (password: string, more: { secondFactor?: boolean; username?: string; email?: string } = {}) =>
  policy.problems({ ...person, password, ...more });

describe('good passwords', () => {
  const good = [
    'nine purple otters',
    'correct horse battery',
    'mountain elephant',
    'the power of the sweater',
    'first student understood',
    'fünfzehn Zeichen?',
    'как поживает жираф',
    '馬電池正確的釘書機是很好的密碼呢',
    '🔑🐎🔋📎🌲🌊🔥🍀🎈🎲🧭🪁🥁🎻🪐',
    'kV8!rw2#Zp0&tQx',
    '839201748362918',
    'correcthorse1234567',
    ' '.repeat(3) + 'blanks count too' + ' '.repeat(3),
  ];
  test.for(good)('%s', (password) => {
    expect(problems(password)).toEqual([]);
  });

  test('any 256 characters that are no pattern', () => {
    const long = Array.from({ length: 64 }, (_, word) => String((word * 7919 + 1234) % 9973).padStart(4, 'x')).join('');
    expect(long).toHaveLength(256);
    expect(problems(long)).toEqual([]);
    expect(problems(`${long}!`)).toEqual([expect.stringContaining('256')]);
  });
});

describe('length, in code points', () => {
  const lengths = [
    ['kV8!rw2#Zp0&tQ', false, 'at least 15'],
    ['kV8!rw2#Zp0&tQx', false, null],
    ['kV8!rw2#Z', true, 'at least 10'],
    ['kV8!rw2#Zp', true, null],
    ['kV8!rw2#Zp', false, 'at least 15'],
    // 14 characters in 28 UTF-16 units.
    ['🔑🐎🔋📎🌲🌊🔥🍀🎈🎲🧭🪁🥁🎻', false, 'at least 15'],
    // Decomposed, this looks longer than it is.
    ['e\u0301a\u0301o\u0301u\u0301i\u0301z7q!mK2', false, 'at least 15'],
    ['', false, 'at least 15'],
  ] as const;
  test.for(lengths)('%s with second factor %s: %s', ([password, secondFactor, problem]) => {
    const found = problems(password, { secondFactor });
    expect(found).toEqual(problem === null ? [] : expect.arrayContaining([expect.stringContaining(problem)]));
  });

  test('what cannot be hashed is told apart', () => {
    expect(problems('nine purple otters\ud83e')).toEqual([expect.stringContaining('not a character')]);
    expect(problems('\ufdfa'.repeat(20))).toEqual([expect.stringContaining('at most 256')]);
  });
});

describe('names', () => {
  const named = [
    ['the username', 'marvin', {}],
    ['the username inside', 'poor Marvin the robot', {}],
    ['the username in full width', 'poor ｍａｒｖｉｎ the robot', {}],
    ['the e-mail', 'my paranoid@sirius.test mail', {}],
    ['the local part', 'so very PARANOID today', {}],
    ['a product name', 'the curfew bell rings', {}],
    ['the host', 'x id.starhouse.test yz', {}],
    ['the house', 'welcome to Starhouse!', {}],
  ] as const;
  test.for(named)('%s is refused', ([, password]) => {
    expect(problems(password)).toContainEqual(expect.stringMatching(/^Do not use/));
  });

  test('a name in capitals is the same name', () => {
    const shouting = { username: 'MARVIN', email: 'PARANOID@SIRIUS.TEST' };
    expect(problems('poor marvin the robot', shouting)).toEqual([expect.stringContaining('username')]);
    expect(problems('so very paranoid today', shouting)).toEqual([expect.stringContaining('e-mail')]);
  });

  test('short names turn up by chance and are not looked for', () => {
    expect(problems('nine purple bob otters', { username: 'bob', email: 'bob@sirius.test' })).toEqual([]);
    expect(problems('one id, two ids, no more')).toEqual([]);
  });

  test('every problem is told at once', () => {
    expect(problems('marvin')).toEqual([
      expect.stringContaining('at least 15'),
      expect.stringContaining('your username'),
      expect.stringContaining('data breaches'),
    ]);
  });
});

describe('easy to guess', () => {
  const easy = [
    ['passwordpassword', 'data breaches'],
    ['PasswordPassword', 'data breaches'],
    ['ｐａｓｓｗｏｒｄpassword', 'data breaches'],
    ['1qaz2wsx3edc4rfv', 'data breaches'],
    ['qwertyuiopasdfgh', 'data breaches'],
    ['dragondragondragon', 'repeated'],
    ['monkeymonkeymonk', 'repeated'],
    ['letmein letmein letmein', 'repeated'],
    ['aaaaaaaaaaaaaaaa', 'repeated'],
    ['abcabcabcabcabcab', 'repeated'],
    ['x'.repeat(256), 'repeated'],
    ['dragon1984!!!!!!', 'around it'],
    ['P@ssw0rd!2024!!!', 'around it'],
    ['20242024sunshine', 'around it'],
    ['!!!!monkey2024!!', 'around it'],
    ['dragondragondragon1', 'around it'],
    ['123456789012345', 'keyboard'],
    ['abcdefghijklmnop', 'keyboard'],
    ['ponmlkjihgfedcba', 'keyboard'],
    ['poiuytrewqlkjhgf', 'keyboard'],
    ['qwe123rty456uio789', 'keyboard'],
    ['aaaabbbbccccddddd', 'keyboard'],
    ['1a2b3c4d5e6f7g8h9i', 'keyboard'],
    ['йцукенгшщзхъфыва', 'keyboard'],
    ['azertyuiopqsdfgh', 'keyboard'],
  ] as const;
  test.for(easy)('%s: %s', ([password, why]) => {
    expect(problems(password)).toEqual([expect.stringContaining(why)]);
  });

  test('a listed word is refused at ten characters too', () => {
    expect(problems('qwertyuiop', { secondFactor: true })).toEqual([expect.stringContaining('data breaches')]);
    expect(problems('basketball', { secondFactor: true })).toEqual([expect.stringContaining('data breaches')]);
  });

  test('the longest password is judged with bounded work', () => {
    let lookUps = 0;
    const counting = createPasswordPolicy({
      issuer: 'https://id.starhouse.test',
      blocklist: { has: () => ((lookUps += 1), false) },
    });
    counting.problems({ ...person, password: '7294'.repeat(25) + 'x' + '8351'.repeat(38) });
    expect(lookUps).toBeGreaterThan(1);
    expect(lookUps).toBeLessThan(600);
  });
});

describe('the blocklist', () => {
  test('that is shipped holds what it should: at least 100 000 entries, in order, each once', () => {
    const entries = readFileSync(join(import.meta.dirname, '../../config/password-blocklist.bin'));
    expect(entries.length % 8).toBe(0);
    expect(entries.length / 8).toBeGreaterThanOrEqual(100_000);
    expect(entries.length).toBeLessThanOrEqual(1_200_000);
    let before = -1n;
    let outOfOrder = 0;
    for (let at = 0; at < entries.length; at += 8) {
      const entry = entries.readBigUInt64BE(at);
      if (entry <= before) outOfOrder += 1;
      before = entry;
    }
    expect(outOfOrder).toBe(0);
  });

  test('finds its first, its last and every other entry, and nothing else', async () => {
    const { folder } = await emptyStore();
    const path = join(folder, 'list.bin');
    const words = Array.from({ length: 101 }, (_, number) => `word ${number}`);
    writeFileSync(path, Buffer.concat(words.map(blocklistEntry).sort(Buffer.compare)));
    const list = openBlocklist(path);
    expect(words.filter((word) => !list.has(word.toUpperCase()))).toEqual([]);
    expect(words.filter((word) => list.has(`${word}!`))).toEqual([]);
  });

  test('is read at first use; one that is missing, empty or cut is a fault', async () => {
    const { folder } = await emptyStore();
    const missing = openBlocklist(join(folder, 'none.bin'));
    expect(() => missing.has('x')).toThrow('cannot be read');
    for (const [name, bytes] of [
      ['empty', 0],
      ['cut', 12],
    ] as const) {
      const path = join(folder, name);
      writeFileSync(path, Buffer.alloc(bytes));
      expect(() => openBlocklist(path).has('x')).toThrow('empty or cut');
    }
  });
});
