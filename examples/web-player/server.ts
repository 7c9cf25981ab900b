/** A media player as a web app: `node examples/web-player/server.ts --client-id lumen --client-secret-file FILE`. */
import { ClientSecretBasic } from 'openid-client';
import { findIssuer } from '../shared/issuer.ts';
import { readFlags, readPort, readSecretFile, readUrl, serve, usageError } from '../shared/serve.ts';
import { createApp } from './app.ts';
import { createSessions } from './sessions.ts';
import { createSignIn } from './sign-in.ts';

const flags = readFlags({
  name: { type: 'string', default: 'Lumen' },
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '3001' },
  issuer: { type: 'string', default: 'http://localhost:3000' },
  'client-id': { type: 'string', default: 'lumen' },
  'client-secret-file': { type: 'string' },
  'session-required': { type: 'string', default: 'true' },
  'media-server': { type: 'string', default: 'http://localhost:3004' },
});

const { name, host, 'client-id': clientId, 'session-required': sessionRequired } = flags;
if (sessionRequired !== 'true' && sessionRequired !== 'false') usageError('--session-required: must be true or false');
const port = readPort(flags.port);
const issuerUrl = readUrl('issuer', flags.issuer);
const mediaServer = readUrl('media-server', flags['media-server']);
const clientSecret = readSecretFile(flags['client-secret-file']);

const now = () => new Date();
const issuer = findIssuer({ url: issuerUrl, clientId, auth: ClientSecretBasic(clientSecret) });
const sessions = createSessions({ now });

serve({
  name,
  host,
  port,
  app(url) {
    const signIn = createSignIn({ url, sessions, sessionRequired: sessionRequired === 'true', now });
    return createApp({ name, url, clientId, issuer, issuerUrl, mediaServer, sessions, signIn, now });
  },
});
