/** A person's own pages: the account, its devices, its password, and the button this product is about. */
import type { Context } from 'koa';
import { z } from 'zod';

import { SHORTEST_PASSWORD } from '../../authn/password-policy.ts';
import type { SignedIn } from '../../oidc/browser-session.ts';
import { addSeconds } from '../../platform/clock.ts';
import { REASONS } from '../../revocation/sign-out.ts';
import type { SignOutScope } from '../../store/records.ts';
import { countDevices, listDevices, scopeOfDevice } from '../devices.ts';
import { readForm } from '../forms.ts';
import { instant } from '../instants.ts';
import { proveAgain } from '../password-sign-in.ts';
import { Refusal } from '../refusal.ts';
import { type House, requireSignIn, seeOther, show } from './house.ts';

type Person = SignedIn & { readonly username: string };

/** Factors, e-mail and signing out of everything need an authentication no older than this. */
const FRESH_SECONDS = 15 * 60;

const SensitiveForm = z.strictObject({
  csrf: z.string(),
  password: z.string().max(4096).optional(),
  username: z.string().max(320).optional(),
});
const DeviceForm = z.strictObject({ csrf: z.string(), device: z.string().max(200) });
const PasswordForm = z.strictObject({
  csrf: z.string(),
  currentPassword: z.string().max(4096),
  password: z.string().max(4096),
  signOutDevices: z.string().optional(),
  username: z.string().max(320).optional(),
});

export function accountRoutes(house: House): void {
  const { router, csrf } = house;

  // Whoever types the bare address is looking for their account.
  router.get('/', (ctx) => seeOther(ctx, '/account'));

  router.get('/account', async (ctx) => {
    const person = await requireSignIn(house, ctx);
    if (person === null) return;
    const account = await house.accounts.find(person.accountId);
    await show(house, ctx, 'account', {
      title: 'Your account',
      viewer: { username: person.username },
      csrf: csrf.token(ctx),
      email: account?.email ?? '',
      createdAt: instant(account?.createdAt ?? house.clock.now()),
      deviceCount: await countDevices(house, person.accountId),
    });
  });

  router.get('/account/devices', async (ctx) => {
    const person = await requireSignIn(house, ctx);
    if (person === null) return;
    const { after } = ctx.query;
    const behind = typeof after === 'string' ? after : undefined;
    const { devices, next } = await listDevices(house, person, behind);
    await show(house, ctx, 'devices', {
      title: 'Your devices',
      viewer: { username: person.username },
      csrf: csrf.token(ctx),
      devices,
      signOutAction: '/account/devices/sign-out',
      signOutOthersAction: '/account/sign-out-others',
      signOutAllAction: '/account/sign-out-all',
      moreUrl: next === undefined ? undefined : `/account/devices?after=${encodeURIComponent(next)}`,
      firstUrl: behind === undefined ? undefined : '/account/devices',
    });
  });

  router.post('/account/devices/sign-out', async (ctx) => {
    const form = await readForm(ctx, DeviceForm);
    csrf.check(ctx, form.csrf);
    const person = await requireSignIn(house, ctx);
    if (person === null) return;
    const scope = await scopeOfDevice(house, person.accountId, form.device);
    if (scope === null) throw new Refusal(404);
    await endAndShowReceipt(house, ctx, person, scope);
  });

  router.post('/account/sign-out-all', (ctx) =>
    whenFresh(house, ctx, 'Sign out of all devices', (person) =>
      endAndShowReceipt(house, ctx, person, { kind: 'account', accountId: person.accountId }),
    ),
  );

  router.post('/account/sign-out-others', (ctx) =>
    whenFresh(house, ctx, 'Sign out of all other devices', (person) =>
      endAndShowReceipt(house, ctx, person, {
        kind: 'account-except',
        accountId: person.accountId,
        sessionUid: person.sessionUid,
      }),
    ),
  );

  router.get('/account/security', async (ctx) => {
    const person = await requireSignIn(house, ctx);
    if (person !== null) await showSecurity(house, ctx, person, { signOutDevicesChecked: true });
  });

  router.post('/account/password', async (ctx) => {
    const form = await readForm(ctx, PasswordForm);
    csrf.check(ctx, form.csrf);
    const person = await requireSignIn(house, ctx);
    if (person === null) return;
    await changePassword(house, ctx, person, form);
  });
}

