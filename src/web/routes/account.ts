/** A person's own pages: the account, its devices, its password, and the button this product is about. */
import type { Context } from 'koa';
import { z } from 'zod';

import { laterDemand, laterThan } from '../../authn/demanded-passwords.ts';
import { SHORTEST_PASSWORD } from '../../authn/password-policy.ts';
import { hasSecondFactor } from '../../authn/second-factors.ts';
import { seenEpochs } from '../../oidc/lineage.ts';
import { REASONS } from '../../revocation/sign-out.ts';
import type { SignOutScope } from '../../store/records.ts';
import { showAccount } from '../account-page.ts';
import { countDevices, listDevices, scopeOfDevice } from '../devices.ts';
import { readForm } from '../forms.ts';
import { type Act, type Acts, answerAct, isFresh, type Person } from '../fresh.ts';
import { instant } from '../instants.ts';
import { languageOf, textsOf } from '../language.ts';
import { proveAgain } from '../password-sign-in.ts';
import { Refusal } from '../refusal.ts';
import { useCode } from '../second-step.ts';
import { notify } from '../notices.ts';
import { eventsView } from '../events.ts';
import { emailActs } from './email.ts';
import { factorActs, factorRoutes, factorsView } from './factors.ts';
import { type House, requireSignIn, seeOther, show } from './house.ts';
import { identitiesView, identityActs, identityRoutes } from './identities.ts';
import { leavingActs } from './leaving.ts';
import { waitingActs, waitingRoutes, waitingView } from './waiting.ts';

const DeviceForm = z.strictObject({ csrf: z.string(), device: z.string().max(200) });
const PasswordForm = z.strictObject({
  csrf: z.string(),
  currentPassword: z.string().max(4096),
  password: z.string().max(4096),
  signOutDevices: z.string().optional(),
  code: z.string().max(64).optional(),
  username: z.string().max(320).optional(),
});

