/** What `keyring rotate` does, in a process that kills itself at a given point: before or after the nth call of a kind. */
import { createJournal } from '../../src/audit/journal.ts';
import { readConfig } from '../../src/config/read.ts';
import { openStoreAndKeyring } from '../../src/open-store.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createLog } from '../../src/platform/log.ts';
import { randomId } from '../../src/platform/random.ts';
import { createSealingKeys } from '../../src/resealing/rotation.ts';

const [file, side = '', what = '', nth = '1'] = process.argv.slice(2);
const reading = readConfig({ file, env: {} });
if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
const { keyring, store } = await openStoreAndKeyring(reading.config);

let calls = 0;
const dying = <Repository extends object>(name: string, repository: Repository): Repository =>
  new Proxy(repository, {
    get(target, property, receiver) {
      const member = Reflect.get(target, property, receiver) as unknown;
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]) => {
        const hit = `${name}.${String(property)}` === what && (calls += 1) === Number(nth);
        if (hit && side === 'before') process.kill(process.pid, 'SIGKILL');
        const result = (await Reflect.apply(member, target, args)) as unknown;
        if (hit && side === 'after') process.kill(process.pid, 'SIGKILL');
        return result;
      };
    },
  });

const sealingKeys = createSealingKeys({
  catalogue: dying('catalogue', store.catalogue),
  leases: dying('leases', store.leases),
  seals: dying('seals', store.seals),
  journal: dying(
    'journal',
    createJournal({
      store: store.journal,
      keyring,
      clock: systemClock,
      log: createLog({ level: 'error', destination: 'stderr' }),
    }),
  ),
  keyring,
  keyringFile: reading.config.keyringFile,
  clock: systemClock,
  holder: randomId(),
  noticedMs: 0,
});
await sealingKeys.rotate({ signal: new AbortController().signal, report: () => undefined });
process.stdout.write('it lived\n');
await store.close();
