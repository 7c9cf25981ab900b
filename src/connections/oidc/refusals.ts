/**
 * Why a sign-in at an upstream provider came to nothing, in words.
 *
 * Purpose: one closed list that pages, logs and tests share. Invariant: a `detail` is made of our own words, of the
 * library's fixed ones, and of what an operator configured; never of a token, and of a stranger's parameters only an error
 * code that a registry knows. It refuses to know what a person is shown.
 */

/** `provider-unreachable` is the only one that the same attempt at another time may overcome. */
export type SignInRefusalWord =
  // The callback.
  | 'malformed-callback'
  | 'state-mismatch'
  | 'issuer-mismatch'
  | 'provider-error'
  | 'code-missing'
  // The exchange.
  | 'exchange-refused'
  | IdTokenRefusalWord
  // When the person signed in there.
  | 'authentication-time-missing'
  | 'authentication-time-wrong'
  | 'stale-authentication'
  // UserInfo.
  | 'userinfo-refused'
  | 'userinfo-subject'
  | ProviderFailureWord;

export type IdTokenRefusalWord =
  | 'id-token-missing'
  | 'id-token-malformed'
  | 'id-token-algorithm'
  | 'id-token-issuer'
  | 'id-token-audience'
  | 'id-token-expired'
  | 'id-token-nonce'
  | 'id-token-signature';

/** Unreachable: no answer, or one that says "not now". Unusable: an answer that no OpenID Connect provider gives. */
export type ProviderFailureWord = 'provider-unreachable' | 'provider-unusable';

export type Refusal<Word extends string> = { readonly refused: Word; readonly detail: string };

export type SignInRefusal = Refusal<SignInRefusalWord> & {
  /** What the provider called it: with `provider-error` and `exchange-refused`, where it used a registered code. */
  readonly code?: RegisteredError;
};

// "OAuth Extensions Error" registry of IANA, and RFC 6749 §4.1.2.1 and §5.2.
const REGISTERED_ERRORS = [
  'access_denied',
  'account_selection_required',
  'consent_required',
  'interaction_required',
  'invalid_authorization_details',
  'invalid_client',
  'invalid_dpop_proof',
  'invalid_grant',
  'invalid_request',
  'invalid_request_object',
  'invalid_request_uri',
  'invalid_scope',
  'invalid_target',
  'login_required',
  'registration_not_supported',
  'request_not_supported',
  'request_uri_not_supported',
  'server_error',
  'temporarily_unavailable',
  'unauthorized_client',
  'unmet_authentication_requirements',
  'unsupported_grant_type',
  'unsupported_response_type',
  'use_dpop_nonce',
] as const;
export type RegisteredError = (typeof REGISTERED_ERRORS)[number];

/** The code if a registry knows it; anybody can put anything into a callback. */
export function registeredError(code: unknown): RegisteredError | undefined {
  return REGISTERED_ERRORS.find((registered) => registered === code);
}

/** A provider that cannot be talked to. Thrown inside this folder, a refusal at its edge. */
export class ProviderFailure extends Error {
  override readonly name = 'ProviderFailure';
  readonly refused: ProviderFailureWord;
  constructor(refused: ProviderFailureWord, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.refused = refused;
  }

  /** The failure that an error is, or that the library has wrapped in one of its own. */
  static in(error: unknown): ProviderFailure | undefined {
    for (let inner = error; inner instanceof Error; inner = inner.cause) {
      if (inner instanceof ProviderFailure) return inner;
    }
    return undefined;
  }
}

/** The refusal of a failure; everything else that was thrown is a fault, and is thrown on. */
export function refusalOf(error: unknown): Refusal<ProviderFailureWord> {
  const failure = ProviderFailure.in(error);
  if (failure === undefined) throw error;
  return { refused: failure.refused, detail: failure.message };
}
