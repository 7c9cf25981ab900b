/**
 * The last of three steps: the assertion, from the bytes that were signed.
 *
 * Purpose: everything the Web Browser SSO profile demands of an assertion (SAML Profiles §4.1.4.3), and only then who the
 * person is. Invariant: every clock, address and name is checked here, whatever was checked before, because these are the
 * only bytes that somebody vouched for. It refuses to know the Response around them.
 */
import { addSeconds } from '../../platform/clock.ts';
import { attribute, childElements, childrenNamed, isNamed, onlyChild, plainText } from './elements.ts';
import { admitText, MESSAGE_LIMITS } from './guard.ts';
import { earliest, isFuture, isPast, parseInstant, type Skewed } from './instants.ts';
import { issuanceFault, MESSAGE_LIFE_SECONDS } from './message.ts';
import { type NameId, nameIdOf } from './name-id.ts';
import { BEARER, NAMESPACE } from './names.ts';
import type { SamlIdentityProvider, ServiceProvider } from './party.ts';
import { isRefusal, refuse, type SamlRefusal } from './refusal.ts';

const { assertion: SAML } = NAMESPACE;

/** Somebody whom the identity provider vouches for. */
export type SamlIdentity = NameId & {
  readonly issuer: string;
  /** To name the session by when logging out. */
  readonly sessionIndex: string | undefined;
  /** When the person proved who they are. */
  readonly authnInstant: Date;
  readonly sessionNotOnOrAfter: Date | undefined;
  /** By Name, text values only. None of them is an identifier. */
  readonly attributes: Readonly<Record<string, string[]>>;
  readonly assertionId: string;
  /** From this instant on the same assertion is refused for its age: remember `(issuer, assertionId)` until then. */
  readonly notOnOrAfter: Date;
};

export type AssertionNeeds = {
  readonly sp: ServiceProvider;
  readonly idp: SamlIdentityProvider;
  readonly requestId: string;
  /** The earliest instant at which the person may have authenticated, if that matters. */
  readonly freshSince: Date | undefined;
  readonly clock: Skewed;
};

/** Reads a signed assertion, as text from a verified signature and from nowhere else. */
export function readAssertion(signedText: string, needs: AssertionNeeds): SamlIdentity | SamlRefusal {
  const { idp, clock } = needs;
  const admitted = admitText(signedText, MESSAGE_LIMITS);
  if (isRefusal(admitted)) return admitted;
  const { root } = admitted;
  const assertionId = attribute(root, 'ID');
  if (!isNamed(root, SAML, 'Assertion') || assertionId === undefined) {
    return refuse('assertion-count', 'what was signed is not an assertion');
  }
  const fault = issuanceFault(root, { idp, clock });
  if (fault !== undefined) return fault;

  const subject = readSubject(root, needs);
  if (isRefusal(subject)) return subject;
  const conditions = readConditions(root, needs);
  if (isRefusal(conditions)) return conditions;
  const authentication = readAuthnStatement(root, needs);
  if (isRefusal(authentication)) return authentication;

  const { confirmedUntil, ...nameId } = subject;
  const issuedAt = parseInstant(attribute(root, 'IssueInstant')) ?? clock.now;
  const validUntil = earliest(addSeconds(issuedAt, MESSAGE_LIFE_SECONDS), confirmedUntil, conditions.validUntil);
  return {
    issuer: idp.entityId,
    ...nameId,
    ...authentication,
    attributes: readAttributes(root),
    assertionId,
    notOnOrAfter: addSeconds(validUntil, clock.skewSeconds),
  };
}

function readSubject(root: Element, needs: AssertionNeeds): (NameId & { confirmedUntil: Date }) | SamlRefusal {
  const subject = onlyChild(root, SAML, 'Subject');
  if (subject === undefined) return refuse('no-name-id', 'there is not exactly one Subject');
  const nameId = nameIdOf(subject);
  if (isRefusal(nameId)) return nameId;
  const bearers = childrenNamed(subject, SAML, 'SubjectConfirmation').filter(
    (confirmation) => attribute(confirmation, 'Method') === BEARER,
  );
  // One that holds is enough (SAML Core §2.4.1); if none does, the first says why.
  const judged = bearers.map((bearer) => judgeBearer(bearer, needs));
  const confirmed = judged.find((each) => !isRefusal(each)) ?? judged[0];
  if (confirmed === undefined) return refuse('no-bearer-confirmation', 'no bearer is confirmed as the subject');
  return isRefusal(confirmed) ? confirmed : { ...nameId, confirmedUntil: confirmed.until };
}

