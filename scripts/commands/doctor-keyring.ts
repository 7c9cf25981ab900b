/** What `doctor` looks at of the keyring: whether it fits the store, how old its key is, and what waits to be done with it. */
import type { Core } from '../../src/compose.ts';
import { counted } from '../terminal/text.ts';
import type { Finding } from './findings.ts';

const DAY_MS = 86_400_000;
const OLD_KEY_DAYS = 730;

export async function checkKeyring({ config, clock, sealingKeys }: Core): Promise<Finding[]> {
  const check = 'keyring';
  const file = config.keyringFile;
  const { sealing, held, keys, unfinished } = await sealingKeys.status();
  const copyIt = 'copy the file here from the machine where it has that key';
  const findings: Finding[] = [];
  if (!held) {
    const found = `key ${sealing} seals, and is not in ${file}: this machine goes on with an older one`;
    findings.push({ check, status: 'problem', found, fix: copyIt });
  }
  const missing = (await sealingKeys.missing()).filter((version) => held || version !== sealing);
  if (missing.length > 0) {
    const found = `the store holds values of key ${missing.join(', ')}, which is not in ${file}`;
    findings.push({ check, status: 'problem', found, fix: copyIt });
  }
  if (unfinished) {
    findings.push({ check, status: 'warning', found: 'a rotation was cut off', fix: 'curfew keyring rotate' });
  }
  for (const { version } of keys.filter(({ state }) => state === 'staged')) {
    const fix = 'when every machine has this file: curfew keyring rotate';
    findings.push({ check, status: 'warning', found: `key ${version} waits to be used`, fix });
  }
  const seals = keys.find(({ state }) => state === 'sealing');
  const days = seals === undefined ? 0 : Math.floor((clock.now().getTime() - seals.createdAt.getTime()) / DAY_MS);
  if (days > OLD_KEY_DAYS) {
    const found = `the key that seals is ${counted(days, 'day')} old`;
    findings.push({ check, status: 'warning', found, fix: 'curfew keyring rotate' });
  }
  if (findings.some(({ status }) => status === 'problem')) return findings;
  const age = seals === undefined ? '' : `; the key that seals is ${counted(days, 'day')} old`;
  return [{ check, status: 'ok', found: `${file}, private to its owner, belongs to this store${age}` }, ...findings];
}
