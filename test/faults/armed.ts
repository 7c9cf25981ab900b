/**
 * Somebody with every proof there is besides a password, and mail that leads to more: what a thief of the database would most
 * like to have, told to a witness piece by piece; and the hands of a thief who tries a value as each of them.
 */
import { addPasskey, codeOf, codesOn, createPasskey, passkeyFormOn, secretOn } from '../support/authenticator.ts';
import { Browser } from '../support/browser.ts';
import { mailbox } from '../support/mailbox.ts';
import type { Person, World } from '../support/world.ts';
import type { Witness } from './witness.ts';

export type Armed = {
  readonly person: Person;
  /** Each good for what it is named after. */
  readonly genuine: {
    readonly 'app secret': string;
    readonly 'recovery code': string;
    readonly 'trusted browser': string;
    readonly 'half-finished sign-in': string;
    readonly 'mailed link': string;
  };
  /** What codes are made with, as bytes: no text stands for them. */
  readonly secrets: readonly Buffer[];
};

const SECOND_STEP = '/sign-in/second-step';
const AGENT = 'Hearthside/9.1 (what she asked to be trusted from)';

export async function arm(place: World, person: Person, { seen, note }: Witness): Promise<Armed> {
  const box = mailbox(place);
  const own = await person.signIn();

  // A link opened, a link that waits, a link nobody asked for: in every mail there is "this was not me".
  await own.open('/account');
  await own.press('Send a link to confirm my address');
  await own.press('Change e-mail address', { email: 'wilhelmina.elsewhere@example.test' });
  const stranger = new Browser(place.issuer);
  await stranger.open('/reset');
  await stranger.press('Send reset link', { username: person.email });

  // An app, one that was begun and left, ten codes and ten more, a passkey used and another, one name changed.
  await own.open('/account/security');
  await own.press('Set up an authenticator app');
  const left = secretOn(own);
  await own.open('/account/security');
  await own.press('Set up an authenticator app');
  const secret = secretOn(own);
  await own.press('Turn it on', { code: codeOf(secret) });
  const former = codesOn(own);
  await own.open('/account/security');
  await own.press('Make new recovery codes');
  const codes = codesOn(own);
  const passkeys = [await addPasskey(own, 'The brass key in the piano stool'), createPasskey(place.issuer)];
  await own.open('/account/security');
  await own.press('Save the name', { name: 'The brass key in the clock' });
  const [used, never] = passkeys;
  const alone = new Browser(place.issuer);
  await alone.open('/sign-in');
  const form = passkeyFormOn(alone, 'use');
  await form.post(used?.use(form.options));
  await alone.open('/sign-in');

  // A browser that is trusted, and a sign-in that waits for its second factor.
  const halfWay = async (browser: Browser): Promise<Browser> => {
    await browser.open('/sign-in');
    await browser.press('Sign in', { username: person.username, password: person.password });
    return browser;
  };
  const trusted = await halfWay(new Browser(place.issuer, AGENT));
  await trusted.press('Go on', { code: codes[0], trust: 'on' });
  const waiting = await halfWay(new Browser(place.issuer));

  for (const each of [secret, left]) note([each, ...written(decoded(each))], 'secret of an app');
  for (const code of [...former, ...codes]) note([code, code.replaceAll('-', '')], 'recovery code');
  for (const passkey of [used, never]) {
    if (passkey !== undefined) note([passkey.id, ...written(Buffer.from(passkey.id, 'base64url'))], 'passkey');
  }
  const offered = JSON.parse(form.options) as { challenge: string };
  note([offered.challenge, ...written(Buffer.from(offered.challenge, 'base64url'))], 'challenge');
  const mails = await box.all();
  for (const { to, text } of mails) {
    note(to, 'mail to');
    for (const [link] of text.matchAll(/https?:\/\/\S+/g)) note([link, new URL(link).searchParams.get('link')], 'mail');
  }
  const reset = mails.flatMap(({ text }) => [...text.matchAll(/\/reset\/confirm\?link=([\w-]{43})/g)])[0]?.[1] ?? '';
  const cookie = (browser: Browser, name: string): string =>
    [...browser.cookies].find(([key]) => key.startsWith(`${name} `))?.[1].value ?? '';
  const genuine = {
    'app secret': secret,
    'recovery code': codes[1] ?? '',
    'trusted browser': cookie(trusted, 'curfew-trust'),
    'half-finished sign-in': cookie(waiting, 'curfew-half-way'),
    'mailed link': reset,
  };
  // What was never shown to the witness is not looked for: each of these has to be among what it saw.
  for (const [what, value] of Object.entries(genuine)) if (!seen.has(value)) throw new Error(`no ${what} was seen`);
  return { person, genuine, secrets: [decoded(secret), decoded(left)] };
}

/** Tries a value as everything that proves more than a password; resolves to what it opened. */
export function thiefOfProofs({ issuer, core }: World, { person: { id } }: Armed) {
  const links = [
    'reset-password',
    'verify-email',
    'change-email',
    'revert-email',
    'not-me',
    'register',
    'invite',
  ] as const;
  return async (value: string): Promise<string[]> => {
    const asHeader = Buffer.from(value, 'utf8')
      .toString('latin1')
      .replaceAll(/[^\x21-\x7e]/g, '');
    const headers = { cookie: `curfew-half-way=${asHeader}` };
    const found = await Promise.all(links.map((kind) => core.links.find(kind, value)));
    const opened = {
      'app secret': await core.totp.use(id, codeFrom(value)),
      'recovery code': await core.recoveryCodes.use(id, value),
      'trusted browser': await core.trustedBrowsers.isTrusted(id, value),
      'half-finished sign-in': (await fetch(`${issuer}${SECOND_STEP}`, { headers, redirect: 'manual' })).status === 200,
      'mailed link': found.some((link) => link !== null),
    };
    return Object.entries(opened).flatMap(([what, open]) => (open ? [what] : []));
  };
}

/** The code that an app would show which was given this value; empty when none takes it. */
function codeFrom(value: string): string {
  try {
    return codeOf(value.toUpperCase(), { steps: 1 });
  } catch {
    return '';
  }
}

const written = (bytes: Buffer): string[] =>
  (['hex', 'base64', 'base64url'] as const).map((how) => bytes.toString(how));

/** Base32 (RFC 4648 §6). */
function decoded(secret: string): Buffer {
  const bits = [...secret].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
