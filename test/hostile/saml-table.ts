/**
 * Hostile SAML responses as tables.
 *
 * Every case starts from a response that is accepted, and twists one thing, so that it cannot be refused for another
 * reason. `alone` says what the library does with the twisted one without our two steps around it, where that was
 * measured: those are the holes this code exists for.
 */
import { SAML, ValidateInResponseTo } from '@node-saml/passport-saml';
import { expect, test } from 'vitest';

import { DEFAULT_POLICY, type SamlPolicy, type ServiceProvider } from '../../src/connections/saml/party.ts';
import type { SamlRefusalWord } from '../../src/connections/saml/refusal.ts';
import { verifyResponse } from '../../src/connections/saml/response.ts';
import { addSeconds } from '../../src/platform/clock.ts';
import { type Recipe, type SamlScene, toBase64 } from '../support/saml-idp.ts';

export const RELAXED: SamlPolicy = { ...DEFAULT_POLICY, wantResponseSigned: false };
export const ACCEPTS_ALICE = 'accepts alice-at-idp';

type Setting = { readonly policy?: SamlPolicy; readonly forced?: boolean; readonly sp?: ServiceProvider };

export type Case = readonly [
  name: string,
  refused: SamlRefusalWord,
  twist: Recipe,
  more?: Setting & {
    /** What is twisted, if not the plainest response. */
    readonly base?: Recipe;
    readonly alone?: string;
  },
];

/** Where only the assertion is signed, and the connection is content with that. */
export const ON_ASSERTION = { base: { signs: 'assertion' }, policy: RELAXED } as const;

export type Table = {
  verify(samlResponse: string, setting?: Setting): ReturnType<typeof verifyResponse>;
  /** What the library makes of a response by itself, set as strictly as it can be. */
  alone(samlResponse: string, policy?: SamlPolicy): Promise<string>;
  cases(...cases: readonly Case[]): void;
};

export function tableOf(scene: SamlScene): Table {
  const { sp, idp, now, requestId } = scene;
  const verify: Table['verify'] = (samlResponse, setting = {}) => {
    const { policy = DEFAULT_POLICY, forced = false } = setting;
    const attempt = { requestId, requestedAt: addSeconds(now, -20), forced };
    return verifyResponse({ sp: setting.sp ?? sp, idp, policy, attempt, samlResponse, now });
  };
  const alone: Table['alone'] = async (SAMLResponse, policy = DEFAULT_POLICY) => {
    const library = new SAML({
      issuer: sp.entityId,
      audience: sp.entityId,
      callbackUrl: sp.acsUrl,
      idpIssuer: idp.entityId,
      idpCert: [...idp.certificates],
      ...(sp.decryption && { decryptionPvk: sp.decryption.privateKeyPem }),
      wantAssertionsSigned: true,
      wantAuthnResponseSigned: policy.wantResponseSigned,
      validateInResponseTo: ValidateInResponseTo.always,
      acceptedClockSkewMs: 60_000,
      maxAssertionAgeMs: 300_000,
      cacheProvider: {
        saveAsync: async () => null,
        getAsync: async (id) => (id === requestId ? now.toISOString() : null),
        removeAsync: async () => null,
      },
    });
    try {
      const { profile } = await library.validatePostResponseAsync({ SAMLResponse });
      return `accepts ${profile?.nameID ?? 'nobody'}`;
    } catch {
      return 'refuses';
    }
  };
  // Each distinct starting point is shown to be accepted once.
  const accepted = new Map<string, Promise<unknown>>();
  const showAccepted = async (base: Recipe, setting: Setting): Promise<void> => {
    const key = JSON.stringify([base, setting]);
    const shown = accepted.get(key) ?? verify(toBase64(scene.respond(base)), setting);
    accepted.set(key, shown);
    expect(await shown).toMatchObject({ nameId: 'alice-at-idp' });
  };
  return {
    verify,
    alone,
    cases(...cases) {
      for (const [name, refused, twist, more = {}] of cases) {
        const { base = {}, alone: expected, ...setting } = more;
        test(`${name} → ${refused}`, async () => {
          await showAccepted(base, setting);
          const samlResponse = toBase64(scene.respond({ ...base, ...twist }));
          expect(await verify(samlResponse, setting)).toEqual({ refused, detail: expect.any(String) });
          if (expected !== undefined) expect(await alone(samlResponse, setting.policy)).toBe(expected);
        });
      }
    },
  };
}
