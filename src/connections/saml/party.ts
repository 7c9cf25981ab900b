/**
 * The two parties of a SAML connection, and what is asked of the other one.
 *
 * Purpose: say in one place what is ours (a service provider of its own per connection, so that nothing sent to one can be
 * used at another), what is theirs, and what is relaxed. Invariant: plain, finished values, parsed and judged before they
 * get here. It refuses to know where they are kept and how they were learnt.
 */

/** A private key (PKCS #8, PEM) and the certificate that publishes its public half (PEM). */
export type KeyPair = { readonly privateKeyPem: string; readonly certificatePem: string };

/** Curfew, as one connection's identity provider sees it. */
export type ServiceProvider = {
  /** `<issuer>/saml/<connection>/metadata`: unlike any other connection's. */
  readonly entityId: string;
  /** Where responses are posted to. */
  readonly acsUrl: string;
  /** Where logout messages arrive, by redirect and by POST. */
  readonly sloUrl: string;
  readonly signing: KeyPair;
  /** For providers that encrypt assertions. Without it an encrypted assertion is refused. */
  readonly decryption?: KeyPair;
};

/** The identity provider of a connection, as its metadata describes it. */
export type SamlIdentityProvider = {
  readonly entityId: string;
  /** At least one of the two. */
  readonly sso: { readonly redirect?: string; readonly post?: string };
  readonly slo: {
    readonly redirect?: string;
    readonly post?: string;
    /** Where answers go by redirect, if elsewhere than `redirect`. */
    readonly responseLocation?: string;
  };
  /** Every signing certificate, PEM. While keys roll over there are two, and either may have signed. */
  readonly certificates: readonly string[];
  readonly wantsSignedRequests?: boolean;
  /** After this nothing above is trusted any more. */
  readonly validUntil?: Date;
};

export type SamlPolicy = {
  /** Whether the Response itself must be signed as well. One that is signed must be signed well, whatever this says. */
  readonly wantResponseSigned: boolean;
  /** Not to be relaxed: the assertion is what a person is let in by. */
  readonly wantAssertionsSigned: true;
  /** How far the other clock may be off, in either direction. */
  readonly clockSkewSeconds: number;
};

export const DEFAULT_POLICY: SamlPolicy = {
  wantResponseSigned: true,
  wantAssertionsSigned: true,
  clockSkewSeconds: 60,
};