async function showSecurity(
  house: House,
  ctx: Context,
  person: Person,
  state: {
    readonly signOutDevicesChecked: boolean;
    readonly refusal?: { field: 'currentPassword' | 'password'; text: string };
    readonly notice?: string;
  },
): Promise<void> {
  const account = await house.accounts.find(person.accountId);
  const changed = ctx.query['changed'] === 'password';
  await show(house, ctx, 'security', {
    title: 'Security',
    viewer: { username: person.username },
    csrf: house.csrf.token(ctx),
    notice: changed ? { tone: 'success', text: 'Your password was changed. Your devices stay signed in.' } : undefined,
    changePassword: {
      action: '/account/password',
      minimumLength: SHORTEST_PASSWORD.alone,
      signOutDevicesChecked: state.signOutDevicesChecked,
      refusal: state.refusal,
      changedAt: account?.passwordChangedAt ? instant(account.passwordChangedAt) : undefined,
    },
    signOutAll: { action: '/account/sign-out-all' },
    deviceCount: await countDevices(house, person.accountId),
  });
}

/** Asks for the password again where the sign-in is not recent, and then does what was asked. */
async function whenFresh(
  house: House,
  ctx: Context,
  what: string,
  act: (person: Person) => Promise<void>,
): Promise<void> {
  const form = await readForm(ctx, SensitiveForm);
  house.csrf.check(ctx, form.csrf);
  const person = await requireSignIn(house, ctx);
  if (person === null) return;
  const fresh = addSeconds(person.signedInAt, FRESH_SECONDS) > house.clock.now();
  if (fresh && form.password === undefined) return act(person);
  const outcome =
    form.password === undefined ? undefined : await proveAgain(house, ctx, person.accountId, form.password);
  if (outcome !== undefined && 'verifiedHash' in outcome) return act(person);
  ctx.status = outcome?.status ?? 200;
  await show(house, ctx, 'confirm-identity', {
    title: 'Confirm it is you',
    action: ctx.path,
    csrf: house.csrf.token(ctx),
    username: person.username,
    what,
    fields: [],
    submitLabel: what,
    refusal: outcome?.refusal,
    retryAfter: outcome?.retryAfter,
    cancelUrl: '/account/security',
  });
}

async function endAndShowReceipt(house: House, ctx: Context, person: Person, scope: SignOutScope): Promise<void> {
  const { accountId } = person;
  const signOut = await house.signOuts.signOut({
    scope,
    reason: REASONS.person,
    actor: { kind: 'account', accountId },
  });
  house.metrics.signedOut(scope.kind);
  house.log.info({ signOut: signOut.id, scope: scope.kind, account: accountId }, 'sign-out.recorded');
  if (scope.kind === 'account' || (scope.kind === 'browser' && scope.sessionUid === person.sessionUid)) {
    // This browser has no Session any more: the cookie lets it, and nobody else, read the receipt for an hour.
    house.cookies.allowReceipt(ctx, signOut.id);
    house.browsers.forget(ctx);
  }
  seeOther(ctx, `/sign-outs/${signOut.id}`);
}

async function changePassword(
  house: House,
  ctx: Context,
  person: Person,
  form: z.output<typeof PasswordForm>,
): Promise<void> {
  const signOutDevicesChecked = form.signOutDevices !== undefined;
  const refuse = async (status: number, field: 'currentPassword' | 'password', text: string): Promise<void> => {
    ctx.status = status;
    await showSecurity(house, ctx, person, { signOutDevicesChecked, refusal: { field, text } });
  };
  const { accountId, username } = person;
  const proven = await proveAgain(house, ctx, accountId, form.currentPassword);
  if ('refusal' in proven) {
    return refuse(proven.status, 'currentPassword', [proven.refusal, proven.retryAfter].filter(Boolean).join(' '));
  }
  const account = await house.accounts.find(accountId);
  const hashed = await house.signIn.hashNewPassword({
    password: form.password,
    username,
    email: account?.email ?? '',
  });
  if ('refused' in hashed) {
    return hashed.refused === 'bad-password'
      ? refuse(422, 'password', hashed.problems.join(' '))
      : refuse(503, 'password', 'Too much is going on right now. Try again in a moment.');
  }
  const scope = { kind: 'account', accountId } as const;
  const actor = { kind: 'account', accountId } as const;
  const signOut = signOutDevicesChecked
    ? await house.signOuts.prepare({ scope, reason: REASONS.password, actor })
    : undefined;
  const change = await house.store.accounts.setPassword({
    accountId,
    hash: hashed.hash,
    changedAt: house.clock.now(),
    expected: proven.verifiedHash,
    ...(signOut === undefined ? {} : { signOut }),
  });
  if (change !== 'set') {
    return refuse(409, 'currentPassword', 'The password was changed by somebody else meanwhile. Sign in again.');
  }
  house.log.info({ account: accountId, signOut: signOut?.id }, 'password.changed');
  if (signOut === undefined) return seeOther(ctx, '/account/security?changed=password');
  house.signOuts.written();
  house.metrics.signedOut('account');
  house.cookies.allowReceipt(ctx, signOut.id);
  house.browsers.forget(ctx);
  seeOther(ctx, `/sign-outs/${signOut.id}`);
}
