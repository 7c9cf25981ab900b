/** What a password costs at the parameters that an operator gets without asking. */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import * as argon2 from 'argon2';

import { ConfigSchema } from '../../../src/config.ts';
import { PASSWORD } from '../house.ts';
import { ownUsage, runSlice, type Slice } from '../measure.ts';

/** Hashes for so long, as many at once as Curfew allows itself: one core stays free. */
export async function hash({ seconds }: { readonly seconds: number }): Promise<readonly Slice[]> {
  const { memoryKiB, iterations, parallelism } = ConfigSchema.parse({}).passwordHashing;
  const options = {
    type: argon2.argon2id,
    memoryCost: memoryKiB,
    timeCost: iterations,
    parallelism,
    secret: randomBytes(32),
  } as const;
  const lanes = Math.max(1, availableParallelism() - 1);
  return [
    await runSlice({ lanes, perform: async () => void (await argon2.hash(PASSWORD, options)) }, seconds, ownUsage),
  ];
}
