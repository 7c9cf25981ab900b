/** A company with a sign-in of its own: `node examples/company/server.ts --password-file FILE --client-secret-file FILE …`. */
import { readFlags, readPort, readSecretFile, readUrl, serve } from '../shared/serve.ts';
import { createApp } from './app.ts';
import { createPeople } from './people.ts';
import { createProvider } from './provider.ts';
import { createSaml } from './saml.ts';
import { createKeyPair } from './saml/keys.ts';
import { createPartner } from './saml/partner.ts';
import { createSessions } from './sessions.ts';
import { createSignOuts } from './sign-outs.ts';

const flags = readFlags({
  name: { type: 'string', default: 'Pinwhistle Pictures' },
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '3005' },
  'password-file': { type: 'string' },
  'client-id': { type: 'string', default: 'curfew' },
  'client-name': { type: 'string', default: 'Curfew' },
  'client-secret-file': { type: 'string' },
  'redirect-uri': { type: 'string', default: 'http://localhost:3000/federation/company/callback' },
  'post-logout-redirect-uri': { type: 'string', default: 'http://localhost:3000/signed-out' },
  'backchannel-logout-uri': {
    type: 'string',
    default: 'http://localhost:3000/federation/company/backchannel-logout',
  },
  'saml-metadata-url': { type: 'string', default: 'http://localhost:3000/saml/company-saml/metadata' },
});

const { name, host } = flags;
const port = readPort(flags.port);
const people = createPeople({ password: readSecretFile(flags['password-file'], 'password') });
const client = {
  id: flags['client-id'],
  name: flags['client-name'],
  secret: readSecretFile(flags['client-secret-file']),
  redirectUri: readUrl('redirect-uri', flags['redirect-uri']).href,
  postLogoutRedirectUri: readUrl('post-logout-redirect-uri', flags['post-logout-redirect-uri']).href,
  backchannelLogoutUri: readUrl('backchannel-logout-uri', flags['backchannel-logout-uri']).href,
};
const partner = createPartner({
  name: client.name,
  metadataUrl: readUrl('saml-metadata-url', flags['saml-metadata-url']),
});
const now = () => new Date();
const keys = createKeyPair({ commonName: host, now: now() });

serve({
  name,
  host,
  port,
  app(url) {
    const company = { name, url };
    const provider = createProvider({ company, people, client });
    const sessions = createSessions({ provider, people });
    const signOuts = createSignOuts({ now });
    const saml = createSaml({ company, keys, partner, now });
    return createApp({ company, people, provider, sessions, signOuts, saml });
  },
});
