/** A person's own pages: the account, its devices, its password, and the button this product is about. */
import type { Context } from 'koa';
import { z } from 'zod';

import { SHORTEST_PASSWORD } from '../../authn/password-policy.ts';
import { REASONS } from '../../revocation/sign-out.ts';
import type { SignOutScope } from '../../store/records.ts';
import { countDevices, listDevices, scopeOfDevice } from '../devices.ts';
import { readForm } from '../forms.ts';
import { type Act, type Acts, answerAct, type Person } from '../fresh.ts';
import { instant } from '../instants.ts';
import { proveAgain } from '../password-sign-in.ts';
import { Refusal } from '../refusal.ts';
import { type House, requireSignIn, seeOther, show } from './house.ts';
import { identitiesView, identityActs, identityRoutes } from './identities.ts';

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

  const acts: Acts = new Map([
    [
      '/account/sign-out-all',
      {
        words: () => 'Sign out of all devices',
        perform: (_house, ctx, person) =>
          endAndShowReceipt(house, ctx, person, { kind: 'account', accountId: person.accountId }),
      },
    ],
    [
      '/account/sign-out-others',
      {
        words: () => 'Sign out of all other devices',
        perform: (_house, ctx, { accountId, sessionUid, ...person }) =>
          endAndShowReceipt(
            house,
            ctx,
            { accountId, sessionUid, ...person },
            { kind: 'account-except', accountId, sessionUid },
          ),
      },
    ],
    ...identityActs(),
  ] satisfies [string, Act][]);
  for (const path of acts.keys()) router.post(path, (ctx) => answerAct(house, ctx, path, acts));
  identityRoutes(house, acts);

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
  const hasPassword = account?.passwordChangedAt != null;
  await show(house, ctx, 'security', {
    title: 'Security',
    viewer: { username: person.username },
    csrf: house.csrf.token(ctx),
    notice: noticeOf(ctx.query['changed']),
    hasPassword,
    ...(await identitiesView(house, person.accountId, { hasPassword })),
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

function noticeOf(changed: unknown): { tone: 'success'; text: string } | undefined {
  switch (changed) {
    case 'password':
      return { tone: 'success', text: 'Your password was changed. Your devices stay signed in.' };
    case 'linked':
      return { tone: 'success', text: 'Linked. From now on you can sign in this way as well.' };
    default:
      return undefined;
  }
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
