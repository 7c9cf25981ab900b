/**
 * Between the first proof and being signed in: the second factor, where the account has one or somebody asks for one.
 *
 * Invariant: nobody is signed in at a page that has only seen one of two factors. What was proven waits under a cookie of this
 * browser, bound to the one page that can go on with it, and ends with any Sign-out meanwhile. Who is asked for a factor and
 * has none sets one up here, before anything else.
 */
import type { Context } from 'koa';
import { z } from 'zod';

import { hasSecondFactor, type SecondFactorUsed } from '../authn/second-factors.ts';
import { type Assurance, meets } from '../oidc/assurance.ts';
import { addressOf, describeDevice } from '../oidc/device.ts';
import { noteEpochs, seenEpochs, stampsFor } from '../oidc/lineage.ts';
import type { Stamps } from '../store/records.ts';
import { stampEntries } from '../store/standing.ts';
import { explainStatus } from './error-pages.ts';
import { completeLink } from './federated-proof.ts';
import { readForm } from './forms.ts';
import { textsOf } from './language.ts';
import { notify } from './notices.ts';
import { parsed } from './passkey-sign-in.ts';
import { type Proven, tell, type Told } from './password-sign-in.ts';
import { qrCode } from './qr-code.ts';
import { type House, seeOther, show } from './routes/house.ts';

/** Where a sign-in goes on, and to what. */
export type Onward = {
  /** The path of the page that asks for the second factor. */
  readonly at: string;
  /** The same with its query: with another one, it is another page. */
  readonly url: string;
  /** What the app that is signed in to asks for; null when there is none, or it asks for nothing. */
  readonly asked: Assurance | null;
  readonly cancelUrl: string;
  readonly finish: (proven: Proven) => Promise<void>;
};

/** What waits: the first proof, and how much more is asked. */
export type FirstProof = { readonly proven: Proven; readonly trustable: boolean };

const SecondStepForm = z.strictObject({
  csrf: z.string(),
  code: z.string().max(64).optional(),
  trust: z.literal('on').optional(),
  enrolment: z.string().max(1000).optional(),
  passkey: z.string().max(16_384).optional(),
  challenge: z.string().max(1000).optional(),
  name: z.string().max(100).optional(),
});
type Form = z.output<typeof SecondStepForm>;

/** Signs in at once, or sends the browser on to its second step. */
export async function enterOrAsk(house: House, ctx: Context, proven: Proven, onward: Onward): Promise<void> {
  const { accountId } = proven;
  const held = await house.factors.held(accountId);
  const asked = onward.asked !== null && !meets(proven.acr, onward.asked);
  // Two factors at once, as a passkey can be, are as good as one after the other.
  const needed = asked || (proven.acr === 'aal1' && (hasSecondFactor(held) || requires(house, proven)));
  if (!needed) return finish(house, ctx, proven, onward);
  // A browser that was told so stands in for the second factor, but proves none to an app that asks for one.
  const trustable = !asked && hasSecondFactor(held);
  if (trustable && (await house.trustedBrowsers.isTrusted(accountId, house.cookies.trustOf(ctx)))) {
    return finish(house, ctx, proven, onward);
  }
  const bearer = await house.halfWay.begin(
    { accountId, at: onward.url, proof: { proven, trustable } },
    stampsOfProof(),
  );
  house.cookies.keepHalfWay(ctx, onward.at, bearer);
  seeOther(ctx, onward.url);
}

async function finish(house: House, ctx: Context, proven: Proven, onward: Onward): Promise<void> {
  if (await completeLink(house, ctx, proven)) await onward.finish(proven);
}

