/**
 * How each sealed text of the store is bound, asked of the room that seals it: what is sealed by one rule must not be sealed
 * anew by another.
 *
 * Invariant: a sealed text that no room has claimed is found all the same, and has no binding: it is told, and never left out
 * in silence. It refuses to know what is inside.
 */
import { accountSeal } from '../accounts/accounts.ts';
import { AUDIT_KEY_FACT, AUDIT_KEY_PURPOSE, auditKeyContext } from '../audit/audit-key.ts';
import { EVENT_PURPOSE, eventContext } from '../audit/details.ts';
import { credentialSeal } from '../authn/credentials.ts';
import { HALF_WAY_MODEL, halfWaySeal } from '../authn/half-way.ts';
import { MAILED_LINK_MODEL, mailedLinkSeal } from '../authn/mailed-links.ts';
import { ATTEMPT_MODELS, attemptSeal } from '../connections/attempts.ts';
import { identitySeal } from '../connections/identities.ts';
import { CONNECTION_KEYS, connectionKeysSeal } from '../connections/saml-states.ts';
import { UPSTREAM_ANSWER_MODELS, upstreamAnswerSeal } from '../connections/upstream-answers.ts';
import { UPSTREAM_SESSION_MODELS, upstreamSessionSeal } from '../connections/upstream-sessions.ts';
import { mailSeal } from '../mail/outbox.ts';
import { artifactSeal, SEALED_MODELS } from '../oidc/artifact-adapter.ts';
import { deviceSealOf } from '../oidc/device.ts';
import { WAITING_DEVICE_MODEL, waitingDeviceSeal } from '../oidc/returning-devices.ts';
import { FIRST_SIGNING_KEY, signingKeySeal } from '../oidc/signing-keys.ts';
import { type SealBinding, sealedWith } from '../platform/keyring.ts';
import type { CredentialKind } from '../store/credentials.ts';
import type { SealedCollection, SealedRow } from '../store/seals.ts';

/** A sealed value inside a text, which may be all of it. */
export type Sealed = { readonly value: string; readonly version: number; readonly binding: SealBinding | null };

type ArtifactSeal = (key: Uint8Array) => SealBinding;

const ARTIFACTS: ReadonlyMap<string, ArtifactSeal> = new Map<string, ArtifactSeal>([
  ...SEALED_MODELS.map((model): [string, ArtifactSeal] => [model, (key) => artifactSeal(model, key)]),
  ...ATTEMPT_MODELS.map((model): [string, ArtifactSeal] => [model, (key) => attemptSeal(model, key)]),
  ...UPSTREAM_ANSWER_MODELS.map((model): [string, ArtifactSeal] => [model, (key) => upstreamAnswerSeal(model, key)]),
  ...UPSTREAM_SESSION_MODELS.map((model): [string, ArtifactSeal] => [model, upstreamSessionSeal]),
  [HALF_WAY_MODEL, halfWaySeal],
  [MAILED_LINK_MODEL, mailedLinkSeal],
  [WAITING_DEVICE_MODEL, waitingDeviceSeal],
]);

const ACCOUNT_FIELDS: Readonly<Record<string, 'username' | 'email'>> = {
  sealedUsername: 'username',
  sealedEmail: 'email',
};

/** The sealed value in this text of this row; null where there is none. */
export function sealedIn(collection: SealedCollection, row: SealedRow, field: string): Sealed | null {
  const text = row.fields[field] ?? '';
  const version = sealedWith(text);
  if (version !== undefined) return { value: text, version, binding: bindingOf(collection, row, field) };
  // Whatever people and apps have written may look like anything; a fact is of our own making.
  return collection === 'facts' ? insideFact(row.id, text) : null;
}

function bindingOf(
  collection: SealedCollection,
  { id, kind, accountId }: SealedRow,
  field: string,
): SealBinding | null {
  switch (collection) {
    case 'facts':
      return id.startsWith(CONNECTION_KEYS) ? connectionKeysSeal(id.slice(CONNECTION_KEYS.length)) : null;
    case 'accounts': {
      const named = ACCOUNT_FIELDS[field];
      return named === undefined ? null : accountSeal(named, id);
    }
    case 'identities':
      return identitySeal(id);
    case 'credentials':
      return accountId === null ? null : credentialSeal({ id, accountId, kind: kind as CredentialKind });
    case 'connections':
      return null;
    case 'signingKeys':
      return signingKeySeal(id);
    case 'clientSessions':
      return deviceSealOf(id);
    case 'artifacts':
      return ARTIFACTS.get(kind ?? '')?.(Buffer.from(id, 'hex')) ?? null;
    case 'mails':
      return mailSeal(id);
    case 'events':
      return [EVENT_PURPOSE, eventContext(id)];
  }
}

function insideFact(fact: string, text: string): Sealed | null {
  const [value] = /v1\.[1-9]\d{0,9}\.[A-Za-z0-9_-]+/.exec(text) ?? [];
  const version = value === undefined ? undefined : sealedWith(value);
  if (value === undefined || version === undefined) return null;
  return { value, version, binding: bindingInFact(fact, text) };
}

function bindingInFact(fact: string, text: string): SealBinding | null {
  const kid = (): string => (JSON.parse(text) as { readonly kid: string }).kid;
  if (fact.startsWith(FIRST_SIGNING_KEY)) return signingKeySeal(kid());
  return fact === AUDIT_KEY_FACT ? [AUDIT_KEY_PURPOSE, auditKeyContext(kid())] : null;
}
