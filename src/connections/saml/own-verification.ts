/**
 * The signatures of a Response that the library cannot verify: made with SHA-384, or by an elliptic key.
 *
 * Purpose: the library's part, and no more of it: from an envelope that has been examined to the assertion that was signed.
 * Invariant: every signature there is must verify, the outer one first, and each is looked for in what the one around it
 * vouches for. It refuses to know who the person is.
 */
import { decryptElement } from './decryption.ts';
import { theAssertion } from './envelope.ts';
import { type Admitted, MESSAGE_LIMITS } from './guard.ts';
import type { SamlIdentityProvider, ServiceProvider } from './party.ts';
import { isRefusal, refuse, type SamlRefusal } from './refusal.ts';
import { signatureOf, verifyElement, verifyRoot } from './signature.ts';

export function verifyOurselves(
  envelope: Admitted,
  { sp, idp }: { readonly sp: ServiceProvider; readonly idp: SamlIdentityProvider },
): { readonly assertion: string } | SamlRefusal {
  const { certificates } = idp;
  const isSigned = signatureOf(envelope.root) !== undefined;
  const response = isSigned ? verifyRoot(envelope, certificates, MESSAGE_LIMITS) : envelope;
  if (isRefusal(response)) return response;
  const found = theAssertion(response.root);
  if (isRefusal(found)) return found;
  const holder = found.localName === 'EncryptedAssertion' ? opened(found, sp, isSigned) : { ...response, found };
  if (isRefusal(holder)) return holder;
  const signed = verifyElement(holder, holder.found, certificates, MESSAGE_LIMITS);
  return isRefusal(signed) ? signed : { assertion: signed.text };
}

function opened(
  encrypted: Element,
  { decryption }: ServiceProvider,
  isSigned: boolean,
): (Admitted & { readonly found: Element }) | SamlRefusal {
  if (decryption === undefined) {
    return refuse('no-decryption-key', 'the assertion is encrypted, and this connection has no key to open it');
  }
  const { privateKeyPem } = decryption;
  const inside = decryptElement(encrypted, { privateKeyPem, written: isSigned ? 'by-provider' : 'by-anybody' });
  if (isRefusal(inside)) return inside;
  const found = theAssertion(inside.root);
  return isRefusal(found) ? found : { ...inside, found };
}