/** The page of the second step, asked for or answered. */
export async function secondStep(house: House, ctx: Context, onward: Onward): Promise<void> {
  // Read before anything else: a form that comes slowly must not hold open what a Sign-out ends meanwhile.
  const form = ctx.method === 'GET' ? null : await readForm(ctx, SecondStepForm);
  const bearer = house.cookies.halfWayOf(ctx);
  const found = await house.halfWay.find(bearer, onward.url);
  if (found === null || bearer === undefined) return startAgain(house, ctx, onward);
  noteEpochs(found.epochs);
  const { accountId, proof } = found.halfWay;
  if (form === null) return ask(house, ctx, onward, found.halfWay);

  house.csrf.check(ctx, form.csrf);
  const used = await prove(house, ctx, accountId, form);
  if ('refusal' in used) {
    house.metrics.signIn('wrong-second-factor');
    if (used.status === 401 && !(await house.halfWay.countWrong(bearer))) return startAgain(house, ctx, onward);
    ctx.status = used.status;
    return ask(house, ctx, onward, found.halfWay, { ...used, enrolment: form.enrolment });
  }
  // Of two answers at once one goes on; and none, if a Sign-out came meanwhile.
  if (!(await house.halfWay.finish(bearer))) return startAgain(house, ctx, onward);
  house.cookies.forgetHalfWay(ctx, onward.at);
  if (form.trust === 'on' && proof.trustable) await trust(house, ctx, accountId);
  const amr = [...new Set([...proof.proven.amr, ...used.amr, 'mfa'])];
  await finish(house, ctx, { ...proof.proven, amr, acr: 'aal2' }, onward);
}

/** Whether an operator asks this account for a second factor at every sign-in. */
function requires({ config }: House, { proof }: Proven): boolean {
  switch (config.secondFactor.requiredFor) {
    case 'nobody':
      return false;
    case 'admins':
      return proof.admin;
    case 'everybody':
      return true;
  }
}

async function prove(house: House, ctx: Context, accountId: string, form: Form): Promise<SecondFactorUsed | Told> {
  const settingUp = !hasSecondFactor(await house.factors.held(accountId));
  const address = addressOf(ctx);
  if (form.passkey !== undefined && form.challenge !== undefined) {
    const answer = { accountId, challenge: form.challenge, response: parsed(form.passkey) };
    if (settingUp) return addPasskey(house, ctx, answer, form.name ?? '');
    return told(ctx, await house.factors.usePasskey({ ...answer, address }), textsOf(ctx).passkeys.notAccepted);
  }
  const code = form.code ?? '';
  if (settingUp) return addTotp(house, ctx, { accountId, code, enrolment: form.enrolment ?? '' });
  return useCode(house, ctx, accountId, code);
}

/** A code typed into one of our pages, taken to authn and brought back as a proof or a sentence. */
export async function useCode(
  house: House,
  ctx: Context,
  accountId: string,
  code: string,
): Promise<SecondFactorUsed | Told> {
  const knownDevice = (since: Date) => house.cookies.provenDevice(ctx, accountId, since);
  const used = await house.factors.useCode({ accountId, code, address: addressOf(ctx), knownDevice });
  if ('method' in used && used.method === 'recovery-code') {
    const left = (await house.recoveryCodes.of(accountId))?.left;
    await notify(house, ctx, accountId, { kind: 'sign-in.recovery-code', left });
  }
  return told(ctx, used, textsOf(ctx).attempts.wrongCode);
}

async function addTotp(
  house: House,
  ctx: Context,
  enrolled: { readonly accountId: string; readonly code: string; readonly enrolment: string },
): Promise<SecondFactorUsed | Told> {
  const confirmed = await house.totp.confirm({ ...enrolled, standing: standingOf(enrolled.accountId) });
  switch (confirmed) {
    case 'confirmed':
      await notify(house, ctx, enrolled.accountId, { kind: 'totp.added' });
      return { method: 'otp', amr: ['otp'] };
    case 'wrong-code':
      return { status: 401, refusal: textsOf(ctx).totp.wrongCode };
    case 'expired':
      return { status: 409, refusal: textsOf(ctx).totp.tookTooLong };
  }
}

async function addPasskey(
  house: House,
  ctx: Context,
  answer: { readonly accountId: string; readonly challenge: string; readonly response: unknown },
  name: string,
): Promise<SecondFactorUsed | Told> {
  const added = await house.passkeys.add({ ...answer, name, standing: standingOf(answer.accountId) });
  if (added !== 'added') return { status: 401, refusal: textsOf(ctx).passkeys.notAccepted };
  await notify(house, ctx, answer.accountId, { kind: 'passkey.added', what: name });
  return { method: 'passkey', amr: ['pop'] };
}

