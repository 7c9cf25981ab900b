/**
 * Whether a server that speaks MongoDB does what Curfew's promises rest on: an update of one document with a condition is
 * atomic, however many ask at once.
 *
 * Every compare-and-set rests on it: one code is redeemed once, one epoch is raised by one Sign-out at a time, one lease has
 * one holder. MongoDB keeps it by design. Some programs that speak its protocol read, compare and write in three steps, and
 * let several callers win. So it is tried, on a document of its own, before anything is kept there.
 */
import { randomId } from '../../platform/random.ts';
import { StoreUnusable } from '../port.ts';
import type { Database } from './database.ts';

const ROUNDS = 5;
const AT_ONCE = 16;

/** Throws StoreUnusable for a server that lets two callers win one compare-and-set. */
export async function refuseUnfitServer(database: Database): Promise<void> {
  const winners = await mostWinners(database);
  if (winners === 1) return;
  throw new StoreUnusable(
    `the server of ${database.name} does not change one document atomically: of ${AT_ONCE} that asked at once for the same change, ${winners} were told they had made it. A code could be redeemed twice and a sign-out lost there. Use MongoDB, or a server that keeps this promise.`,
  );
}

/** How many, in the worst of a few rounds, were told that theirs was the one change of a document. */
export async function mostWinners(database: Database): Promise<number> {
  return database.askPatiently('try the server', async ({ house }) => {
    let most = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const _id = `trial:${randomId()}`;
      await house.create([{ _id, answered: 0 }]);
      try {
        const changes = await Promise.all(
          Array.from({ length: AT_ONCE }, () => house.updateOne({ _id, answered: 0 }, { $inc: { answered: 1 } })),
        );
        most = Math.max(most, changes.filter(({ modifiedCount }) => modifiedCount === 1).length);
      } finally {
        await house.deleteOne({ _id });
      }
    }
    return most;
  });
}
