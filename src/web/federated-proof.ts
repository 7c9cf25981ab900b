/**
 * A provider's word taken to the connections room and brought back as a proof or a page: the twin of password-sign-in.ts,
 * for every page at which a sign-in through a provider begins and ends.
 */
import type { Context } from 'koa';
import { z } from 'zod';

import type { Attempt, Order } from '../connections/attempts.ts';
import type { ConnectionSettings } from '../connections/connections.ts';
import type { Vouched } from '../connections/vouched.ts';
import { addressOf } from '../oidc/device.ts';
import { noteEpochs, seenEpochs } from '../oidc/lineage.ts';
import { explainStatus } from './error-pages.ts';
import { explainArrival, type Explained, explainRefusal } from './federation-texts.ts';
import { readForm, readQuery } from './forms.ts';
import { textsOf } from './language.ts';
import { notify } from './notices.ts';
import { provePassword, type Proven } from './password-sign-in.ts';
import { Refusal } from './refusal.ts';
import { type House, seeOther, show } from './routes/house.ts';

/** Sends the browser to a provider, with a cookie that only the page it comes back to is sent. */
export async function depart(
  house: House,
  ctx: Context,
  order: Omit<Order, 'forced'> & { readonly forced?: boolean },
): Promise<void> {
  const settings = house.connections.settingsOf(order.connectionId);
  if (settings === null) throw new Refusal(404);
  // Whoever signed out in this browser is not to be signed in again by a session that is still open upstream.
  const forced = order.forced === true || house.cookies.signedOutHere(ctx);
  const begun = await house.connections.begin({ ...order, forced });
  if ('refused' in begun) {
    house.log.warn(
      { connection: settings.id, detail: begun.detail, requestId: ctx.state['requestId'] },
      'upstream.not-reached',
    );
    return showRefusal(
      house,
      ctx,
      explainArrival(begun.refused, settings.name, textsOf(ctx)),
      signInPageOf(order.continueAt),
    );
  }
  house.cookies.bindAttempt(ctx, order.continueAt, begun.cookie);
  const { departure } = begun;
  if (departure.kind === 'redirect') return seeOther(ctx, departure.location);
  await show(house, ctx, 'federation-post', {
    title: textsOf(ctx).federationPost.title(settings.name),
    name: settings.name,
    action: departure.action,
    fields: Object.entries(departure.fields).map(([name, value]) => ({ name, value })),
  });
}

export type Arrived = {
  readonly attempt: Attempt;
  readonly settings: ConnectionSettings;
  readonly proven: Proven;
  readonly created: boolean;
};

/**
 * Picks up what came of an attempt begun at this very page. Null once the request has been answered otherwise. What somebody
 * asked for while signed in is done only where they still are (`signedInAs`), and known to be before anything is.
 */
