/**
 * A person's second factors: adding, naming and taking away.
 *
 * Each of these needs somebody who has just proved who they are, tells the person by mail, and never leaves an account that
 * must have a second factor without one.
 */
import type { Context } from 'koa';
import { z } from 'zod';

import { type HeldFactors, hasSecondFactor } from '../../authn/second-factors.ts';
import type { Passkey } from '../../authn/passkeys.ts';
import type { Texts } from '../../languages/en.ts';
import type { Language } from '../../languages/languages.ts';
import { readForm } from '../forms.ts';
import { type Act, isFresh, type Person } from '../fresh.ts';
import { instant } from '../instants.ts';
import { textsOf } from '../language.ts';
import { notify } from '../notices.ts';
import { parsed } from '../passkey-sign-in.ts';
import { qrCode } from '../qr-code.ts';
import { Refusal } from '../refusal.ts';
import { inGroups, standingOf } from '../second-step.ts';
import type { FactorsView } from '../views.ts';
import { type House, requireSignIn, seeOther, show } from './house.ts';

const SECURITY = '/account/security';
const ADD_TOTP = '/account/security/totp';
const CONFIRM_TOTP = '/account/security/totp/confirm';
const REMOVE_TOTP = '/account/security/totp/remove';
const RECOVERY_CODES = '/account/security/recovery-codes';
const ADD_PASSKEY = '/account/security/passkeys';
const CONFIRM_PASSKEY = '/account/security/passkeys/confirm';
const RENAME_PASSKEY = '/account/security/passkeys/rename';
const REMOVE_PASSKEY = '/account/security/passkeys/remove';
const FORGET_BROWSERS = '/account/security/trusted/forget';

/** What the security page can be asked to do about factors, by somebody who has just proved who they are. */
export function factorActs(): [string, Act][] {
  return [
    [
      ADD_TOTP,
      { words: ({ factors }) => factors.setUpApp, perform: (house, ctx, person) => showTotp(house, ctx, person) },
    ],
    [
      REMOVE_TOTP,
      {
        words: ({ factors }) => factors.removeApp,
        async perform(house, ctx, { accountId }) {
          await refuseLastFactor(house, accountId, (held) => ({ ...held, totp: false }));
          if (!(await house.totp.remove(accountId))) throw new Refusal(404);
          await notify(house, ctx, accountId, { kind: 'totp.removed' });
          await dropUselessCodes(house, accountId);
          seeOther(ctx, `${SECURITY}?changed=totp-removed`);
        },
      },
    ],
    [RECOVERY_CODES, { words: ({ factors }) => factors.makeCodes, perform: showNewCodes }],
    [
      ADD_PASSKEY,
      {
        words: ({ factors }) => factors.addPasskey,
        perform: (house, ctx, person) => showAddPasskey(house, ctx, person),
      },
    ],
    [
      REMOVE_PASSKEY,
      {
        fields: ['passkey_id'],
        words: ({ factors }) => factors.removePasskey,
        async perform(house, ctx, { accountId }, { passkey_id: id = '' }) {
          const all = await house.passkeys.of(accountId);
          const passkey = all.find((each) => each.id === id);
          if (passkey === undefined) throw new Refusal(404);
          await refuseLastFactor(house, accountId, (held) => ({ ...held, passkeys: all.length > 1 }));
          if (!(await house.passkeys.remove({ accountId, id }))) throw new Refusal(404);
          await notify(house, ctx, accountId, { kind: 'passkey.removed', what: passkey.name });
          await dropUselessCodes(house, accountId);
          seeOther(ctx, `${SECURITY}?changed=passkey-removed`);
        },
      },
    ],
  ];
}

const TotpForm = z.strictObject({ csrf: z.string(), enrolment: z.string().max(1000), code: z.string().max(64) });
const PasskeyForm = z.strictObject({
  csrf: z.string(),
  challenge: z.string().max(1000),
  passkey: z.string().max(16_384),
  name: z.string().max(100),
});
const RenameForm = z.strictObject({ csrf: z.string(), passkey_id: z.string().max(200), name: z.string().max(100) });
const ForgetForm = z.strictObject({ csrf: z.string(), browser: z.string().max(200).optional() });

