/**
 * SimpleSAMLphp's configuration, as an operator of a company's identity provider would have it: people in a list, everything
 * signed with SHA-256 that can be, and every signature of a service provider's demanded and verified.
 *
 * The settings are its own, by their own names. They lie in JSON, and the PHP files that it looks for read them anew with
 * every request, so a change holds from the next one on.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { KeyPair } from '../../../src/connections/saml/party.ts';

export type Employee = {
  readonly username: string;
  readonly password: string;
  readonly attributes: Readonly<Record<string, string>>;
};

/** What may change while it runs. */
export type Settings = {
  readonly people: readonly Employee[];
  /** What it signs with. */
  readonly signing: KeyPair;
  /** Published beside that, and not used yet. */
  readonly next?: KeyPair | undefined;
  /** Besides what they assert. */
  readonly signsResponses: boolean;
  readonly encryptsAssertions: boolean;
  /** Metadata of the service provider that people may be sent back to. */
  readonly serviceProvider?: string;
};

const RSA_SHA256 = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';

/** Into a folder of its own, for the first time or again; it is served at `baseUrl`. */
export function writeSettings(folder: string, baseUrl: string, settings: Settings): void {
  const { people, signing, next, signsResponses, encryptsAssertions, serviceProvider } = settings;
  for (const each of ['metadata', 'certificates', 'temporary', 'data', 'log', 'sessions']) {
    mkdirSync(join(folder, each), { recursive: true });
  }
  const put = (path: string, content: string): void => writeFileSync(join(folder, path), content);
  const putPhp = (path: string, variable: string, value: unknown): void => {
    put(`${path}.json`, JSON.stringify(value));
    put(
      `${path}.php`,
      `<?php\n${variable} = json_decode(file_get_contents(__DIR__ . '/${path.split('/').at(-1)}.json'), true);\n`,
    );
  };
  for (const [name, pair] of Object.entries({ signing, ...(next && { next }) })) {
    put(`certificates/${name}.pem`, pair.privateKeyPem);
    put(`certificates/${name}.crt`, pair.certificatePem);
  }
  if (serviceProvider !== undefined) put('service-provider.xml', serviceProvider);

  putPhp('config', '$config', {
    baseurlpath: `${baseUrl}/`,
    certdir: join(folder, 'certificates/'),
    loggingdir: join(folder, 'log/'),
    datadir: join(folder, 'data/'),
    tempdir: join(folder, 'temporary'),
    metadatadir: join(folder, 'metadata/'),
    secretsalt: 'what persistent names are made with',
    'auth.adminpassword': 'nobody administers it by a page',
    timezone: 'UTC',
    'logging.format': '%process %level %msg',
    'logging.handler': 'errorlog',
    'logging.level': 5,
    'statistics.out': [{ class: 'core:Log', level: 'notice' }],
    'enable.saml20-idp': true,
    'module.enable': { exampleauth: true },
    'session.cookie.secure': false,
    'session.cookie.samesite': 'Lax',
    'session.phpsession.savepath': join(folder, 'sessions'),
    'session.phpsession.httponly': true,
    'language.default': 'en',
    'language.cookie.secure': false,
    'store.type': 'phpsession',
    'metadata.sources': [
      { type: 'flatfile' },
      ...(serviceProvider === undefined ? [] : [{ type: 'xml', file: join(folder, 'service-provider.xml') }]),
    ],
  });
  putPhp('authsources', '$config', {
    people: {
      0: 'exampleauth:UserPass',
      ...Object.fromEntries(
        people.map(({ username, password, attributes }) => [`${username}:${password}`, attributes]),
      ),
    },
  });
  putPhp('metadata/saml20-idp-hosted', '$metadata', {
    '__DYNAMIC:1__': {
      host: '__DEFAULT__',
      auth: 'people',
      privatekey: 'signing.pem',
      certificate: 'signing.crt',
      ...(next && { new_privatekey: 'next.pem', new_certificate: 'next.crt' }),
      'signature.algorithm': RSA_SHA256,
      'saml20.sign.response': signsResponses,
      'saml20.sign.assertion': true,
      'sign.logout': true,
      'validate.authnrequest': true,
      'validate.logout': true,
      'assertion.encryption': encryptsAssertions,
      // The same name for the same person each time, and another one for each service provider.
      authproc: { 10: { class: 'saml:PersistentNameID', attribute: 'uid' } },
    },
  });
}
