/** What `doctor` looks at inside the house: store, clock, keys, deliveries. */
import { type Core, SIGNING_ALGORITHMS, storeName, StoreUnavailable } from '../../src/compose.ts';
import { counted } from '../terminal/text.ts';
import type { Finding } from './findings.ts';

const DAY_MS = 86_400_000;
const CLOCK_TOLERANCE_MS = 60_000;
const OLD_KEY_DAYS = 365;

type Condition = Awaited<ReturnType<NonNullable<Core['store']['inspect']>>>;

/** Readable, writable and whole; and what the inspection, which reads all of it, told besides. */
export async function checkStore({
  config,
  store,
}: Core): Promise<{ readonly finding: Finding; readonly condition: Condition | undefined }> {
  const check = 'store';
  try {
    await store.ping();
    const condition = await store.inspect?.();
    if (condition !== undefined && condition.faults.length > 0) {
      const damage = config.store.engine === 'sqlite' ? 'is corrupt' : 'is not as it was made';
      const found = `${storeName(config.store)} ${damage}: ${condition.faults.join('; ')}`;
      return { finding: { check, status: 'problem', found, fix: condition.remedy }, condition };
    }
    const schema = condition === undefined ? '' : `, schema ${condition.schema}, whole`;
    const accounts = counted(await store.accounts.count(), 'account');
    return {
      finding: { check, status: 'ok', found: `${storeName(config.store)}${schema}, writable, ${accounts}` },
      condition,
    };
  } catch (fault) {
    if (!(fault instanceof StoreUnavailable)) throw fault;
    const why = fault.cause instanceof Error ? `: ${fault.cause.message}` : '';
    const fix = 'look at free space, permissions, disk';
    return { finding: { check, status: 'problem', found: fault.message + why, fix }, condition: undefined };
  }
}

/** A clock that was set back makes what expires live longer, and one-time codes fail. Epochs do not depend on it. */
export function checkClock({ clock }: Core, condition: Condition | undefined): Finding {
  const check = 'clock';
  const newest = condition?.newestRecordAt ?? null;
  const now = clock.now();
  if (newest !== null && newest.getTime() - now.getTime() > CLOCK_TOLERANCE_MS) {
    const behind = Math.round((newest.getTime() - now.getTime()) / 1000);
    const found = `it is ${now.toISOString()} here, ${behind} s behind what was last recorded`;
    return { check, status: 'problem', found, fix: 'synchronise the clock (NTP) on every node' };
  }
  const apart = condition?.clockThere === undefined ? 0 : condition.clockThere.getTime() - now.getTime();
  if (Math.abs(apart) > CLOCK_TOLERANCE_MS) {
    const found = `it is ${now.toISOString()} here; the database's clock is ${Math.abs(Math.round(apart / 1000))} s ${apart > 0 ? 'ahead' : 'behind'}`;
    return { check, status: 'warning', found, fix: 'synchronise the clock (NTP) on every node' };
  }
  return { check, status: 'ok', found: now.toISOString() };
}

export async function checkKeys({ signingKeys, clock }: Core): Promise<Finding[]> {
  const check = 'signing keys';
  const keys = (await signingKeys.list()).filter(({ status }) => status === 'signing');
  const missing = SIGNING_ALGORITHMS.filter((alg) => !keys.some((key) => key.alg === alg));
  if (missing.length > 0) {
    const found = `no key signs with ${missing.join(', ')}`;
    return [{ check, status: 'problem', found, fix: `curfew keys rotate --algorithm ${missing.join(' ')}` }];
  }
  const oldest = Math.min(...keys.map(({ createdAt }) => createdAt.getTime()));
  const days = Math.floor((clock.now().getTime() - oldest) / DAY_MS);
  const found = `${keys.map(({ alg }) => alg).join(', ')}; the oldest is ${counted(days, 'day')} old`;
  return days > OLD_KEY_DAYS
    ? [{ check, status: 'warning', found, fix: 'curfew keys rotate' }]
    : [{ check, status: 'ok', found }];
}

/** Dead letters, and whether anybody is delivering at all. */
export async function checkDeliveries({ clock, store }: Core): Promise<Finding[]> {
  const check = 'deliveries';
  const { pending, rejected, abandoned } = await store.deliveries.counts({});
  const findings: Finding[] = [];
  if (rejected + abandoned > 0) {
    findings.push({
      check,
      status: 'warning',
      found: `${counted(rejected + abandoned, 'dead letter')}: ${rejected} refused, ${abandoned} given up`,
      fix: 'curfew delivery list --status rejected (or abandoned); when the app is well again, curfew delivery retry',
    });
  }
  const due = await store.deliveries.nextDueAt();
  const late = due !== null && clock.now().getTime() - due.getTime() > CLOCK_TOLERANCE_MS;
  const unspread = (await store.revocations.pendingSignOuts(1)).length > 0;
  if (late || unspread) {
    const found = `${counted(pending, 'notice')} due, and nobody delivers${unspread ? '; a sign-out is half told' : ''}`;
    findings.push({ check, status: 'warning', found, fix: 'start the server, or run curfew delivery retry' });
  }
  return findings.length > 0 ? findings : [{ check, status: 'ok', found: `${pending} pending, no dead letters` }];
}
