/**
 * A store with so many of everything that grows in it: enough of them, and looking at all can be told from looking at some.
 * Ids count up from 0; how rows hang together is said below, and nowhere else.
 */
import type { MailStatus } from '../../../src/store/outbox.ts';
import type { SignOutRequest, Store } from '../../../src/store/port.ts';
import type { DeliveryStatus, SignOutRecord } from '../../../src/store/records.ts';
import {
  account,
  artifact,
  at,
  client,
  clientSession,
  connection,
  credential,
  day,
  delivery,
  event,
  identifiers,
  identity,
  mail,
  signingKey,
  signOutOf,
  start,
} from '../records.ts';

/** Apps that people are signed in to; the other Clients only exist. */
const APPS = 10;
const CONNECTIONS = 8;
const AT_ONCE = 100;

/** Rows of different states lie among each other, as they do in a house that has been lived in. */
export const rowId = (nth: number, state: string): string => `${String(nth).padStart(4, '0')}-${state}`;

/** Everyone was signed out once, and then came back. */
const SINCE_EVERYONE = { everyone: 1 };

/** Four of each `person` of the first quarter; two of each browser; half of them from one of some connections. */
export const livingSession = (nth: number, rows: number) =>
  clientSession(rowId(nth, 'living'), {
    accountId: `person-${nth % (rows / 4)}`,
    clientId: `app-${nth % APPS}`,
    sessionUid: `browser-${nth % (rows / 2)}`,
    connectionId: nth % 2 === 0 ? `connection-${nth % CONNECTIONS}` : null,
    stamps: SINCE_EVERYONE,
  });

/** One of each `person`, ended by the Sign-out of everyone. */
const endedSession = (nth: number) =>
  clientSession(rowId(nth, 'ended'), {
    accountId: `person-${nth}`,
    clientId: `app-${nth % APPS}`,
    sessionUid: `past-${nth}`,
  });

/** A Sign-out as it stands on the record that it raised, when that was its first. */
export const recorded = ({ spares: _spares, ...request }: SignOutRequest): SignOutRecord => ({
  ...request,
  status: 'pending',
  epochBefore: 0,
  spared: {},
});

const EVERYONE = signOutOf('everyone', 'everyone', { at: at(-day) });
/** It is complete. */
export const everyone: SignOutRecord = { ...recorded(EVERYONE), status: 'complete' };
/** Each raised a browser Session of its own, and has not been spread. */
export const pendingSignOut = (nth: number): SignOutRequest =>
  signOutOf(`pending-${nth}`, `session:raised-${nth}`, { at: at(nth) });
/** Each raised a Client that only exists, and is complete. */
const completeSignOut = (nth: number): SignOutRequest =>
  signOutOf(`complete-${nth}`, `client:client-${nth}`, { at: at(nth) });

