/**
 * Taking one's data along, and leaving.
 *
 * Invariant: both need somebody who has just proved who they are. What is handed out is everything that is known about the
 * person, and nothing that opens a door. An account is erased in the same write that ends its access, what
 * happened to it is forgotten, and every app is told.
 */
import type { Context } from 'koa';

import { LANGUAGES } from '../../languages/languages.ts';
import { describeDevice, describePlace } from '../../oidc/device.ts';
import { REASONS } from '../../revocation/sign-out.ts';
import { ABOUT_YOU, refuse } from '../account-page.ts';
import { listDevices } from '../devices.ts';
import type { Act, Fields, Person } from '../fresh.ts';
import { textsOf } from '../language.ts';
import { circumstancesOf } from '../notices.ts';
import { Refusal } from '../refusal.ts';
import { type House, seeOther } from './house.ts';

export function leavingActs(): [string, Act][] {
  return [
    [ABOUT_YOU.download, { words: ({ account }) => account.download, perform: handOut }],
    [ABOUT_YOU.delete, { fields: ['confirm'], words: ({ account }) => account.submitDelete, perform: deleteAccount }],
  ];
}

async function handOut(house: House, ctx: Context, person: Person): Promise<void> {
  const data = JSON.stringify(await dataOf(house, person), null, 2);
  ctx.attachment(`curfew-${person.username}.json`);
  ctx.type = 'application/json';
  ctx.body = `${data}\n`;
}

async function dataOf(house: House, person: Person) {
  const { accountId } = person;
  const [account, identities, totp, passkeys, codes, trusted, devices, events] = await Promise.all([
    house.accounts.find(accountId),
    house.connections.identities.list(accountId),
    house.totp.of(accountId),
    house.passkeys.of(accountId),
    house.recoveryCodes.of(accountId),
    house.trustedBrowsers.of(accountId),
    allDevices(house, person),
    house.journal.recent(accountId, MOST_EVENTS),
  ]);
  if (account === null) throw new Refusal(404);
  return {
    issuer: house.config.issuer,
    at: house.clock.now(),
    account,
    identities: identities.map(({ connectionId, name, linkedAt, lastUsedAt }) => {
      return { connection: connectionId, name, linkedAt, lastUsedAt };
    }),
    devices,
    factors: {
      authenticatorApp: totp === null ? null : { createdAt: totp.createdAt, lastUsedAt: totp.lastUsedAt },
      passkeys: passkeys.map(({ name, createdAt, lastUsedAt }) => ({ name, createdAt, lastUsedAt })),
      recoveryCodes: codes === null ? null : { left: codes.left, createdAt: codes.createdAt },
      trustedBrowsers: trusted.map(({ browser, createdAt, lastUsedAt }) => ({ browser, createdAt, lastUsedAt })),
    },
    events: events.map(({ at, kind, detail }) => {
      const traits = { userAgent: detail.userAgent ?? '', address: detail.address ?? '' };
      return { at, kind, what: detail.what ?? null, device: describeDevice(traits), place: describePlace(traits) };
    }),
  };
}

/** More than that is no use to anybody, and would be read in one go. */
const MOST_EVENTS = 10_000;
const MOST_PAGES = 100;

async function allDevices(house: House, person: Person) {
  const rows = [];
  let after: string | undefined;
  for (let nth = 0; nth < MOST_PAGES; nth++) {
    const { devices, next } = await listDevices(house, person, LANGUAGES.en, after);
    rows.push(...devices);
    if (next === undefined) break;
    after = next;
  }
  return rows.map(({ app, device, place, firstUsedAt, lastUsedAt }) => {
    return { app, device, place, firstUsedAt: firstUsedAt.iso, lastUsedAt: lastUsedAt.iso };
  });
}

async function deleteAccount(house: House, ctx: Context, person: Person, fields: Fields): Promise<void> {
  const { accountId, username } = person;
  if (fields['confirm'] !== username) {
    return refuse(house, ctx, person, 422, 'confirm', textsOf(ctx).account.notConfirmed);
  }
  const account = await house.accounts.find(accountId);
  const signOut = await house.signOuts.prepare({
    scope: { kind: 'account', accountId },
    reason: REASONS.deleted,
    actor: { kind: 'account', accountId },
  });
  await house.journal.forget(accountId);
  if ((await house.store.accounts.setStatus({ accountId, status: 'deleted', signOut })) === 'unknown') {
    throw new Refusal(409);
  }
  // Whatever was written in between as well.
  await house.journal.forget(accountId);
  await house.journal.record({ kind: 'account.deleted', accountId });
  house.signOuts.written();
  house.metrics.signedOut('account');
  house.log.info({ account: accountId, signOut: signOut.id }, 'account.deleted');
  await sayFarewell(house, ctx, signOut.id, account);
  house.cookies.allowReceipt(ctx, signOut.id);
  house.cookies.noteSignedOut(ctx);
  house.browsers.forget(ctx);
  seeOther(ctx, `/sign-outs/${signOut.id}`);
}

/** To the address as it was. A fault is a line in the log: the account is gone all the same. */
async function sayFarewell(
  house: House,
  ctx: Context,
  eventId: string,
  account: Awaited<ReturnType<House['accounts']['find']>>,
): Promise<void> {
  if (house.mailer === null || account === null || account.email === '') return;
  try {
    const mail = { ...circumstancesOf(house, ctx), kind: 'account-deleted' } as const;
    await house.mailer.send({ eventId, to: account.email, accountId: account.id, locale: account.locale, mail });
  } catch (err) {
    house.log.error({ err, account: account.id }, 'mail.not-queued');
  }
}
