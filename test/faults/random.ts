/** Chance that can be had again: it says what it began with. */

/** Whole numbers below a bound, the same for the same seed (mulberry32). */
export function numbersFrom(seed: number): (below: number) => number {
  process.stdout.write(`the moments are those of seed ${seed}\n`);
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}
