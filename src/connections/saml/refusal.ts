/**
 * Why a message is turned away.
 *
 * Purpose: one closed set of words for callers to switch on and tests to name. Invariant: a `detail` is for an operator's
 * log and is made of our own words and numbers, never of the message's: no name, no address, no XML. It refuses to know
 * what a person is shown.
 */

/** Said of the text, before it means anything. */
type TextRefusal =
  | 'too-large'
  | 'not-base64'
  | 'not-deflated'
  | 'not-utf8'
  | 'doctype'
  | 'comment'
  | 'cdata'
  | 'processing-instruction'
  | 'not-well-formed'
  | 'several-roots'
  | 'too-deep'
  | 'too-many-nodes'
  | 'duplicate-id';

/** Said of signatures and encryption. */
type SealRefusal =
  | 'unsigned'
  | 'unsigned-response'
  | 'unsigned-assertion'
  | 'misplaced-signature'
  | 'signature-shape'
  | 'signature-reference'
  | 'signature-algorithm'
  | 'bad-signature'
  | 'no-usable-certificate'
  | 'no-decryption-key'
  | 'encryption-shape'
  | 'encryption-algorithm'
  | 'undecryptable';

/** Said of what any message claims. */
type MessageRefusal =
  | 'unexpected-message'
  | 'wrong-version'
  | 'wrong-issuer'
  | 'wrong-destination'
  | 'unsolicited'
  | 'wrong-in-response-to'
  | 'expired'
  | 'not-yet-valid'
  | 'no-name-id'
  | 'ambiguous-name-id';

/** Said of a sign-in. */
type SignInRefusal =
  | 'expired-attempt'
  | 'status-not-success'
  | 'assertion-count'
  | 'no-bearer-confirmation'
  | 'wrong-recipient'
  | 'bad-conditions'
  | 'wrong-audience'
  | 'bad-authn-statement'
  | 'session-over'
  | 'stale-authentication'
  | 'refused-by-library';

/** Said of a query string. */
type QueryRefusal = 'duplicate-parameter' | 'unexpected-parameter' | 'malformed-parameter';

/** Said of metadata. */
type MetadataRefusal =
  | 'metadata-not-fetched'
  | 'not-metadata'
  | 'no-identity-provider'
  | 'several-identity-providers'
  | 'no-sign-on-endpoint'
  | 'unsafe-location'
  | 'no-certificate'
  | 'bad-certificate'
  | 'weak-key'
  | 'expired-metadata'
  | 'unsigned-metadata';

export type SamlRefusalWord =
  TextRefusal | SealRefusal | MessageRefusal | SignInRefusal | QueryRefusal | MetadataRefusal;

export type SamlRefusal = { readonly refused: SamlRefusalWord; readonly detail: string };

export const refuse = (refused: SamlRefusalWord, detail: string): SamlRefusal => ({ refused, detail });

export const isRefusal = (answer: object): answer is SamlRefusal => 'refused' in answer;
