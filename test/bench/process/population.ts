/** An installation with as many people in it as are asked for, before anybody serves it. */
import { populate } from '../../support/population.ts';
import { PASSWORD, type Place } from '../house.ts';
import { openCore } from './core.ts';

export async function fill({
  place,
  configuration,
  accounts,
  clients,
  devices,
}: {
  readonly place: Place;
  readonly configuration: Readonly<Record<string, unknown>>;
  readonly accounts: number;
  readonly clients: readonly string[];
  readonly devices: number;
}): Promise<null> {
  const core = await openCore(place, configuration);
  const hashed = await core.signIn.hashNewPassword({
    password: PASSWORD,
    username: 'nobody',
    email: 'nobody@bench.test',
  });
  if (!('hash' in hashed)) throw new Error(`the password was refused: ${JSON.stringify(hashed)}`);
  let told = 0;
  await populate(core, {
    accounts,
    clients,
    devices,
    passwordHash: hashed.hash,
    at: core.clock.now(),
    seen(done) {
      if (done - told < 100_000) return;
      told = done;
      process.stderr.write(`    ${done} accounts\n`);
    },
  });
  await core.close();
  return null;
}
