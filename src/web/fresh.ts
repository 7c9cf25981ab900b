/**
 * Acts that need somebody who has just proved who they are.
 *
 * A sign-in is fresh for a quarter of an hour, and what counts is when the person authenticated: a provider's session that was
 * opened this morning is none. Who is not fresh is asked once more for everything that a sign-in asks of them, their password
 * or their provider and the second factor after it, and then what they asked for is done.
 */
import type { Context } from 'koa';
import { z } from 'zod';

import type { SignedIn } from '../oidc/browser-session.ts';
import { addSeconds } from '../platform/clock.ts';
import { depart } from './federated-proof.ts';
import type { Texts } from '../languages/en.ts';
import { readForm } from './forms.ts';
import { textsOf } from './language.ts';
import { hasSecondFactor } from '../authn/second-factors.ts';
import { provePasskeyAgain } from './passkey-sign-in.ts';
import { proveAgain, type Told } from './password-sign-in.ts';
import { useCode } from './second-step.ts';
import { Refusal } from './refusal.ts';
import { type House, requireSignIn, show } from './routes/house.ts';

export type Person = SignedIn & { readonly username: string };

/** One act: its button's words, and what it does. `fields` are the form's own, besides those every form has. */
export type Act = {
  readonly fields?: readonly string[];
  /** It ends access and opens nothing: whoever has just signed in may do it, by however few factors. */
  readonly endsAccess?: true;
  readonly words: (texts: Texts, fields: Fields, house: House) => string;
  readonly perform: (house: House, ctx: Context, person: Person, fields: Fields) => Promise<void>;
};
export type Fields = Readonly<Record<string, string>>;
/** By the path its form is posted to. */
export type Acts = ReadonlyMap<string, Act>;

/** Factors, identities, e-mail and signing out of everything need an authentication no older than this. */
const FRESH_SECONDS = 15 * 60;

const COMMON = {
  csrf: z.string(),
  password: z.string().max(4096).optional(),
  username: z.string().max(320).optional(),
  code: z.string().max(64).optional(),
  passkey: z.string().max(16_384).optional(),
  challenge: z.string().max(1000).optional(),
};

const formOf = ({ fields = [] }: Act) =>
  z.strictObject({ ...COMMON, ...Object.fromEntries(fields.map((name) => [name, z.string().max(200)])) });

/**
 * Whether somebody has just proved who they are, by everything that a sign-in asks of them: a browser that is trusted stands in
 * for a second factor to sign in, and not to take the factor away.
 */
export async function isFresh(house: House, person: SignedIn): Promise<boolean> {
  if (!isRecent(house, person)) return false;
  return person.acr === 'aal2' || !hasSecondFactor(await house.factors.held(person.accountId));
}

const isRecent = (house: House, { authenticatedAt }: SignedIn): boolean =>
  addSeconds(authenticatedAt, FRESH_SECONDS) > house.clock.now();

/** The answer to an act's form: done at once, or after its person has proved once more who they are. */
export async function answerAct(house: House, ctx: Context, path: string, acts: Acts): Promise<void> {
  const act = acts.get(path);
  if (act === undefined) throw new Refusal(404);
  const form = (await readForm(ctx, formOf(act))) as CommonFields & Record<string, string>;
  const { csrf, password, username: _username, code, passkey, challenge, ...fields } = form;
  house.csrf.check(ctx, csrf);
  const person = await requireSignIn(house, ctx);
  if (person === null) return;
  const given: Given = { password, code, passkey, challenge };
  const asksNothing = password === undefined && passkey === undefined;
  const mayAct = act.endsAccess === true ? isRecent(house, person) : await isFresh(house, person);
  if (asksNothing && mayAct) return act.perform(house, ctx, person, fields);
  const doubt = asksNothing ? undefined : await proveAllAgain(house, ctx, person.accountId, given);
  if (doubt === null) return act.perform(house, ctx, person, fields);
  await askAgain(house, ctx, { act, path, person, fields, doubt });
}

type CommonFields = {
  readonly csrf: string;
  readonly password?: string;
  readonly username?: string;
  readonly code?: string;
  readonly passkey?: string;
  readonly challenge?: string;
};
type Given = { readonly [name in 'password' | 'code' | 'passkey' | 'challenge']: string | undefined };

/** What is wrong, and about which of the things that were asked for. */
type Doubt = Told & { readonly about: 'password' | 'code' | 'passkey' | 'passkey-password' };