export function factorRoutes(house: House): void {
  const { router } = house;
  /** The form of somebody signed in; null once the request has been answered otherwise. */
  const answered = async <Shape extends z.ZodObject>(
    ctx: Context,
    shape: Shape,
  ): Promise<{ form: z.output<Shape>; person: Person } | null> => {
    const form = await readForm(ctx, shape);
    house.csrf.check(ctx, String((form as { csrf?: unknown }).csrf));
    const person = await requireSignIn(house, ctx);
    return person === null ? null : { form, person };
  };

  router.post(CONFIRM_TOTP, async (ctx) => {
    const given = await answered(ctx, TotpForm);
    if (given === null) return;
    const { form, person } = given;
    const { accountId } = person;
    // What came with the page was handed to somebody fresh, and is good for minutes: it stands for their proof.
    const confirmed = await house.totp.confirm({
      accountId,
      enrolment: form.enrolment,
      code: form.code,
      standing: standingOf(accountId),
    });
    if (confirmed === 'confirmed') {
      await notify(house, ctx, accountId, { kind: 'totp.added' });
      await shownHere(house, ctx, accountId, 'otp');
      // Whoever has none yet is shown some at once: a lost phone must not be a lost account.
      return (await house.recoveryCodes.of(accountId)) === null
        ? showNewCodes(house, ctx, person)
        : seeOther(ctx, `${SECURITY}?changed=totp-added`);
    }
    if (confirmed === 'expired' && !(await isFresh(house, person))) return seeOther(ctx, SECURITY);
    ctx.status = confirmed === 'wrong-code' ? 422 : 409;
    const { totp } = textsOf(ctx);
    const refusal = confirmed === 'wrong-code' ? totp.wrongCodeOrClock : totp.tookTooLong;
    await showTotp(house, ctx, person, { refusal, enrolment: form.enrolment });
  });

  router.post(CONFIRM_PASSKEY, async (ctx) => {
    const given = await answered(ctx, PasskeyForm);
    if (given === null) return;
    const { form, person } = given;
    const { accountId } = person;
    const { challenge, name } = form;
    const added = await house.passkeys.add({
      accountId,
      challenge,
      response: parsed(form.passkey),
      name,
      standing: standingOf(accountId),
    });
    if (added === 'added') {
      await notify(house, ctx, accountId, { kind: 'passkey.added', what: name });
      await shownHere(house, ctx, accountId, 'pop');
      return seeOther(ctx, `${SECURITY}?changed=passkey-added`);
    }
    // Another challenge is handed to somebody fresh alone.
    if (!(await isFresh(house, person))) return seeOther(ctx, SECURITY);
    ctx.status = added === 'not-verified' ? 422 : 409;
    await showAddPasskey(house, ctx, person, textsOf(ctx).passkeys.addRefusals[added]);
  });

  router.post(RENAME_PASSKEY, async (ctx) => {
    const given = await answered(ctx, RenameForm);
    if (given === null) return;
    const { accountId } = given.person;
    const renamed = await house.passkeys.rename({ accountId, id: given.form.passkey_id, name: given.form.name });
    if (!renamed) throw new Refusal(404);
    seeOther(ctx, `${SECURITY}?changed=passkey-renamed`);
  });

  router.post(FORGET_BROWSERS, async (ctx) => {
    const given = await answered(ctx, ForgetForm);
    if (given === null) return;
    const { accountId } = given.person;
    const { browser } = given.form;
    if (browser === undefined) await house.trustedBrowsers.forgetAll(accountId);
    else if (!(await house.trustedBrowsers.forget({ accountId, id: browser }))) throw new Refusal(404);
    await notify(house, ctx, accountId, { kind: 'browsers.forgotten' });
    seeOther(ctx, `${SECURITY}?changed=browsers-forgotten`);
  });
}

/** Whoever sets a factor up has shown it: this Session says so, and this browser is known by it. */
async function shownHere(house: House, ctx: Context, accountId: string, method: 'otp' | 'pop'): Promise<void> {
  await house.browsers.strengthen(ctx, [method]);
  house.cookies.rememberDevice(ctx, accountId, house.clock.now());
}

async function showTotp(
  house: House,
  ctx: Context,
  { accountId, username }: Person,
  again?: { readonly refusal: string; readonly enrolment: string },
): Promise<void> {
  const person = { accountId, username };
  const totp = (again === undefined ? null : house.totp.resume(person, again.enrolment)) ?? house.totp.begin(person);
  await show(house, ctx, 'totp', {
    title: textsOf(ctx).totp.title,
    viewer: { username },
    csrf: house.csrf.token(ctx),
    action: CONFIRM_TOTP,
    cancelUrl: SECURITY,
    refusal: again?.refusal,
    totp: { secret: inGroups(totp.secret), enrolment: totp.enrolment, qr: qrCode(totp.uri) },
  });
}

