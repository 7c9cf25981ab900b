/**
 * What was added to an account since an instant, taken away again: passkeys, the authenticator app, recovery codes, trusted
 * browsers, and other ways to sign in.
 *
 * Invariant: whoever took an account over leaves nothing behind that would let them in again. It is done before access ends and
 * once more after it: what is added in between stands on nothing that lasts, and what comes later is refused as stale.
 */
import { addSeconds } from '../platform/clock.ts';
import type { Texts } from '../languages/en.ts';
import type { House } from './routes/house.ts';

/** A mail about a thing leaves a moment after it; and one thing was done to do the next. */
const BEFORE_SECONDS = 3600;

/** From when on things are taken away, by a link that was made at this instant. */
export const undoneSince = (madeAt: Date): Date => addSeconds(madeAt, -BEFORE_SECONDS);

/** What would go, in words. */
export async function additionsSince(
  house: House,
  accountId: string,
  since: Date,
  { things }: Texts['notMe'],
): Promise<readonly string[]> {
  const [credentials, identities] = await addedSince(house, accountId, since);
  const kinds = new Set(credentials.map(({ kind }) => kind));
  return [
    ...[...kinds].map((kind) => things[kind]),
    ...identities.map(({ connectionId }) => things.wayIn(nameOf(house, connectionId))),
  ];
}

/** Takes it away. Whatever is the account's last way in stays: nobody could come back. */
export async function undoAdditions(house: House, accountId: string, since: Date): Promise<void> {
  const [credentials, identities] = await addedSince(house, accountId, since);
  for (const { id } of credentials) await house.store.accounts.removeCredential({ accountId, id });
  for (const { subject } of identities) await house.connections.identities.unlink(accountId, subject);
}

async function addedSince({ store, connections }: House, accountId: string, since: Date) {
  const [credentials, identities] = await Promise.all([
    store.accounts.credentialsOf(accountId),
    connections.identities.list(accountId),
  ]);
  return [
    credentials.filter(({ createdAt }) => createdAt >= since),
    identities.filter(({ linkedAt }) => linkedAt >= since),
  ] as const;
}

const nameOf = ({ connections }: House, connectionId: string): string =>
  connections.settingsOf(connectionId)?.name ?? connectionId;