/** Everything that a sign-in would ask of this account; null once it was proven. */
async function proveAllAgain(house: House, ctx: Context, accountId: string, given: Given): Promise<Doubt | null> {
  if (given.passkey !== undefined) return provePasskeyAndMore(house, ctx, accountId, given.passkey, given);
  const proven = await proveAgain(house, ctx, accountId, given.password ?? '');
  if ('refusal' in proven) return { ...proven, about: 'password' };
  if (!hasSecondFactor(await house.factors.held(accountId))) return null;
  const used = await useCode(house, ctx, accountId, given.code ?? '');
  return 'refusal' in used ? { ...used, about: 'code' } : null;
}

/** A passkey; and the password with it, where its device can be used by whoever holds it. */
async function provePasskeyAndMore(
  house: House,
  ctx: Context,
  accountId: string,
  passkey: string,
  { password, challenge = '' }: Given,
): Promise<Doubt | null> {
  const used = await provePasskeyAgain(house, ctx, accountId, { passkey, challenge });
  if (used === null) return { about: 'passkey', status: 401, refusal: textsOf(ctx).passkeys.notAcceptedAgain };
  if (used.alone) return null;
  if (password === undefined) {
    const refusal = textsOf(ctx).passkeys.notAlone;
    return { about: 'passkey-password', status: 401, refusal };
  }
  const proven = await proveAgain(house, ctx, accountId, password);
  return 'refusal' in proven ? { ...proven, about: 'passkey-password' } : null;
}

async function askAgain(
  house: House,
  ctx: Context,
  asked: {
    readonly act: Act;
    readonly path: string;
    readonly person: Person;
    readonly fields: Fields;
    readonly doubt: Doubt | undefined;
  },
): Promise<void> {
  const { act, path, person, fields, doubt } = asked;
  const { accountId } = person;
  const [account, identities, held] = await Promise.all([
    house.accounts.find(accountId),
    house.connections.identities.list(accountId),
    house.factors.held(accountId),
  ]);
  const texts = textsOf(ctx);
  const words = act.words(texts, fields, house);
  const named = new URLSearchParams({ act: path, ...prefixed(fields) }).toString();
  const hasPassword = account?.passwordChangedAt != null;
  const offer = held.passkeys ? await house.passkeys.offerToUse({ accountId, alone: !hasPassword }) : null;
  const code = hasSecondFactor(held) && (held.totp || held.recoveryCodes);
  ctx.status = doubt?.status ?? 200;
  await show(house, ctx, 'confirm-identity', {
    title: texts.confirmIdentity.title,
    action: path,
    csrf: house.csrf.token(ctx),
    username: person.username,
    what: words,
    fields: Object.entries(fields).map(([name, value]) => ({ name, value })),
    submitLabel: words,
    refusal: doubt?.refusal,
    retryAfter: doubt?.retryAfter,
    refused: doubt?.about,
    cancelUrl: '/account/security',
    password: hasPassword && (code || !hasSecondFactor(held)),
    code,
    passkey: offer === null ? undefined : { options: JSON.stringify(offer.options), challenge: offer.challenge },
    passkeyPassword: hasPassword && doubt?.about === 'passkey-password',
    connections: [...new Set(identities.map(({ connectionId }) => connectionId))].flatMap((id) => {
      const settings = house.connections.settingsOf(id);
      return settings === null ? [] : [{ name: settings.name, action: `/account/confirm/${id}?${named}` }];
    }),
  });
}

/** Off to the provider, to prove it there; the act comes along, and is done on the way back. */
export async function confirmUpstream(house: House, ctx: Context, connectionId: string, acts: Acts): Promise<void> {
  house.csrf.check(ctx, (await readForm(ctx, z.strictObject({ csrf: z.string() }))).csrf);
  const person = await requireSignIn(house, ctx);
  if (person === null) return;
  const { act } = ctx.query;
  if (typeof act !== 'string' || !acts.has(act)) throw new Refusal(400);
  await depart(house, ctx, {
    connectionId,
    purpose: { kind: 'confirm', accountId: person.accountId, act: ctx.querystring },
    continueAt: '/account/federation',
    returnTo: '/account/security',
    loginHint: null,
    forced: true,
  });
}

/** The act that came along, done by the person who has just proved who they are. */
export async function performConfirmed(
  house: House,
  ctx: Context,
  person: Person,
  named: string,
  acts: Acts,
): Promise<void> {
  const given = new URLSearchParams(named);
  const act = acts.get(given.get('act') ?? '');
  if (act === undefined) throw new Refusal(400);
  const fields = Object.fromEntries(
    [...given].flatMap(([name, value]) => (name.startsWith(FIELD) ? [[name.slice(FIELD.length), value]] : [])),
  );
  await act.perform(house, ctx, person, fields);
}

const FIELD = 'field.';
const prefixed = (fields: Fields): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [`${FIELD}${name}`, value]));
