/**
 * What can be found out about a SAML provider before anybody signs in through it, for the operator.
 *
 * Invariant: it is the provider as it answers now that is told of, and where it does not, that what is kept is used. It
 * refuses to know how metadata are fetched, and how findings are shown.
 */
import type { SamlConnectionEntry } from '../config.ts';
import type { Finding } from './protocol.ts';
import { explainMetadata, readSamlMetadata, type Refreshed, type SamlState } from './saml-metadata.ts';
import { fingerprint, parseCertificate } from './saml/keys.ts';
import { PERSISTENT_FORMAT } from './saml/names.ts';
import type { SamlIdentityProvider } from './saml/party.ts';
import { isRefusal, refuse } from './saml/refusal.ts';

export type SamlCertificate = { readonly fingerprint: string; readonly validUntil: Date };

/** Both sides of a connection, as they are known without asking the provider. */
export type SamlSides = {
  readonly provider: {
    /** Null while there are no usable metadata of it. */
    readonly entityId: string | null;
    readonly signInUrl: string | null;
    readonly fetchedAt: Date | null;
    readonly certificates: readonly SamlCertificate[];
    /** Why nothing is known; goes on from "the metadata". */
    readonly unknown: string | null;
  };
  readonly ours: {
    readonly nameIdFormat: string;
    readonly certificates: readonly (SamlCertificate & { readonly use: 'signing' | 'encryption' })[];
  };
};

export function sidesOf(entry: SamlConnectionEntry, state: SamlState, now: Date): SamlSides {
  const document = entry.metadata ?? state.metadata;
  const read = document === null ? null : readSamlMetadata(entry, document, now);
  const idp = read === null || isRefusal(read) ? null : read.idp;
  const unknown =
    document === null
      ? 'have not been fetched yet'
      : read !== null && isRefusal(read)
        ? explainMetadata(read, document).why
        : null;
  return {
    provider: {
      entityId: idp?.entityId ?? null,
      signInUrl: idp === null ? null : (idp.sso.redirect ?? idp.sso.post ?? null),
      fetchedAt: entry.metadataUrl === undefined || state.fetchedAt === null ? null : new Date(state.fetchedAt),
      certificates: idp?.certificates.flatMap(describeCertificate) ?? [],
      unknown,
    },
    ours: {
      nameIdFormat: PERSISTENT_FORMAT,
      certificates: (
        [
          ['signing', state.signing],
          ['encryption', state.decryption],
        ] as const
      ).flatMap(([use, { certificatePem }]) => describeCertificate(certificatePem).map((each) => ({ use, ...each }))),
    },
  };
}

/** `state` as it is after `refreshed`. */
export function examineSaml(
  entry: SamlConnectionEntry,
  { state, refreshed, now }: { readonly state: SamlState; readonly refreshed: Refreshed; readonly now: Date },
): readonly Finding[] {
  const check = 'metadata';
  const document = entry.metadata ?? state.metadata;
  const read = document === null ? null : readSamlMetadata(entry, document, now);
  if (read === null || isRefusal(read)) {
    const { why, fix } =
      refreshed.kind === 'failed' ? refreshed : explainMetadata(read ?? NEVER_FETCHED, document ?? '');
    return [{ check, status: 'problem', found: why, fix }];
  }
  const at = state.fetchedAt === null ? '' : seconds(new Date(state.fetchedAt));
  const metadata: Finding =
    refreshed.kind === 'failed'
      ? { check, status: 'warning', found: `${refreshed.why}; those of ${at} are used`, fix: refreshed.fix }
      : refreshed.kind === 'file'
        ? { check, status: 'ok', found: `of ${read.idp.entityId}, from its file` }
        : { check, status: 'ok', found: `of ${read.idp.entityId}, fetched from ${entry.metadataUrl} at ${at}` };
  return [metadata, ...examineProvider(read.idp, now), ...examineChange(refreshed)];
}

const NEVER_FETCHED = refuse('metadata-not-fetched', 'not yet');

function examineProvider({ sso, slo, certificates }: SamlIdentityProvider, now: Date): Finding[] {
  return [
    { check: 'sign-in', status: 'ok', found: sso.redirect ?? sso.post ?? '' },
    slo.redirect === undefined
      ? { check: 'logout', status: 'warning', found: 'takes no logout messages by redirect' }
      : { check: 'logout', status: 'ok', found: slo.redirect },
    ...certificates.flatMap(describeCertificate).map(({ fingerprint, validUntil }): Finding => {
      const status = validUntil < now ? 'warning' : 'ok';
      return { check: 'certificate', status, found: `${fingerprint}, until ${seconds(validUntil)}` };
    }),
  ];
}

function examineChange(refreshed: Refreshed): Finding[] {
  if (refreshed.kind !== 'changed') return [];
  return refreshed.removed.map((print) => {
    return { check: 'certificate', status: 'warning', found: `${print} is listed no more, and not trusted any more` };
  });
}

function describeCertificate(certificate: string): SamlCertificate[] {
  const [print, parsed] = [fingerprint(certificate), parseCertificate(certificate)];
  return print === undefined || parsed === undefined
    ? []
    : [{ fingerprint: print, validUntil: new Date(parsed.validTo) }];
}

/** RFC 3339 in UTC, to the second. */
const seconds = (at: Date): string => at.toISOString().replace(/\.\d+Z$/, 'Z');