/** Fills it; `rows` is a multiple of 40. */
export async function fill(store: Store, rows: number): Promise<void> {
  const { accounts, artifacts, catalogue, revocations } = store;
  const each = (work: (nth: number) => Promise<unknown>): Promise<void> =>
    inBatches(rows, (nths) => Promise.all(nths.map(work)));
  await each((nth) => {
    const person = `person-${nth}`;
    return accounts.insert(account(person), identifiers(person), identity(`subject-${nth}`, person));
  });
  await each((nth) => accounts.addCredential(credential(`credential-${nth}`, `person-${nth}`), { most: 1 }));
  await each((nth) => catalogue.saveClient(client(`client-${nth}`)));
  await each((nth) => catalogue.settle(`fact-${nth}`, 'settled'));
  for (let nth = 0; nth < CONNECTIONS; nth += 1) await catalogue.saveConnection(connection(`connection-${nth}`));
  for (const nth of [0, 1, 2]) await catalogue.addSigningKey(signingKey(`key-${nth}`, { signsFrom: at(nth) }));

  await each((nth) => artifacts.save(artifact(`past-${nth}`), endedSession(nth)));
  const signOut = await revocations.signOut(EVERYONE);
  await inBatches(rows, (nths) =>
    revocations.fanOut({ signOut, deliveries: [], ended: nths.map((nth) => rowId(nth, 'ended')) }),
  );
  await revocations.completeSignOut(signOut);
  await each((nth) => {
    const session = livingSession(nth, rows);
    return artifacts.save(artifact(`token-${nth}`, { stamps: session.stamps }), session);
  });
  await each((nth) =>
    artifacts.save(
      artifact(`session-${nth}`, {
        model: 'Session',
        uid: `browser-${nth}`,
        accountId: `person-${nth % (rows / 4)}`,
        stamps: SINCE_EVERYONE,
      }),
    ),
  );
  await each((nth) =>
    artifacts.save(artifact(`device-${nth}`, { model: 'DeviceCode', userCode: `code-${nth}`, stamps: SINCE_EVERYONE })),
  );

  await each(async (nth) => revocations.completeSignOut(await revocations.signOut(completeSignOut(nth))));
  await each((nth) => revocations.signOut(pendingSignOut(nth)));
  await each((nth) => revocations.revokeGrant(`revoked-${nth}`, at(nth)));

  for (const status of ['pending', 'delivered', 'rejected', 'abandoned'] as const) {
    await inBatches(rows, (nths) =>
      revocations.fanOut({ signOut: everyone, ended: [], deliveries: nths.map((nth) => owed(nth, status)) }),
    );
  }
  await store.deliveries.claim({ clientId: 'app-9', now: start, leaseUntil: at(60), limit: 1 });

  for (const status of ['pending', 'sent', 'rejected', 'abandoned'] as const) {
    await inBatches(rows, (nths) => store.outbox.enqueue(nths.map((nth) => queued(nth, status))));
  }
  await store.outbox.claim({ now: start, leaseUntil: at(60), limit: 1 });
  await inBatches(rows, (nths) => store.journal.append(nths.map(happened)));
  await inBatches(rows / 2, async ({ length }) => {
    const events = (await store.journal.unchained(length)).map(({ id }) => ({ id, hash: `hash:${id}` }));
    await store.journal.chain({ after: await store.journal.head(), events });
  });

  await each((nth) => store.incidents.open({ id: `inc_${nth}`, openedAt: at(nth), state: '{}' }));
  await inBatches(rows, (nths) =>
    store.incidents.addMembers(
      'inc_0',
      nths.map((nth) => `person-${nth}`),
    ),
  );
  await each((nth) =>
    store.leases.hold({ name: `lease-${nth}`, holder: `holder-${nth}`, now: start, leaseUntil: at(60) }),
  );

  const failed = { now: start, delaySeconds: () => 1 };
  await each((nth) => accounts.addFailure({ key: `failure-${nth}`, ...failed }));
  await each((nth) => accounts.countAttempt({ key: `attempt-${nth}`, windowStart: start, expiresAt: at(60) }));
}

/** Half by the Sign-out of everyone, the others by the first ten that are complete; of the pending ones half are due. */
const owed = (nth: number, status: DeliveryStatus) =>
  delivery(rowId(nth, status), {
    status,
    signOutId: nth % 2 === 0 ? 'everyone' : `complete-${nth % 10}`,
    accountId: `person-${nth}`,
    clientId: `app-${nth % APPS}`,
    nextAttemptAt: nextAttemptAt(nth, status),
    lastAttemptAt: status === 'pending' ? null : at(nth),
  });

const nextAttemptAt = (nth: number, status: DeliveryStatus | MailStatus): Date | null => {
  if (status !== 'pending') return null;
  return nth % 4 < 2 ? at(nth - 10_000) : at(day + nth);
};

/** The Delivery that somebody holds, by its first lease: the one that has been due for the longest at its Client. */
export const leased = { id: rowId(9, 'pending'), fence: 1 };

/** One of each state for each `person`; of the pending ones half are due. */
const queued = (nth: number, status: MailStatus) =>
  mail(rowId(nth, status), { status, accountId: `person-${nth}`, nextAttemptAt: nextAttemptAt(nth, status) });

/** The mail that somebody holds, by its first lease: the one that has been due for the longest. */
export const heldMail = { id: rowId(0, 'pending'), fence: 1 };

/** A great deal happened, to five people. The first half of it is chained. */
export const happened = (nth: number) =>
  event(rowId(nth, 'event'), {
    accountId: `person-${nth % 5}`,
    at: at(nth),
    // A few are of a time before there were commitments.
    ...(nth % 10 === 9 ? { commitment: '' } : {}),
  });

async function inBatches(rows: number, work: (nths: readonly number[]) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < rows; from += AT_ONCE) {
    await work(Array.from({ length: Math.min(AT_ONCE, rows - from) }, (_, index) => from + index));
  }
}
