/**
 * `curfew account disable|enable --account-file`: one account after the other, as if each had been named alone.
 *
 * Invariant: each account changes in one write of its own, and one that is as it should be is left alone. So the same list can
 * be run again, after Ctrl-C, after a fault, or every night.
 */
import { REASONS } from '../../src/compose.ts';
import type { ExitCode } from '../terminal/outcome.ts';
import { counted } from '../terminal/text.ts';
import { readAccountList } from './account-list.ts';
import { atOnce } from './at-once.ts';
import { agree, type House } from './house.ts';
import { tellOfMany } from './telling-many.ts';

/** Writes under way at once: enough for a store on another machine, and little beside what a server does. */
const CHANGED_AT_ONCE = 8;

type Changed = { readonly what: 'changed' | 'unchanged' | 'gone'; readonly signOutId?: string };

export type ManyOptions = {
  readonly accountFile: string;
  readonly skipUnknown?: boolean;
  readonly yes?: boolean;
  readonly wait?: number;
};

export async function setStatusOfMany(
  house: House,
  status: 'active' | 'disabled',
  { accountFile: file, skipUnknown = false, yes = false, wait = 0 }: ManyOptions,
): Promise<ExitCode> {
  const { core, terminal, interrupts } = house;
  const { ids, unknown } = await readAccountList(core, terminal, { file, skipUnknown });
  if (status === 'disabled' && ids.length > 0) {
    await agree(terminal, {
      yes,
      about: [`${counted(ids.length, 'account')} will be disabled. Access ends on every device, at every app.`],
      question: `Disable ${counted(ids.length, 'account')}?`,
    });
  }
  const changes = await interrupts.hold(async (signal) => {
    const doing = status === 'disabled' ? 'Disabling accounts' : 'Enabling accounts';
    const show = (done: number): void => terminal.progress({ doing, done, total: ids.length, unit: 'accounts' });
    const made = await atOnce(ids, { most: CHANGED_AT_ONCE, signal }, async (accountId, done) => {
      show(done);
      return setStatus(house, accountId, status);
    });
    show(made.length);
    terminal.progress(null);
    return made;
  });
  const signOuts = changes.flatMap(({ signOutId }) => (signOutId === undefined ? [] : [signOutId]));
  if (signOuts.length > 0) core.signOuts.written();
  const cut = changes.length < ids.length;
  const told = await tellOfMany(house, signOuts, cut ? 0 : wait);
  const count = (what: Changed['what']): number => changes.filter((change) => change.what === what).length;
  const [changed, unchanged] = [count('changed'), count('unchanged')];
  const left = ids.length - changed - unchanged;
  terminal.printJson({ status, changed, unchanged, left, unknown, deliveries: told.deliveries });
  terminal.printFacts([
    [status, String(changed)],
    [`${status} before`, String(unchanged)],
    ...(left === 0 ? [] : [['left as they are', String(left)] as const]),
    ...(unknown.length === 0 ? [] : [['unknown', String(unknown.length)] as const]),
  ]);
  if (cut) terminal.note('Interrupted: the same command goes on with the rest.');
  return cut ? 130 : told.exitCode;
}

async function setStatus({ core }: House, accountId: string, status: 'active' | 'disabled'): Promise<Changed> {
  const account = await core.store.accounts.find(accountId);
  if (account === null || account.status === 'deleted') return { what: 'gone' };
  if (account.status === status) return { what: 'unchanged' };
  if (status === 'active') {
    const set = await core.store.accounts.setStatus({ accountId, status });
    return { what: set === 'set' ? 'changed' : 'gone' };
  }
  const signOut = await core.signOuts.prepare({
    scope: { kind: 'account', accountId },
    reason: REASONS.disabled,
    actor: { kind: 'operator' },
  });
  const set = await core.store.accounts.setStatus({ accountId, status, signOut });
  return set === 'set' ? { what: 'changed', signOutId: signOut.id } : { what: 'gone' };
}
