/**
 * Verifying the answer to a sign-in, in three steps.
 *
 * Purpose: say who signed in at the identity provider, or why the answer is refused. Invariant: identity is read from
 * signed bytes alone, by the third step; the first and second can only refuse. It refuses to know attempts beyond the one
 * it is given, and what has been used before: the caller consumes the attempt, and remembers the assertion, in one atomic
 * step.
 *
 * Why three. The library in the middle resists signature wrapping and does the cryptography, and skips the profile: alone it
 * accepts wrong recipients, destinations, issuers and statuses, sha1, a name cut short by an element within, and documents
 * that take seconds to read. `envelope.ts` leaves it one thing to verify, and `assertion.ts` reads only what it verified.
 * Where it does not know an algorithm, `own-verification.ts` stands in for it.
 */
import { SAML, ValidateInResponseTo } from '@node-saml/passport-saml';

import { addSeconds } from '../../platform/clock.ts';
import { readAssertion, type SamlIdentity } from './assertion.ts';
import { type Envelope, openEnvelope } from './envelope.ts';
import type { Skewed } from './instants.ts';
import { rsaCertificates } from './keys.ts';
import { MESSAGE_LIFE_SECONDS } from './message.ts';
import { verifyOurselves } from './own-verification.ts';
import type { SamlIdentityProvider, SamlPolicy, ServiceProvider } from './party.ts';
import { isRefusal, refuse, type SamlRefusal, type SamlRefusalWord } from './refusal.ts';

/** How long somebody may take to sign in at the identity provider. */
const ATTEMPT_LIFE_SECONDS = 600;
/** Providers round AuthnInstant down, and clocks differ; more than this is an authentication of before. */
const FRESHNESS_SLACK_SECONDS = 5;

/** One sign-in that we sent somebody away for. */
export type SamlAttempt = {
  /** The ID of the AuthnRequest. */
  readonly requestId: string;
  readonly requestedAt: Date;
  /** Whether the person must have authenticated for this attempt, and not earlier (`ForceAuthn`). */
  readonly forced: boolean;
};

export type ResponseNeeds = {
  readonly sp: ServiceProvider;
  readonly idp: SamlIdentityProvider;
  readonly policy: SamlPolicy;
  readonly attempt: SamlAttempt;
  /** The form field `SAMLResponse`, as posted. */
  readonly samlResponse: string;
  /** The present instant. The library reads the machine's clock as well, and the stricter of the two prevails. */
  readonly now: Date;
};

/**
 * Verifies the answer to one attempt.
 *
 * An answer that verifies verifies again: whoever calls this consumes the attempt and inserts `(issuer, assertionId)`
 * uniquely, kept until `notOnOrAfter`, in one step, before anybody is let in.
 */
export async function verifyResponse(needs: ResponseNeeds): Promise<SamlIdentity | SamlRefusal> {
  const { sp, idp, policy, attempt, samlResponse, now } = needs;
  const { requestId } = attempt;
  const clock: Skewed = { now, skewSeconds: policy.clockSkewSeconds };
  if (addSeconds(attempt.requestedAt, ATTEMPT_LIFE_SECONDS) <= now) {
    return refuse('expired-attempt', `the sign-in began more than ${ATTEMPT_LIFE_SECONDS} seconds ago`);
  }
  const envelope = openEnvelope({ sp, idp, policy, requestId, samlResponse, clock });
  if (isRefusal(envelope)) return envelope;
  const signed = envelope.knownToLibrary ? await askLibrary(envelope, needs) : verifyOurselves(envelope, needs);
  if (isRefusal(signed)) return signed;
  const freshSince = attempt.forced ? addSeconds(attempt.requestedAt, -FRESHNESS_SLACK_SECONDS) : undefined;
  return readAssertion(signed.assertion, { sp, idp, requestId, freshSince, clock });
}

