/** Curfew itself, as `main` starts it, with people in it. */
import { startServer } from '../../../src/server.ts';
import { createLog } from '../../../src/platform/log.ts';
import { CHEAP_HASHING, configure, PASSWORD, type Place, usernameOf } from '../house.ts';

export async function serveCurfew({
  place,
  port,
  cheapHashing,
  people,
  configuration = {},
}: {
  readonly place: Place;
  readonly port: number;
  readonly cheapHashing: boolean;
  readonly people: number;
  readonly configuration?: Readonly<Record<string, unknown>>;
}): Promise<null> {
  const config = configure(place, { port, ...configuration });
  const log = createLog({ level: 'warn', destination: 'stderr' });
  const { core } = await startServer(
    cheapHashing ? { ...config, passwordHashing: CHEAP_HASHING } : config,
    log,
    cheapHashing ? { hashFloor: CHEAP_HASHING } : {},
  );
  // One hash for all of them: people are wanted here, not hashes.
  const hashed = await core.signIn.hashNewPassword({
    password: PASSWORD,
    username: 'nobody',
    email: 'nobody@bench.test',
  });
  if (!('hash' in hashed)) throw new Error(`the password was refused: ${JSON.stringify(hashed)}`);
  await Promise.all(
    Array.from({ length: people }, async (_, nth) => {
      const username = usernameOf(nth);
      const created = await core.accounts.create({
        username,
        email: `${username}@bench.test`,
        passwordHash: hashed.hash,
      });
      if (!('account' in created)) throw new Error(`${username} was refused: ${created.refused}`);
    }),
  );
  return null;
}
