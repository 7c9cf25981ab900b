/**
 * The same work for very many, a few at a time: a store on another machine answers each in its own time, and an embedded one
 * answers without waiting, which must keep nobody from Ctrl-C.
 */
import { setImmediate as breathe } from 'node:timers/promises';

/** Once in so many, whatever else waits gets its turn. */
const BREATHE_EVERY = 64;

/**
 * Does `work` for each item, at most `most` at once, in their order; answers in that order. `signal` ends it early: what was
 * begun is finished, and of the rest there is no answer. The first fault ends it too, and is thrown once all have stopped.
 */
export async function atOnce<Item, Answer>(
  items: readonly Item[],
  { most, signal }: { readonly most: number; readonly signal?: AbortSignal },
  work: (item: Item, done: number) => Promise<Answer>,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  const faults: unknown[] = [];
  // One iterator for all of them: each item is taken by whoever is free.
  const left = items.entries();
  let done = 0;
  const worker = async (): Promise<void> => {
    for (const [at, item] of left) {
      if (signal?.aborted === true || faults.length > 0) return;
      try {
        answers[at] = await work(item, done);
      } catch (fault) {
        faults.push(fault);
      }
      done += 1;
      if (done % BREATHE_EVERY === 0) await breathe();
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
  if (faults.length > 0) throw faults[0];
  return answers.filter((_, at) => at in answers);
}