async function showAddPasskey(house: House, ctx: Context, person: Person, refusal?: string): Promise<void> {
  const offer = await house.passkeys.offerToAdd(person);
  await show(house, ctx, 'add-passkey', {
    title: textsOf(ctx).passkeys.add,
    viewer: { username: person.username },
    csrf: house.csrf.token(ctx),
    action: CONFIRM_PASSKEY,
    cancelUrl: SECURITY,
    refusal,
    passkey: { options: JSON.stringify(offer.options), challenge: offer.challenge },
  });
}

async function showNewCodes(house: House, ctx: Context, { accountId, username }: Person): Promise<void> {
  if (!hasSecondFactor(await house.factors.held(accountId))) throw new Refusal(409);
  const codes = await house.recoveryCodes.replace(accountId, standingOf(accountId));
  await notify(house, ctx, accountId, { kind: 'recovery-codes.made' });
  await show(house, ctx, 'recovery-codes', {
    title: textsOf(ctx).recoveryCodes.title,
    viewer: { username },
    csrf: house.csrf.token(ctx),
    codes,
    doneUrl: SECURITY,
  });
}

/** Throws Refusal(409) where an operator asks for a factor and this would take the last one. */
async function refuseLastFactor(
  house: House,
  accountId: string,
  without: (held: HeldFactors) => HeldFactors,
): Promise<void> {
  const left = without(await house.factors.held(accountId));
  if (!hasSecondFactor(left) && (await mustHaveFactor(house, accountId))) throw new Refusal(409);
}

async function mustHaveFactor({ config, accounts }: House, accountId: string): Promise<boolean> {
  const { requiredFor } = config.secondFactor;
  return requiredFor === 'everybody' || (requiredFor === 'admins' && (await accounts.find(accountId))?.admin === true);
}

/** Codes that stand in for nothing would be a way in of their own. */
async function dropUselessCodes(house: House, accountId: string): Promise<void> {
  if (hasSecondFactor(await house.factors.held(accountId))) return;
  await house.recoveryCodes.remove(accountId);
  await house.trustedBrowsers.forgetAll(accountId);
}

/** The factors of the security page. */
export async function factorsView(house: House, accountId: string, language: Language): Promise<FactorsView> {
  const [totp, passkeys, codes, trusted, must] = await Promise.all([
    house.totp.of(accountId),
    house.passkeys.of(accountId),
    house.recoveryCodes.of(accountId),
    house.trustedBrowsers.of(accountId),
    mustHaveFactor(house, accountId),
  ]);
  const has = totp !== null || passkeys.length > 0;
  const maybe = (at: Date | null) => (at === null ? undefined : instant(at, language));
  return {
    totp:
      totp === null
        ? undefined
        : {
            createdAt: instant(totp.createdAt, language),
            lastUsedAt: maybe(totp.lastUsedAt),
            removeAction: must && passkeys.length === 0 ? undefined : REMOVE_TOTP,
          },
    addTotpAction: ADD_TOTP,
    passkeys: passkeys.map((passkey) => ({
      id: passkey.id,
      name: passkey.name,
      createdAt: instant(passkey.createdAt, language),
      lastUsedAt: maybe(passkey.lastUsedAt),
      kind: kindOf(passkey, language.texts),
      renameAction: RENAME_PASSKEY,
      removeAction: must && totp === null && passkeys.length === 1 ? undefined : REMOVE_PASSKEY,
    })),
    addPasskeyAction: ADD_PASSKEY,
    recoveryCodes: codes === null ? undefined : { left: codes.left, createdAt: instant(codes.createdAt, language) },
    makeRecoveryCodesAction: has ? RECOVERY_CODES : undefined,
    trusted: trusted.map(({ id, browser, createdAt, lastUsedAt }) => ({
      id,
      browser,
      createdAt: instant(createdAt, language),
      lastUsedAt: maybe(lastUsedAt),
    })),
    forgetTrustedAction: FORGET_BROWSERS,
  };
}

function kindOf({ syncs, backedUp, signCount }: Passkey, { factors }: Texts): string {
  const { kinds } = factors;
  const where = syncs ? (backedUp ? kinds.synced : kinds.syncs) : kinds.single;
  return signCount > 0 ? factors.used(where, signCount) : where;
}