function told(
  ctx: Context,
  outcome: Awaited<ReturnType<House['factors']['useCode']>>,
  wrong: string,
): SecondFactorUsed | Told {
  if (!('refused' in outcome)) return outcome;
  if (outcome.refused === 'wrong-code') return { status: 401, refusal: wrong };
  if (outcome.refused === 'locked') {
    const { attempts } = textsOf(ctx);
    return {
      status: 403,
      refusal: attempts.codesLocked,
      retryAfter: attempts.codesLockedNext,
    };
  }
  return tell(ctx, outcome, wrong);
}

async function ask(
  house: House,
  ctx: Context,
  onward: Onward,
  { accountId, proof }: { readonly accountId: string; readonly proof: FirstProof },
  wrong?: Told & { readonly enrolment: string | undefined },
): Promise<void> {
  const held = await house.factors.held(accountId);
  const texts = textsOf(ctx);
  const page = {
    title: texts.secondStep.title,
    csrf: house.csrf.token(ctx),
    action: onward.url,
    cancelUrl: onward.cancelUrl,
    refusal: wrong?.refusal,
    retryAfter: wrong?.retryAfter,
  };
  if (hasSecondFactor(held)) {
    const offer = held.passkeys ? await house.passkeys.offerToUse({ accountId, alone: false }) : null;
    return show(house, ctx, 'second-step', {
      ...page,
      code: held.totp || held.recoveryCodes,
      app: held.totp,
      recovery: held.recoveryCodes,
      passkey: offer === null ? undefined : { options: JSON.stringify(offer.options), challenge: offer.challenge },
      trust: proof.trustable,
    });
  }
  const username = (await house.accounts.find(accountId))?.username ?? '';
  const person = { accountId, username };
  const totp =
    (wrong?.enrolment === undefined ? null : house.totp.resume(person, wrong.enrolment)) ?? house.totp.begin(person);
  const offer = await house.passkeys.offerToAdd(person);
  await show(house, ctx, 'second-step-setup', {
    ...page,
    title: texts.secondStepSetup.title,
    totp: { secret: inGroups(totp.secret), enrolment: totp.enrolment, qr: qrCode(totp.uri) },
    passkey: { options: JSON.stringify(offer.options), challenge: offer.challenge },
  });
}

async function trust(house: House, ctx: Context, accountId: string): Promise<void> {
  const browser = describeDevice({ userAgent: ctx.get('user-agent'), address: addressOf(ctx) });
  const bearer = await house.trustedBrowsers.trust({ accountId, browser, stamps: standingOf(accountId) });
  house.cookies.keepTrust(ctx, bearer);
  await notify(house, ctx, accountId, { kind: 'browser.trusted', what: browser });
}

/** Everything that the first proof stands on: Sessions and Grants are made later. */
function stampsOfProof(): Stamps {
  return Object.fromEntries(stampEntries(seenEpochs()).filter(([key]) => !/^(session|grant|client):/.test(key)));
}

/** What a change to how somebody signs in stands on: a Sign-out since this request saw it leaves nothing of the change. */
export const standingOf = (accountId: string): Stamps => stampsFor(['everyone', `account:${accountId}`]);

/** In groups of four, for copying by hand. */
export const inGroups = (secret: string): string => secret.match(/.{1,4}/g)?.join(' ') ?? secret;

async function startAgain(house: House, ctx: Context, onward: Onward): Promise<void> {
  house.cookies.forgetHalfWay(ctx, onward.at);
  ctx.status = 400;
  const texts = textsOf(ctx);
  const { errors, secondStep } = texts;
  await show(house, ctx, 'error', {
    ...explainStatus(400, texts),
    title: errors.startAgain.headline,
    headline: errors.startAgain.headline,
    message: secondStep.startAgain,
    next: secondStep.startAgainNext,
    link: { href: onward.cancelUrl, label: errors.toSignIn },
    requestId: String(ctx.state['requestId']),
  });
}
