/**
 * Logout messages from an identity provider (SAML Profiles §4.4).
 *
 * Purpose: decide whether a LogoutRequest or LogoutResponse, by redirect or POST, is the provider's, for us, and of now.
 * Invariant: unsigned is refused, always; what is read was signed, and nothing else is read; no key, name or address is
 * taken from anywhere but the connection. It refuses to know sessions, accounts and what has been used before.
 *
 * Nothing of the library's is used here. Its logout verification accepts unsigned redirects, lets a second spelling of a
 * parameter replace the signed one, takes md5 and sha1, ignores Destination, and inflates without end.
 */
import { addSeconds } from '../../platform/clock.ts';
import { decryptElement } from './decryption.ts';
import { attribute, childElements, childrenNamed, isNamed, onlyChild, plainText, withDescendants } from './elements.ts';
import { type Admitted, admitMessage, MESSAGE_LIMITS } from './guard.ts';
import { earliest, isPast, parseInstant, type Skewed } from './instants.ts';
import { MESSAGE_LIFE_SECONDS, messageFault, statusOf } from './message.ts';
import { type NameId, nameIdOf, readNameId } from './name-id.ts';
import { NAMESPACE } from './names.ts';
import { DEFAULT_POLICY, type SamlIdentityProvider, type ServiceProvider } from './party.ts';
import { type MessageField, openQuery } from './redirect.ts';
import { isRefusal, refuse, type SamlRefusal } from './refusal.ts';
import { signatureFault, verifyRoot } from './signature.ts';

const { assertion: SAML, protocol: SAMLP } = NAMESPACE;

/** A logout message as it arrived. */
export type InboundLogout =
  /** The query string of the request line, without `?`, untouched. */
  | { readonly binding: 'redirect'; readonly query: string }
  /** The form field `SAMLRequest` or `SAMLResponse`; `relayState`, which nobody signs in this binding. */
  | { readonly binding: 'post'; readonly message: string; readonly relayState?: string | undefined };

export type InboundLogoutNeeds = {
  readonly sp: ServiceProvider;
  readonly idp: SamlIdentityProvider;
  readonly message: InboundLogout;
  readonly now: Date;
  readonly clockSkewSeconds?: number;
};

type Received = {
  readonly id: string;
  readonly issuer: string;
  /** From this instant on the same message is refused for its age: remember `(issuer, id)` until then. */
  readonly notOnOrAfter: Date;
  readonly relayState: string | undefined;
};

export type LogoutRequest = Received &
  NameId & {
    /** The provider's sessions that end; none means all of this person's. */
    readonly sessionIndexes: readonly string[];
  };

export type LogoutResponse = Received & {
  readonly inResponseTo: string;
  /** Outermost first: `['Success']`, `['Success', 'PartialLogout']`, `['Responder']`. */
  readonly status: readonly string[];
};

/**
 * Verifies that an identity provider wants somebody signed out.
 *
 * A request that verifies verifies again until `notOnOrAfter`: the caller consumes `(issuer, id)` exactly once before
 * acting on it.
 */
export function verifyLogoutRequest(needs: InboundLogoutNeeds): LogoutRequest | SamlRefusal {
  const opened = openLogout(needs, 'LogoutRequest');
  if (isRefusal(opened)) return opened;
  const { root, received, clock } = opened;
  const written = attribute(root, 'NotOnOrAfter');
  const until = written === undefined ? received.notOnOrAfter : parseInstant(written);
  if (until === undefined || isPast(until, clock)) return refuse('expired', 'the request holds no longer');

  const strange = childElements(root).some(
    (child) =>
      !['Issuer', 'NameID', 'EncryptedID'].some((name) => isNamed(child, SAML, name)) &&
      !['Extensions', 'SessionIndex'].some((name) => isNamed(child, SAMLP, name)),
  );
  if (strange) return refuse('unexpected-message', 'the request holds something that does not belong there');
  const nameId = whoLeaves(root, needs.sp);
  if (isRefusal(nameId)) return nameId;
  const indexes = childrenNamed(root, SAMLP, 'SessionIndex').map(plainText);
  const sessionIndexes = indexes.filter((index) => index !== undefined && index !== '') as string[];
  if (sessionIndexes.length !== indexes.length) {
    return refuse('unexpected-message', 'the request names a session by something that is not text');
  }
  const notOnOrAfter = earliest(received.notOnOrAfter, addSeconds(until, clock.skewSeconds));
  return { ...received, notOnOrAfter, ...nameId, sessionIndexes };
}

