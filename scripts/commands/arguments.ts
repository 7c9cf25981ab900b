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
  const { showing, looked } = await accountsShowing(accounts, name);
  if (showing.length > 0) {
    const many = showing.length === 1 ? '1 account shows' : `${showing.length} accounts show`;
    const names = showing.map(({ username }) => username).join(', ');
    throw new Refused(`${many} ${JSON.stringify(name)}, but nobody has confirmed that it is theirs: ${names}`, {
      fix: `name the account by username or id${looked < MOST_LOOKED_AT ? '' : `; only the first ${looked} accounts were looked at`}`,
    });
  }
  throw new Refused(`there is no account ${JSON.stringify(name)}`, {
    fix: 'name it by username, e-mail address or id; `curfew account list` shows them',
  });
}

const MOST_LOOKED_AT = 10_000;

/** An address that nobody vouched for finds nobody by its index, and yet `account list` shows it. */
async function accountsShowing(
  accounts: Core['accounts'],
  address: string,
): Promise<{ readonly showing: readonly Account[]; readonly looked: number }> {
  if (!address.includes('@')) return { showing: [], looked: 0 };
  const wanted = address.trim().toLowerCase();
  const showing: Account[] = [];
  let looked = 0;
  for await (const page of allPages(accounts.list, ({ id }) => id)) {
    showing.push(...page.filter(({ email }) => email.toLowerCase() === wanted));
    looked += page.length;
    if (looked >= MOST_LOOKED_AT) break;
  }
  return { showing, looked };
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