export async function land(house: House, ctx: Context, signedInAs: string | null = null): Promise<Arrived | null> {
  const cookie = house.cookies.attemptOf(ctx);
  const redeemed = await house.connections.attempts.redeem(codeOf(ctx), cookie);
  if (redeemed === null || redeemed.attempt.continueAt !== ctx.path) {
    await startAgain(house, ctx);
    return null;
  }
  const { attempt, vouched } = redeemed;
  if (attempt.purpose.kind !== 'sign-in' && attempt.purpose.accountId !== signedInAs) throw new Refusal(403);
  const settings = house.connections.settingsOf(attempt.connectionId);
  noteEpochs(redeemed.epochs);
  const outcome = await house.connections.signIn.resolve(attempt, vouched, noteEpochs);
  const name = settings?.name ?? attempt.connectionId;
  switch (outcome.kind) {
    case 'signed-in': {
      if (settings === null) throw new Refusal(404);
      house.cookies.releaseAttempt(ctx, attempt.continueAt);
      house.metrics.signIn('signed-in-upstream');
      house.log.info(
        { connection: settings.id, account: outcome.accountId, created: outcome.created, forced: attempt.forced },
        'upstream.signed-in',
      );
      return {
        attempt,
        settings,
        created: outcome.created,
        proven: provenBy(ctx, attempt, vouched, outcome),
      };
    }
    case 'stale': {
      // Once more, and this time whoever vouches has to say that it was just now.
      house.log.info({ connection: attempt.connectionId }, 'upstream.asked-again');
      const { connectionId, purpose, continueAt, returnTo, loginHint } = attempt;
      await depart(house, ctx, { connectionId, purpose, continueAt, returnTo, loginHint, forced: true });
      return null;
    }
    case 'link-first': {
      const code = await house.connections.attempts.hold(redeemed);
      await showLinkFirst(house, ctx, {
        continueAt: attempt.continueAt,
        code,
        name,
        email: vouched.claims.email ?? '',
      });
      return null;
    }
    case 'refused': {
      house.metrics.signIn(`upstream-${outcome.why}`);
      house.log.warn(
        { connection: attempt.connectionId, why: outcome.why, requestId: ctx.state['requestId'] },
        'upstream.refused',
      );
      const explained = explainRefusal(outcome.why, name, textsOf(ctx));
      const { rules } = textsOf(ctx).federation;
      const message = outcome.rule === undefined ? explained.message : rules[outcome.rule];
      await showRefusal(house, ctx, { ...explained, message }, signInPageOf(attempt.continueAt));
      return null;
    }
  }
}

async function showLinkFirst(
  house: House,
  ctx: Context,
  model: {
    readonly continueAt: string;
    readonly code: string;
    readonly name: string;
    readonly email: string;
    readonly refusal?: string | undefined;
    readonly retryAfter?: string | undefined;
  },
): Promise<void> {
  await show(house, ctx, 'link-first', {
    title: textsOf(ctx).linkFirst.title,
    csrf: house.csrf.token(ctx),
    action: `${model.continueAt}/link`,
    code: model.code,
    name: model.name,
    email: model.email,
    refusal: model.refusal,
    retryAfter: model.retryAfter,
    cancelUrl: signInPageOf(model.continueAt),
  });
}

const LinkForm = z.strictObject({
  csrf: z.string(),
  code: z.string(),
  username: z.string().max(320),
  password: z.string().max(4096),
});

/**
 * Somebody whom a provider vouched for proves that the account with the same address is theirs, so that the two are linked
 * once they are in. Null once the request has been answered otherwise.
 */
export async function linkFirst(house: House, ctx: Context): Promise<Pick<Arrived, 'attempt' | 'proven'> | null> {
  const form = await readForm(ctx, LinkForm);
  house.csrf.check(ctx, form.csrf);
  const { attempts, signIn } = house.connections;
  const cookie = house.cookies.attemptOf(ctx);
  const held = await attempts.peek(form.code, cookie);
  if (held === null || `${held.attempt.continueAt}/link` !== ctx.path) {
    await startAgain(house, ctx);
    return null;
  }
  const { attempt, vouched } = held;
  noteEpochs(held.epochs);
  const name = house.connections.settingsOf(attempt.connectionId)?.name ?? attempt.connectionId;
  const outcome = await provePassword(house, ctx, form);
  if ('refusal' in outcome) {
    ctx.status = outcome.status;
    const { refusal, retryAfter } = outcome;
    const model = { continueAt: attempt.continueAt, code: form.code, name, email: form.username };
    await showLinkFirst(house, ctx, { ...model, refusal, retryAfter });
    return null;
  }
  // The very account that has the address.
  const again = await signIn.resolve(attempt, vouched, noteEpochs);
  if (again.kind !== 'link-first' || again.accountId !== outcome.accountId) {
    await showRefusal(house, ctx, explainRefusal('email-taken', name, textsOf(ctx)), signInPageOf(attempt.continueAt));
    return null;
  }
  // The link itself waits until everything that a sign-in asks of this account was proven, at whichever page that is.
  house.cookies.bindAttempt(ctx, secondStepOf(attempt.continueAt), cookie ?? '');
  const upstream = { connectionId: vouched.connectionId, logout: vouched.logout };
  return { attempt, proven: { ...outcome, linking: form.code, proof: { ...outcome.proof, upstream } } };
}