/**
 * Verifies the answer to a logout request of ours; whatever its status, which the caller reads.
 *
 * An answer that verifies verifies again until `notOnOrAfter`: the caller consumes the request it answers exactly once.
 */
export function verifyLogoutResponse(
  needs: InboundLogoutNeeds & {
    /** The ID of the LogoutRequest that this must answer. */
    readonly requestId: string;
  },
): LogoutResponse | SamlRefusal {
  const opened = openLogout(needs, 'LogoutResponse');
  if (isRefusal(opened)) return opened;
  const inResponseTo = attribute(opened.root, 'InResponseTo');
  if (inResponseTo === undefined) return refuse('unsolicited', 'the response answers no request');
  if (inResponseTo !== needs.requestId) return refuse('wrong-in-response-to', 'the response answers another request');
  const status = statusOf(opened.root);
  if (status === undefined) return refuse('unexpected-message', 'the response does not have one Status');
  return { ...opened.received, inResponseTo, status };
}

type Opened = { readonly root: Element; readonly received: Received; readonly clock: Skewed };

function openLogout(needs: InboundLogoutNeeds, name: 'LogoutRequest' | 'LogoutResponse'): Opened | SamlRefusal {
  const { sp, idp, message, now, clockSkewSeconds = DEFAULT_POLICY.clockSkewSeconds } = needs;
  const clock: Skewed = { now, skewSeconds: clockSkewSeconds };
  const field = name === 'LogoutRequest' ? 'SAMLRequest' : 'SAMLResponse';
  const signed = openSigned(message, field, idp);
  if (isRefusal(signed)) return signed;
  const { root, relayState } = signed;
  const fault = messageFault(root, { name, idp, destination: sp.sloUrl, clock });
  if (fault !== undefined) return fault;
  const issuedAt = parseInstant(attribute(root, 'IssueInstant')) ?? now;
  const notOnOrAfter = addSeconds(issuedAt, MESSAGE_LIFE_SECONDS + clockSkewSeconds);
  const id = attribute(root, 'ID') ?? '';
  return { root, clock, received: { id, issuer: idp.entityId, notOnOrAfter, relayState } };
}

/** The document that was signed, and only that. */
function openSigned(
  message: InboundLogout,
  field: MessageField,
  { certificates }: SamlIdentityProvider,
): (Pick<Admitted, 'root'> & { readonly relayState: string | undefined }) | SamlRefusal {
  if (message.binding === 'redirect') {
    const opened = openQuery(message.query, { field, certificates });
    if (isRefusal(opened)) return opened;
    // In this binding the query is what is signed (SAML Bindings §3.4.4.1); a signature inside would be a second opinion.
    const second = withDescendants(opened.root).some(({ localName }) => localName === 'Signature');
    return second ? refuse('misplaced-signature', 'a redirected message has a signature inside') : opened;
  }
  const posted = admitMessage(message.message);
  if (isRefusal(posted)) return posted;
  const fault = signatureFault(posted.root, [posted.root]);
  if (fault !== undefined) return fault;
  const signed = verifyRoot(posted, certificates, MESSAGE_LIMITS);
  return isRefusal(signed) ? signed : { root: signed.root, relayState: message.relayState };
}

/** By now the provider has signed what it encrypted, so our answers tell a stranger nothing. */
function whoLeaves(root: Element, { decryption }: ServiceProvider): NameId | SamlRefusal {
  const encrypted = onlyChild(root, SAML, 'EncryptedID');
  const named = nameIdOf(root);
  // The one identifier there is, if there is one, is encrypted.
  if (encrypted === undefined || !isRefusal(named) || named.refused !== 'no-name-id') return named;
  if (decryption === undefined) {
    return refuse('no-decryption-key', 'the NameID is encrypted, and this connection has no key to open it');
  }
  const { privateKeyPem } = decryption;
  const inside = decryptElement(encrypted, { privateKeyPem, written: 'by-provider' });
  if (isRefusal(inside)) return inside;
  return isNamed(inside.root, SAML, 'NameID')
    ? readNameId(inside.root)
    : refuse('no-name-id', 'what was encrypted is not a NameID');
}
