/** What an upstream identity provider said of a person, once every word of it has been verified. */
import type { UpstreamPerson } from './claims.ts';

export type Vouched = {
  readonly connectionId: string;
  /** What the provider calls the person, for good: `sub`, or the NameID. Nobody but the key holder may read it at rest. */
  readonly subject: string;
  /** When the person authenticated there (`auth_time`, `AuthnInstant`); null when the provider does not say. */
  readonly authenticatedAt: Date | null;
  /** The provider's name for its own session (`sid`, `SessionIndex`); null when it gave none. */
  readonly upstreamSession: string | null;
  /**
   * What its logout calls the person, where that is not `subject`: a NameID beside the attribute that names them for good.
   * It may be theirs for this session alone, and somebody else's one day. Null where `subject` is the name.
   */
  readonly logoutName: string | null;
  readonly claims: UpstreamPerson;
  readonly amr: readonly string[];
  /** What its logout asks for, later. */
  readonly logout: UpstreamLogout | null;
  /** What may be heard once alone: the assertion, until it expires by itself. */
  readonly once: { readonly issuer: string; readonly id: string; readonly expiresAt: Date } | null;
};

export type UpstreamLogout =
  | { readonly kind: 'oidc'; readonly idToken: string }
  | {
      readonly kind: 'saml';
      readonly nameId: string;
      readonly nameIdFormat: string;
      readonly nameQualifier: string | null;
      readonly spNameQualifier: string | null;
      readonly sessionIndex: string | null;
    };

/** A session at a provider, as a browser's Session remembers it. */
export type UpstreamOf = { readonly connectionId: string; readonly logout: UpstreamLogout | null };