function judgeBearer(
  confirmation: Element,
  { sp, requestId, clock }: AssertionNeeds,
): { readonly until: Date } | SamlRefusal {
  const data = onlyChild(confirmation, SAML, 'SubjectConfirmationData');
  if (data === undefined) return refuse('no-bearer-confirmation', 'a bearer is confirmed without data');
  if (attribute(data, 'Recipient') !== sp.acsUrl) {
    return refuse('wrong-recipient', 'the assertion was made for another recipient');
  }
  if (attribute(data, 'InResponseTo') !== requestId) {
    return refuse('wrong-in-response-to', 'the assertion answers another request, or none');
  }
  // SAML Profiles §4.1.4.2 forbids it; where it stands, it was meant for something else.
  if (attribute(data, 'NotBefore') !== undefined) {
    return refuse('no-bearer-confirmation', 'a bearer is confirmed from some later instant');
  }
  const until = parseInstant(attribute(data, 'NotOnOrAfter'));
  if (until === undefined || isPast(until, clock)) {
    return refuse('expired', 'the confirmation of the bearer has ended, or does not say when it ends');
  }
  return { until };
}

function readConditions(root: Element, { sp, clock }: AssertionNeeds): { readonly validUntil: Date } | SamlRefusal {
  const conditions = onlyChild(root, SAML, 'Conditions');
  if (conditions === undefined) return refuse('bad-conditions', 'there are not exactly one set of Conditions');
  const notBefore = parseInstant(attribute(conditions, 'NotBefore'));
  const validUntil = parseInstant(attribute(conditions, 'NotOnOrAfter'));
  if (notBefore === undefined || validUntil === undefined || notBefore >= validUntil) {
    return refuse('bad-conditions', 'the Conditions do not say from when to when they hold');
  }
  if (isFuture(notBefore, clock)) return refuse('not-yet-valid', 'the assertion is not valid yet');
  if (isPast(validUntil, clock)) return refuse('expired', 'the assertion is not valid any more');

  // OneTimeUse is kept by consuming the attempt; ProxyRestriction binds identity providers. Others could mean anything.
  const known = ['AudienceRestriction', 'OneTimeUse', 'ProxyRestriction'];
  if (!childElements(conditions).every((condition) => known.some((name) => isNamed(condition, SAML, name)))) {
    return refuse('bad-conditions', 'the assertion is valid under a condition that is not understood');
  }
  const restrictions = childrenNamed(conditions, SAML, 'AudienceRestriction');
  const includesUs = (restriction: Element): boolean =>
    childrenNamed(restriction, SAML, 'Audience').some((audience) => plainText(audience) === sp.entityId);
  // Within one restriction any audience will do; each restriction must be met (SAML Core §2.5.1.4).
  return restrictions.length > 0 && restrictions.every(includesUs)
    ? { validUntil }
    : refuse('wrong-audience', 'the assertion was made for another audience');
}

type Authentication = Pick<SamlIdentity, 'sessionIndex' | 'authnInstant' | 'sessionNotOnOrAfter'>;

function readAuthnStatement(root: Element, { freshSince, clock }: AssertionNeeds): Authentication | SamlRefusal {
  const statement = onlyChild(root, SAML, 'AuthnStatement');
  const authnInstant = statement && parseInstant(attribute(statement, 'AuthnInstant'));
  if (statement === undefined || authnInstant === undefined) {
    return refuse('bad-authn-statement', 'there is not exactly one statement of when somebody authenticated');
  }
  if (isFuture(authnInstant, clock)) return refuse('not-yet-valid', 'somebody is said to authenticate in the future');
  if (freshSince !== undefined && authnInstant < freshSince) {
    return refuse('stale-authentication', 'a fresh authentication was asked for, and this one is older');
  }
  const written = attribute(statement, 'SessionNotOnOrAfter');
  const sessionNotOnOrAfter = parseInstant(written);
  if (written !== undefined && sessionNotOnOrAfter === undefined) {
    return refuse('bad-authn-statement', 'the end of the session is not an instant');
  }
  if (sessionNotOnOrAfter !== undefined && isPast(sessionNotOnOrAfter, clock)) {
    return refuse('session-over', "the identity provider's session is over");
  }
  return { sessionIndex: attribute(statement, 'SessionIndex'), authnInstant, sessionNotOnOrAfter };
}

/** Values with elements in them (an eduPersonTargetedID) and encrypted ones are left out: they are not text. */
function readAttributes(root: Element): Record<string, string[]> {
  const values = new Map<string, string[]>();
  for (const statement of childrenNamed(root, SAML, 'AttributeStatement')) {
    for (const described of childrenNamed(statement, SAML, 'Attribute')) {
      const name = attribute(described, 'Name');
      if (name === undefined) continue;
      const texts = childrenNamed(described, SAML, 'AttributeValue').flatMap((value) => plainText(value) ?? []);
      values.set(name, [...(values.get(name) ?? []), ...texts]);
    }
  }
  // An own property even where the name is `__proto__`.
  return Object.fromEntries(values);
}