export function accountRoutes(house: House): void {
  const { router, csrf } = house;

  // Whoever types the bare address is looking for their account.
  router.get('/', (ctx) => seeOther(ctx, '/account'));

  router.get('/account', async (ctx) => {
    const person = await requireSignIn(house, ctx);
    if (person === null) return;
    await showAccount(house, ctx, person);
  });

  router.get('/account/devices', async (ctx) => {
    const person = await requireSignIn(house, ctx);
    if (person === null) return;
    const { after } = ctx.query;
    const behind = typeof after === 'string' ? after : undefined;
    const language = languageOf(ctx);
    const { devices, next } = await listDevices(house, person, language, behind);
    await show(house, ctx, 'devices', {
      title: language.texts.devices.title,
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
        endsAccess: true,
        words: ({ devices }) => devices.signOutAll,
        perform: (_house, ctx, person) =>
          endAndShowReceipt(house, ctx, person, { kind: 'account', accountId: person.accountId }),
      },
    ],
    [
      '/account/sign-out-others',
      {
        endsAccess: true,
        words: ({ devices }) => devices.signOutOthers,
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
    ...factorActs(),
    ...emailActs(),
    ...leavingActs(),
    ...waitingActs(),
  ] satisfies [string, Act][]);
  for (const path of acts.keys()) router.post(path, (ctx) => answerAct(house, ctx, path, acts));
  identityRoutes(house, acts);
  factorRoutes(house);
  waitingRoutes(house);

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

type PasswordField = 'currentPassword' | 'password' | 'code';

async function showSecurity(
  house: House,
  ctx: Context,
  person: Person,
  state: {
    readonly signOutDevicesChecked: boolean;
    readonly refusal?: { field: PasswordField; text: string };
    readonly notice?: string;
  },
): Promise<void> {
  const account = await house.accounts.find(person.accountId);
  const hasPassword = account?.passwordChangedAt != null;
  const secondFactor = hasSecondFactor(await house.factors.held(person.accountId));
  const language = languageOf(ctx);
  const { security } = language.texts;
  await show(house, ctx, 'security', {
    title: security.title,
    viewer: { username: person.username },
    csrf: house.csrf.token(ctx),
    notice: noticeOf(ctx.query['changed'], security.changed),
    hasPassword,
    ...(await identitiesView(house, person.accountId, { hasPassword, language })),
    waiting: await waitingView(house, person.accountId, language),
    factors: await factorsView(house, person.accountId, language),
    events: await eventsView(house, person.accountId, language),
    changePassword: {
      action: '/account/password',
      minimumLength: secondFactor ? SHORTEST_PASSWORD.withSecondFactor : SHORTEST_PASSWORD.alone,
      signOutDevicesChecked: state.signOutDevicesChecked,
      refusal: state.refusal,
      code: secondFactor && !(await isFresh(house, person)),
      changedAt: account?.passwordChangedAt ? instant(account.passwordChangedAt, language) : undefined,
    },
    signOutAll: { action: '/account/sign-out-all' },
    deviceCount: await countDevices(house, person.accountId),
  });
}

function noticeOf(
  changed: unknown,
  texts: Readonly<Record<string, string>>,
): { tone: 'success' | 'info'; text: string } | undefined {
  const text = typeof changed === 'string' && Object.hasOwn(texts, changed) ? texts[changed] : undefined;
  return text === undefined ? undefined : { tone: changed === 'device-gone' ? 'info' : 'success', text };
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
  if (scope.kind === 'account' || scope.kind === 'account-except') {
    await notify(house, ctx, accountId, { kind: 'account.signed-out' });
  }
  if (scope.kind === 'account' || (scope.kind === 'browser' && scope.sessionUid === person.sessionUid)) {
    // This browser has no Session any more: the cookie lets it, and nobody else, read the receipt for an hour.
    house.cookies.allowReceipt(ctx, signOut.id);
    house.browsers.forget(ctx);
    // A provider's session that is still open must not bring this browser back in, as whomever.
    house.cookies.noteSignedOut(ctx);
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
  const refuse = async (status: number, field: PasswordField, text: string): Promise<void> => {
    ctx.status = status;
    await showSecurity(house, ctx, person, { signOutDevicesChecked, refusal: { field, text } });
  };
  const { accountId, username } = person;
  const [record, ofEveryone] = await Promise.all([house.store.accounts.find(accountId), house.demands.demandedAt()]);
  const demandedAt = laterDemand(record?.passwordResetRequiredAt ?? null, ofEveryone);
  const proven = await proveAgain(house, ctx, accountId, form.currentPassword);
  if ('refusal' in proven) {
    return refuse(proven.status, 'currentPassword', [proven.refusal, proven.retryAfter].filter(Boolean).join(' '));
  }
  const held = await house.factors.held(accountId);
  if (hasSecondFactor(held) && !(await isFresh(house, person))) {
    // Whoever has the password and an old Session has one factor, and must not change it alone.
    const used = await useCode(house, ctx, accountId, form.code ?? '');
    if ('refusal' in used)
      return refuse(used.status, 'code', [used.refusal, used.retryAfter].filter(Boolean).join(' '));
  }
  const account = await house.accounts.find(accountId);
  const hashed = await house.signIn.hashNewPassword({
    password: form.password,
    username,
    email: account?.email ?? '',
    secondFactor: hasSecondFactor(held),
    words: textsOf(ctx).passwordProblems,
  });
  if ('refused' in hashed) {
    return hashed.refused === 'bad-password'
      ? refuse(422, 'password', hashed.problems.join(' '))
      : refuse(503, 'password', textsOf(ctx).attempts.tooBusy);
  }
  const scope = { kind: 'account', accountId } as const;
  const actor = { kind: 'account', accountId } as const;
  const signOut = signOutDevicesChecked
    ? await house.signOuts.prepare({ scope, reason: REASONS.password, actor })
    : undefined;
  const change = await house.store.accounts.setPassword({
    accountId,
    hash: hashed.hash,
    // As of the check, not of the hash: what was demanded or ended in between is not outdone by it. What was demanded
    // before is, whatever the clock says: the present password has met that.
    changedAt: laterThan(demandedAt, proven.signedInAt),
    expected: proven.verifiedHash,
    // Whoever was signed out by now began before that, and chooses nothing any more.
    accountEpoch: seenEpochs()[`account:${accountId}`],
    everyoneEpoch: seenEpochs()['everyone'],
    ...(signOut === undefined ? {} : { signOut }),
  });
  if (change !== 'set') {
    return refuse(409, 'currentPassword', textsOf(ctx).security.changedByOthers);
  }
  house.log.info({ account: accountId, signOut: signOut?.id }, 'password.changed');
  await notify(house, ctx, accountId, { kind: 'password.changed' });
  if (signOut === undefined) return seeOther(ctx, '/account/security?changed=password');
  house.signOuts.written();
  house.metrics.signedOut('account');
  house.cookies.allowReceipt(ctx, signOut.id);
  house.browsers.forget(ctx);
  seeOther(ctx, `/sign-outs/${signOut.id}`);
}
