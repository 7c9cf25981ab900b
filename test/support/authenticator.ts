/**
 * What a person proves themselves with besides a password: an app that shows codes, and a passkey in software that answers the
 * options of our pages as a browser would (Web Authentication Level 3 §5, §6.1). Each answer can be spoilt on its way.
 */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { generateSync } from 'otplib';

import type { Browser } from './browser.ts';

/** The code of an app that was given this secret, so many half minutes from an instant: from now, usually. */
export function codeOf(secret: string, { steps = 0, at = new Date() } = {}): string {
  return generateSync({ secret, epoch: Math.floor(at.getTime() / 1000) + steps * 30 });
}

/** The secret on the page that sets an app up. */
export function secretOn(browser: Browser): string {
  const shown = /<p class="secret">([A-Z2-7 ]+)<\/p>/.exec(browser.page.text)?.[1];
  if (shown === undefined) throw new Error(`no secret on ${browser.page.url}: ${browser.heading}`);
  return shown.replaceAll(' ', '');
}

/** The recovery codes on the page that shows them. */
export const codesOn = (browser: Browser): string[] =>
  [...browser.page.text.matchAll(/<li><code>([^<]+)<\/code><\/li>/g)].map(([, code = '']) => code);

/** Sets up an authenticator app from the security page; resolves to its secret and the recovery codes it came with. */
export async function setUpApp(browser: Browser): Promise<{ secret: string; codes: string[] }> {
  await browser.open('/account/security');
  await browser.press('Set up an authenticator app');
  const secret = secretOn(browser);
  await browser.press('Turn it on', { code: codeOf(secret) });
  return { secret, codes: codesOn(browser) };
}

export type PasskeyTraits = {
  readonly userVerified?: boolean;
  readonly signCount?: number;
  readonly origin?: string;
  readonly rpId?: string;
  readonly challenge?: string;
  readonly type?: string;
  readonly userHandle?: string | null;
};
type Answer = Record<string, unknown> & { response: Record<string, unknown> };

/** A passkey of one person's, for one service. */
export function createPasskey(origin: string) {
  const credentialId = randomBytes(32);
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const rpId = new URL(origin).hostname;
  let handle = '';
  let counter = 0;

  const clientData = (type: string, challenge: string, traits: PasskeyTraits): Buffer =>
    Buffer.from(
      JSON.stringify({
        type: traits.type ?? type,
        challenge: traits.challenge ?? challenge,
        origin: traits.origin ?? origin,
        crossOrigin: false,
      }),
    );
  const authenticatorData = (traits: PasskeyTraits, attested = Buffer.alloc(0)): Buffer => {
    const flags = 0x01 | (traits.userVerified === false ? 0 : 0x04) | (attested.length > 0 ? 0x40 : 0);
    const count = Buffer.alloc(4);
    count.writeUInt32BE(traits.signCount ?? (counter += 1));
    return Buffer.concat([digest(traits.rpId ?? rpId), Buffer.from([flags]), count, attested]);
  };
  const id = credentialId.toString('base64url');
  const named = { id, rawId: id, type: 'public-key', clientExtensionResults: {}, authenticatorAttachment: 'platform' };

  return {
    id,
    /** Answers the options of a page that adds a passkey. */
    register(optionsJson: string, traits: PasskeyTraits = {}): Answer {
      const options = JSON.parse(optionsJson) as { challenge: string; user: { id: string } };
      handle = options.user.id;
      const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
      const length = Buffer.alloc(2);
      length.writeUInt16BE(credentialId.length);
      const key = cborMap([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, Buffer.from(x, 'base64url')],
        [-3, Buffer.from(y, 'base64url')],
      ]);
      const authData = authenticatorData(traits, Buffer.concat([Buffer.alloc(16), length, credentialId, key]));
      const attestationObject = cborMap([
        ['fmt', 'none'],
        ['attStmt', cborMap([])],
        ['authData', authData],
      ]);
      return {
        ...named,
        response: {
          clientDataJSON: clientData('webauthn.create', options.challenge, traits).toString('base64url'),
          attestationObject: attestationObject.toString('base64url'),
          transports: ['internal'],
        },
      };
    },
    /** Answers the options of a page that asks for a passkey. */
    use(optionsJson: string, traits: PasskeyTraits = {}): Answer {
      const options = JSON.parse(optionsJson) as { challenge: string };
      const authData = authenticatorData(traits);
      const client = clientData('webauthn.get', options.challenge, traits);
      const signature = sign('sha256', Buffer.concat([authData, digest(client)]), privateKey);
      return {
        ...named,
        response: {
          clientDataJSON: client.toString('base64url'),
          authenticatorData: authData.toString('base64url'),
          signature: signature.toString('base64url'),
          ...(traits.userHandle === null ? {} : { userHandle: traits.userHandle ?? handle }),
        },
      };
    },
  };
}

export type SoftPasskey = ReturnType<typeof createPasskey>;

/** The passkey form of a page: what its script would read, and how its script would post the answer. */
export function passkeyFormOn(browser: Browser, kind: 'use' | 'add') {
  const form = new RegExp(`<form[^>]*data-passkey="${kind}"[\\s\\S]*?</form>`).exec(browser.page.text)?.[0];
  if (form === undefined) throw new Error(`no passkey form on ${browser.page.url}: ${browser.heading}`);
  const attribute = (name: string): string => unescaped(new RegExp(`\\b${name}="([^"]*)"`).exec(form)?.[1] ?? '');
  const hidden = [...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)];
  const fields = Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, unescaped(value)]));
  return {
    options: attribute('data-options'),
    fields,
    post: (answer: unknown, more: Record<string, string> = {}) =>
      browser.request(
        'POST',
        new URL(attribute('action'), browser.page.url),
        new URLSearchParams({ ...fields, ...more, passkey: JSON.stringify(answer) }),
      ),
  };
}

/** Adds a passkey from the security page. */
export async function addPasskey(browser: Browser, name = 'Phone'): Promise<SoftPasskey> {
  const passkey = createPasskey(browser.origin);
  await browser.open('/account/security');
  await browser.press('Add a passkey');
  const form = passkeyFormOn(browser, 'add');
  await form.post(passkey.register(form.options), { name });
  return passkey;
}

const digest = (data: string | Buffer): Buffer => createHash('sha256').update(data).digest();
const unescaped = (text: string): string =>
  text.replaceAll('&#34;', '"').replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&');

/** As much of CBOR (RFC 8949 §3) as an authenticator says: small maps of texts, bytes and small numbers. */
function cborMap(entries: readonly (readonly [number | string, number | string | Buffer])[]): Buffer {
  return Buffer.concat([Buffer.from([0xa0 + entries.length]), ...entries.flatMap((entry) => entry.map(cbor))]);
}

function cbor(value: number | string | Buffer): Buffer {
  if (typeof value === 'number') return Buffer.from([value >= 0 ? value : 0x20 - 1 - value]);
  if (typeof value === 'string') return Buffer.concat([Buffer.from([0x60 + value.length]), Buffer.from(value)]);
  // A map that is empty is written already.
  if (value.length === 1 && value[0] === 0xa0) return value;
  const head =
    value.length < 256 ? Buffer.from([0x58, value.length]) : Buffer.from([0x59, value.length >> 8, value.length & 255]);
  return Buffer.concat([head, value]);
}