/** The library's part. One instance for one attempt: it knows a single request, and forgets it with the call. */
async function askLibrary(
  { text, responseSigned }: Envelope,
  { sp, idp, policy, attempt }: ResponseNeeds,
): Promise<{ readonly assertion: string } | SamlRefusal> {
  const idpCert = rsaCertificates(idp.certificates);
  if (idpCert.length === 0) {
    return refuse(
      'no-usable-certificate',
      'no certificate of the identity provider has an RSA key of 2048 bits or more',
    );
  }
  const library = new SAML({
    issuer: sp.entityId,
    audience: sp.entityId,
    callbackUrl: sp.acsUrl,
    idpIssuer: idp.entityId,
    idpCert,
    ...(sp.decryption && { decryptionPvk: sp.decryption.privateKeyPem }),
    // For what it would sign: both default to sha1.
    signatureAlgorithm: 'sha256',
    digestAlgorithm: 'sha256',
    wantAssertionsSigned: policy.wantAssertionsSigned,
    // Where it is not wanted the library ignores a Response signature that is wrong. A wrong one is refused.
    wantAuthnResponseSigned: policy.wantResponseSigned || responseSigned,
    validateInResponseTo: ValidateInResponseTo.always,
    requestIdExpirationPeriodMs: ATTEMPT_LIFE_SECONDS * 1000,
    acceptedClockSkewMs: policy.clockSkewSeconds * 1000,
    maxAssertionAgeMs: MESSAGE_LIFE_SECONDS * 1000,
    disableRequestedAuthnContext: true,
    forceAuthn: attempt.forced,
    generateUniqueId: () => attempt.requestId,
    cacheProvider: knowing(attempt),
  });
  try {
    const { profile } = await library.validatePostResponseAsync({
      SAMLResponse: Buffer.from(text, 'utf8').toString('base64'),
    });
    const assertion = profile?.getAssertionXml?.();
    return assertion === undefined
      ? refuse('refused-by-library', 'the library names no signed assertion')
      : { assertion };
  } catch (error) {
    return asRefusal(error);
  }
}

/** A cache that holds one request, whatever is asked of it. */
const knowing = ({ requestId, requestedAt }: SamlAttempt) => ({
  saveAsync: async () => null,
  getAsync: async (id: string) => (id === requestId ? requestedAt.toISOString() : null),
  removeAsync: async (id: string | null) => id,
});

/** The library explains itself in messages alone. What none of these begins is refused just the same. */
const LIBRARY_MESSAGES: readonly (readonly [begins: string, word: SamlRefusalWord, detail: string])[] = [
  ['Invalid document signature', 'bad-signature', 'the signature of the Response does not verify'],
  ['Invalid signature', 'bad-signature', 'the signature of the assertion does not verify'],
  ['SAML assertion not yet valid', 'not-yet-valid', 'the assertion is not valid yet'],
  ['SAML assertion expired', 'expired', 'the assertion is not valid any more'],
  ['SAML assertion audience mismatch', 'wrong-audience', 'the assertion was made for another audience'],
  ['SAML assertion has no AudienceRestriction', 'wrong-audience', 'the assertion was made for no audience'],
  ['SAML assertion AudienceRestriction has no', 'wrong-audience', 'the assertion was made for no audience'],
  ['No valid subject confirmation found', 'no-bearer-confirmation', 'no confirmation of the subject holds by now'],
  ['InResponseTo does not match', 'wrong-in-response-to', 'the assertion answers another request'],
  ['SubjectInResponseTo is not valid', 'wrong-in-response-to', 'the assertion answers another request'],
  ['Unable to process multiple conditions', 'bad-conditions', 'there is more than one set of Conditions'],
];

function asRefusal(error: unknown): SamlRefusal {
  const message = error instanceof Error ? error.message : '';
  const [, word, detail] = LIBRARY_MESSAGES.find(([begins]) => message.startsWith(begins)) ?? [];
  return word === undefined || detail === undefined
    ? refuse('refused-by-library', 'the library refuses the Response for a reason of its own')
    : refuse(word, detail);
}
