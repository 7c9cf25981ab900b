/** `curfew connection show`: what is asked of a provider and known of it, and what it has to be told. Nobody is asked. */
import type { Core } from '../../src/compose.ts';
import type { ExitCode } from '../terminal/outcome.ts';
import { factLines } from '../terminal/table.ts';
import { instant } from './arguments.ts';
import type { House } from './house.ts';

type Settings = Core['config']['connections'][number];
type Sides = NonNullable<Awaited<ReturnType<Core['connections']['samlSides']>>>;
type Facts = readonly (readonly [string, string])[];

export async function showConnection({ core, terminal }: House, settings: Settings): Promise<ExitCode> {
  const { id, type, name, domains, admit, createAccounts, trustEmail, reauthentication } = settings;
  const sides = await core.connections.samlSides(id);
  const addresses = addressesOf(settings, core.config.issuer);
  terminal.printJson({
    id,
    type,
    name,
    domains,
    admit,
    createAccounts,
    trustEmail,
    reauthentication,
    addresses,
    certificates: sides?.provider.certificates.map(certificateJson) ?? [],
    provider: providerJson(settings, sides),
    nameIdFormat: sides?.ours.nameIdFormat ?? null,
    ownCertificates: sides?.ours.certificates.map(certificateJson) ?? [],
  });
  const asked: Facts = [
    ['id', id],
    ['type', type],
    ['name', name],
    ...providerFacts(settings, sides),
    ['domains', domains.join(', ') || 'none claimed'],
    ['admits', admitted(admit)],
    ['new people', createAccounts ? 'are given accounts' : 'must be linked'],
    ['its e-mail', trustEmail ? 'is believed where it is verified' : 'is not believed'],
    ['fresh sign-in', proof(reauthentication)],
  ];
  const told: Facts = [
    ...Object.entries(addresses),
    ...(sides === null
      ? []
      : [
          ['nameIdFormat', sides.ours.nameIdFormat] as const,
          ...sides.ours.certificates.map((each) => [`${each.use} certificate`, certificateText(each)] as const),
        ]),
  ];
  const bold = (text: string): string => terminal.style('bold', text);
  terminal.print(bold('What is known and asked of the provider'), ...factLines(asked).map(indented), '');
  terminal.print(bold('What to tell the provider'), ...factLines(told).map(indented));
  return 0;
}

export function proof(reauthentication: Settings['reauthentication']): string {
  return reauthentication === 'verified' ? 'demanded and verified' : 'cannot be proved by it';
}

function addressesOf({ id, type }: Settings, issuer: string): Record<string, string> {
  if (type === 'oidc') {
    return {
      redirectUri: `${issuer}/federation/${id}/callback`,
      backchannelLogoutUri: `${issuer}/federation/${id}/backchannel-logout`,
      postLogoutRedirectUri: `${issuer}/signed-out`,
    };
  }
  const entityId = `${issuer}/saml/${id}/metadata`;
  return { metadataUrl: entityId, entityId, acsUrl: `${issuer}/saml/${id}/acs`, sloUrl: `${issuer}/saml/${id}/slo` };
}

function providerJson(settings: Settings, sides: Sides | null): object {
  if (settings.type === 'oidc') return { issuer: settings.issuer, clientId: settings.client_id };
  return {
    entityId: sides?.provider.entityId ?? settings.entityId ?? null,
    metadataUrl: settings.metadataUrl ?? null,
    fetchedAt: sides?.provider.fetchedAt?.toISOString() ?? null,
    unknown: sides?.provider.unknown ?? null,
  };
}

function providerFacts(settings: Settings, sides: Sides | null): Facts {
  if (settings.type === 'oidc') {
    return [
      ['issuer', settings.issuer],
      ['client_id', settings.client_id],
    ];
  }
  const { entityId = null, fetchedAt = null, certificates = [], unknown = null } = sides?.provider ?? {};
  const from = settings.metadataUrl ?? 'a file';
  const next = settings.metadataUrl === undefined ? '' : `: \`curfew connection refresh ${settings.id}\``;
  const state =
    unknown !== null ? `; they ${unknown}${next}` : fetchedAt === null ? '' : `, fetched ${instant(fetchedAt)}`;
  return [
    ['entityId', entityId ?? settings.entityId ?? 'not known yet'],
    ['metadata', `${from}${state}`],
    ...certificates.map((each) => ['certificate', certificateText(each)] as const),
  ];
}

type Certificate = Sides['provider']['certificates'][number];

const certificateText = ({ fingerprint, validUntil }: Certificate): string =>
  `${fingerprint}, until ${instant(validUntil)}`;

const certificateJson = <Shown extends Certificate>(each: Shown) => ({
  ...each,
  validUntil: each.validUntil.toISOString(),
});

function admitted({ emailDomains, groups }: Settings['admit']): string {
  const rules = [
    ...(emailDomains.length > 0 ? [`verified addresses of ${emailDomains.join(', ')}`] : []),
    ...(groups.length > 0 ? [`members of ${groups.join(', ')}`] : []),
  ];
  return rules.join('; ') || 'everybody it knows';
}

const indented = (line: string): string => `  ${line}`;
