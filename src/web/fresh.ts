/**
 * Acts that need somebody who has just proved who they are.
 *
 * A sign-in is fresh for a quarter of an hour, and what counts is when the person authenticated: a provider's session that was
 * opened this morning is none. Who is not fresh is asked once more, by password or by the provider they come through, and
 * then what they asked for is done.
 */
import type { Context } from 'koa';
import { z } from 'zod';

import type { SignedIn } from '../oidc/browser-session.ts';
import { addSeconds } from '../platform/clock.ts';
import { depart } from './federated-proof.ts';
import { readForm } from './forms.ts';
import { proveAgain } from './password-sign-in.ts';
import { Refusal } from './refusal.ts';
import { type House, requireSignIn, show } from './routes/house.ts';

export type Person = SignedIn & { readonly username: string };

/** One act: its button's words, and what it does. `fields` are the form's own, besides those every form has. */
export type Act = {
  readonly fields?: readonly string[];
  readonly words: (house: House, fields: Fields) => string;
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
};

const formOf = ({ fields = [] }: Act) =>
  z.strictObject({ ...COMMON, ...Object.fromEntries(fields.map((name) => [name, z.string().max(200)])) });

function isFresh(house: House, { authenticatedAt }: SignedIn): boolean {
  return addSeconds(authenticatedAt, FRESH_SECONDS) > house.clock.now();
}

/** The answer to an act's form: done at once, or after its person has proved once more who they are. */
export async function answerAct(house: House, ctx: Context, path: string, acts: Acts): Promise<void> {
  const act = acts.get(path);
  if (act === undefined) throw new Refusal(404);
  const { csrf, password, username: _username, ...own } = await readForm(ctx, formOf(act));
  const fields: Fields = own;
  house.csrf.check(ctx, csrf);
  const person = await requireSignIn(house, ctx);
  if (person === null) return;
  if (isFresh(house, person) && password === undefined) return act.perform(house, ctx, person, fields);
  const proven = password === undefined ? undefined : await proveAgain(house, ctx, person.accountId, password);
  if (proven !== undefined && 'verifiedHash' in proven) return act.perform(house, ctx, person, fields);

  const [account, identities] = await Promise.all([
    house.accounts.find(person.accountId),
    house.connections.identities.list(person.accountId),
  ]);
  const words = act.words(house, fields);
  const named = new URLSearchParams({ act: path, ...prefixed(fields) }).toString();
  ctx.status = proven?.status ?? 200;
  await show(house, ctx, 'confirm-identity', {
    title: 'Confirm it is you',
    action: path,
    csrf: house.csrf.token(ctx),
    username: person.username,
    what: words,
    fields: Object.entries(fields).map(([name, value]) => ({ name, value })),
    submitLabel: words,
    refusal: proven?.refusal,
    retryAfter: proven?.retryAfter,
    cancelUrl: '/account/security',
    password: account?.passwordChangedAt != null,
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