/**
 * Links what somebody came with who has now proved everything that is asked of them. False once the request has been answered
 * otherwise.
 */
export async function completeLink(
  house: House,
  ctx: Context,
  { linking, accountId, proof }: Proven,
): Promise<boolean> {
  if (linking === undefined) return true;
  const { attempts, signIn } = house.connections;
  const redeemed = await attempts.redeem(linking, house.cookies.attemptOf(ctx));
  if (redeemed === null) {
    await startAgain(house, ctx);
    return false;
  }
  const { attempt, vouched } = redeemed;
  noteEpochs(redeemed.epochs);
  const name = house.connections.settingsOf(attempt.connectionId)?.name ?? attempt.connectionId;
  const account = `account:${accountId}` as const;
  const { everyone = 0, [account]: epoch = 0 } = seenEpochs();
  const standing = { everyone, [account]: epoch };
  const linked = await signIn.link(attempt, vouched, { id: accountId, admin: proof.admin, standing });
  for (const path of [attempt.continueAt, secondStepOf(attempt.continueAt)]) house.cookies.releaseAttempt(ctx, path);
  if (linked.kind === 'stale') {
    await startAgain(house, ctx);
    return false;
  }
  if (linked.kind !== 'signed-in') {
    const why = linked.kind === 'refused' ? linked.why : 'session-ended';
    await showRefusal(house, ctx, explainRefusal(why, name, textsOf(ctx)), signInPageOf(attempt.continueAt));
    return false;
  }
  await notify(house, ctx, accountId, { kind: 'identity.linked', what: name });
  return true;
}

/** The page of the second step that belongs to a page of this sign-in. */
const secondStepOf = (continueAt: string): string => continueAt.replace(/federation$/, 'second-step');

/** What signing in through a provider proves, and whatever its own logout will ask for. */
function provenBy(
  ctx: Context,
  attempt: Attempt,
  vouched: Vouched,
  { accountId, admin }: { readonly accountId: string; readonly admin: boolean },
): Proven {
  return {
    accountId,
    amr: vouched.amr,
    // Whatever its provider asked of them: a second factor here is one that we have seen.
    acr: 'aal1',
    proof: {
      signedInAt: attempt.requestedAt.getTime(),
      authenticatedAt: vouched.authenticatedAt?.getTime() ?? 0,
      admin,
      device: { userAgent: ctx.get('user-agent'), address: addressOf(ctx) },
      upstream: { connectionId: vouched.connectionId, logout: vouched.logout },
    },
  };
}

async function startAgain(house: House, ctx: Context): Promise<void> {
  ctx.status = 400;
  const texts = textsOf(ctx);
  const { headline, elsewhere, whereYouCameFrom } = texts.errors.startAgain;
  await show(house, ctx, 'error', {
    ...explainStatus(400, texts),
    title: headline,
    headline,
    message: elsewhere,
    next: whereYouCameFrom,
    requestId: String(ctx.state['requestId']),
  });
}

/** The page at which the person chose how to sign in. */
function signInPageOf(continueAt: string): string {
  return continueAt.replace(/\/federation$/, '').replace(/^\/account$/, '/account/security');
}

export async function showRefusal(
  house: House,
  ctx: Context,
  explained: Explained,
  startAgainAt: string | null,
): Promise<void> {
  ctx.status = explained.status;
  if (explained.status === 503) ctx.set('Retry-After', '5');
  const texts = textsOf(ctx);
  await show(house, ctx, 'error', {
    ...explainStatus(explained.status, texts),
    title: texts.federation.title,
    headline: texts.federation.headline,
    ...explained,
    link: startAgainAt === null ? undefined : { href: startAgainAt, label: texts.errors.toSignIn },
    requestId: String(ctx.state['requestId']),
  });
}

/** The code of a continuing request: one, and of its shape. */
function codeOf(ctx: Context): string {
  const { code } = readQuery(ctx, z.strictObject({ code: z.string().regex(/^[\w-]{43}$/) }));
  return code;
}
