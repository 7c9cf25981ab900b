/**
 * Browsers that are not asked for the second factor again for a while.
 *
 * Invariant: one stands for thirty days and for one account, and ends with whatever ends the account's access: it bears the
 * epochs that were seen when it was remembered. "All other devices" ends it as well, that of the browser which asks included:
 * it bears no Session that could be spared, and whoever tidies up after a thief is asked once more rather than the thief not
 * at all. The browser holds a random value, the store a blind index of it.
 */
import { addSeconds, type Clock } from '../platform/clock.ts';
import type { Keyring } from '../platform/keyring.ts';
import { randomSecret } from '../platform/random.ts';
import type { CredentialRepository } from '../store/credentials.ts';
import type { RevocationRepository } from '../store/port.ts';
import type { Stamps } from '../store/records.ts';
import { createCredentials, type Opened } from './credentials.ts';

type Content = { readonly browser: string; readonly stamps: Stamps; readonly until: string };

export type TrustedBrowser = {
  readonly id: string;
  /** As its owner will recognise it. */
  readonly browser: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
};

export type TrustedBrowsers = {
  /** Resolves to what the browser keeps. `stamps`: the account's epochs as this sign-in saw them. */
  trust(browser: { readonly accountId: string; readonly browser: string; readonly stamps: Stamps }): Promise<string>;
  isTrusted(accountId: string, bearer: string | undefined): Promise<boolean>;
  /** Those that still stand. */
  of(accountId: string): Promise<readonly TrustedBrowser[]>;
  forget(which: { readonly accountId: string; readonly id: string }): Promise<boolean>;
  forgetAll(accountId: string): Promise<void>;
};

export const TRUST_SECONDS = 30 * 86_400;
const MOST = 20;

export function createTrustedBrowsers({
  store,
  revocations,
  keyring,
  clock,
}: {
  readonly store: CredentialRepository;
  readonly revocations: Pick<RevocationRepository, 'stand'>;
  readonly keyring: Pick<Keyring, 'seal' | 'unseal' | 'blindIndex'>;
  readonly clock: Pick<Clock, 'now'>;
}): TrustedBrowsers {
  const kept = createCredentials<Content>({ kind: 'trusted-browser', store, revocations, keyring });
  const idOf = (accountId: string, bearer: string): string =>
    keyring.blindIndex('trusted-browser', JSON.stringify([accountId, bearer]));
  const stands = async ({ content }: Opened<Content>): Promise<boolean> =>
    new Date(content.until) > clock.now() && revocations.stand(content.stamps);

  return {
    async trust({ accountId, browser, stamps }) {
      const bearer = randomSecret();
      const now = clock.now();
      const until = addSeconds(now, TRUST_SECONDS).toISOString();
      const content = { browser, stamps, until };
      await kept.add(
        { id: idOf(accountId, bearer), accountId, createdAt: now, content },
        { most: MOST, standing: stamps },
      );
      return bearer;
    },
    async isTrusted(accountId, bearer) {
      if (bearer === undefined) return false;
      const present = await kept.find(idOf(accountId, bearer));
      if (present === null || present.accountId !== accountId || !(await stands(present))) return false;
      // Lost only to another use of it, or to its being forgotten: that one must win.
      return (await kept.change(present, present.content, clock.now())) || (await kept.find(present.id)) !== null;
    },
    async of(accountId) {
      const all = await kept.of(accountId);
      const standing = await Promise.all(all.map(async (each) => ((await stands(each)) ? [each] : [])));
      return standing.flat().map(({ id, createdAt, lastUsedAt, content }) => ({
        id,
        createdAt,
        lastUsedAt,
        browser: content.browser,
      }));
    },
    forget: (which) => kept.remove(which),
    async forgetAll(accountId) {
      for (const { id } of await kept.of(accountId)) await kept.remove({ accountId, id });
    },
  };
}
