/**
 * Upstream identity providers, as an operator writes them down.
 *
 * Purpose: one strict shape for each kind, and the rules no single field can tell. Invariant: an accepted connection can be
 * asked for sign-ins: its addresses are https (http on loopback alone), its secrets and metadata were read, its id is its own.
 * It refuses to know what a provider answers.
 */
import { z } from 'zod';

import { rule } from './client-metadata.ts';
import { isLoopbackHost } from './loopback.ts';

const https = (text: string): boolean => {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname));
};
const address = (example: string) =>
  z.string().refine(https, rule('must be an https address (http on loopback)', `for example ${example}`));

const domain = z
  .string()
  .regex(
    /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be a domain in lower case, such as example.org; an international one in its xn-- form',
  );
const claim = z.string().min(1).max(200);

const Common = {
  id: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/, 'must be 1 to 32 of a-z, 0-9 and hyphens inside')
    .describe('Names the connection in addresses and commands. Never change it: people are known by it.'),
  name: z.string().min(1).max(80).describe('What people read on its button: Continue with NAME.'),
  domains: z
    .array(domain)
    .default([])
    .describe('E-mail domains whose people sign in here: whoever types such an address is sent there.'),
  admit: z
    .strictObject({
      emailDomains: z
        .array(domain)
        .default([])
        .describe('Only people with a verified e-mail address of these domains; everybody when empty.'),
      groups: z.array(z.string().min(1)).default([]).describe('Only members of one of these; everybody when empty.'),
    })
    .describe('Who of its people may sign in here.')
    .prefault({}),
  createAccounts: z
    .boolean()
    .default(true)
    .describe('Whether somebody who comes for the first time is given an account; else they must have been linked.'),
  trustEmail: z
    .boolean()
    .default(false)
    .describe(
      'Whether its verified e-mail addresses are believed: whoever comes with that of an account signs in to the account first, and the two are linked. Else addresses lead to no account.',
    ),
  reauthentication: z
    .enum(['verified', 'unable'])
    .default('verified')
    .describe(
      'After a sign-out people must authenticate again there, and that is verified. unable: the provider cannot prove it; people may come back by a session that is still open there.',
    ),
  claims: z
    .strictObject({
      subject: claim
        .optional()
        .describe('SAML only: the attribute that names a person for good, in place of the NameID.'),
      username: claim.optional().describe('Default: preferred_username; SAML: uid.'),
      email: claim.optional().describe('Default: email; SAML: mail.'),
      name: claim.optional().describe('Default: name; SAML: displayName.'),
      groups: claim.optional().describe('Default: groups; SAML: groups.'),
    })
    .describe('What its claims or attributes are called.')
    .prefault({}),
};

const OidcConnection = z.strictObject({
  ...Common,
  type: z.literal('oidc').describe('oidc: speaks OpenID Connect. saml: speaks SAML 2.0.'),
  issuer: address('https://login.acme.example').describe('Its issuer, exactly as it names itself.'),
  client_id: z.string().min(1).describe('What it calls Curfew.'),
  clientSecretFile: z.string().min(1).optional().describe('The file with the secret it gave out, on one line.'),
  scopes: z.array(z.string().min(1)).default(['openid', 'profile', 'email']).describe('What is asked of it.'),
});

const SamlConnection = z
  .strictObject({
    ...Common,
    type: z.literal('saml').describe('saml: speaks SAML 2.0. oidc: speaks OpenID Connect.'),
    metadataFile: z.string().min(1).optional().describe('Its metadata, as a file.'),
    metadataUrl: address('https://idp.corp.example/metadata').optional().describe('Or where it publishes them.'),
    entityId: z.string().min(1).optional().describe('Which one, where the metadata describes several.'),
    metadataCertificateFile: z
      .string()
      .min(1)
      .optional()
      .describe('The certificate (PEM) its published metadata are signed with; checked when given.'),
    wantResponseSigned: z
      .boolean()
      .default(true)
      .describe('Assertions must be signed always; with true the response around them as well.'),
  })
  .refine(({ metadataFile, metadataUrl }) => metadataFile !== undefined || metadataUrl !== undefined, {
    ...rule('must have metadataFile or metadataUrl', 'name one of them'),
    path: ['metadataFile'],
  })
  .refine(({ metadataFile, metadataUrl }) => metadataFile === undefined || metadataUrl === undefined, {
    ...rule('must have metadataFile or metadataUrl, not both', 'leave one of them out'),
    path: ['metadataFile'],
  });

export const Connection = z.discriminatedUnion('type', [OidcConnection, SamlConnection]);

/** A connection as the house uses it: secrets and metadata read. */
export type OidcConnectionEntry = Omit<z.output<typeof OidcConnection>, 'clientSecretFile'> & {
  readonly clientSecret: string | undefined;
};
export type SamlConnectionEntry = Omit<z.output<typeof SamlConnection>, 'metadataFile' | 'metadataCertificateFile'> & {
  /** The file's text, where it is a file. */
  readonly metadata: string | undefined;
  readonly metadataCertificate: string | undefined;
};
export type ConnectionEntry = OidcConnectionEntry | SamlConnectionEntry;
