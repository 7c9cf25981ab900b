/** What is typed after a command, checked before anything is opened. */
import { InvalidArgumentError } from 'commander';

import type { Core } from '../../src/compose.ts';
import { Refused } from '../terminal/outcome.ts';

export type Account = NonNullable<Awaited<ReturnType<Core['accounts']['find']>>>;

/** A whole number of seconds within bounds. */
export function seconds({ least, most }: { readonly least: number; readonly most: number }): (typed: string) => number {
  return (typed) => {
    const value = /^\d{1,9}$/.test(typed) ? Number(typed) : NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number of seconds, ${least} to ${most}.`);
  };
}

/** A day: nobody watches a command for longer. */
export const waitSeconds = seconds({ least: 0, most: 86_400 });

/** The account of this username, e-mail address or id. Throws Refused when there is none. */
export async function accountNamed({ accounts }: Pick<Core, 'accounts'>, name: string): Promise<Account> {
  const account = await accounts.resolve(name);
  if (account !== null) return account;
  throw new Refused(`there is no account ${JSON.stringify(name)}`, {
    fix: 'name it by username, e-mail address or id; `curfew account list` shows them',
  });
}

/** Pages of something that is listed by id, until one is not full. */
export async function* allPages<Row>(
  read: (page: { readonly after?: string | undefined; readonly limit: number }) => Promise<readonly Row[]>,
  idOf: (row: Row) => string,
): AsyncGenerator<readonly Row[]> {
  const limit = 500;
  for (let after: string | undefined; ;) {
    const page = await read({ after, limit });
    yield page;
    const last = page.at(-1);
    if (last === undefined || page.length < limit) return;
    after = idOf(last);
  }
}

/** RFC 3339 in UTC, to the second, or what stands for never: for people. */
export function instant(at: Date | null): string {
  return at === null ? '–' : at.toISOString().replace(/\.\d+Z$/, 'Z');
}
