/** A media server at home: `node examples/media-server/server.ts --client-secret-file FILE --data FOLDER`. */
import { ClientSecretBasic } from 'openid-client';
import { startDevice } from '../shared/device.ts';
import { findIssuer } from '../shared/issuer.ts';
import { readFlags, readPort, readSeconds, readSecretFile, readUrl, serve, usageError } from '../shared/serve.ts';
import { createApp } from './app.ts';
import { attachmentFile, idTokenFile, loadIdentity, type Identity } from './files.ts';
import { createTokenCheck } from './token-check.ts';

const flags = readFlags({
  name: { type: 'string', default: 'Living-room library' },
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '3004' },
  issuer: { type: 'string', default: 'http://localhost:3000' },
  'client-id': { type: 'string', default: 'media-server' },
  'client-secret-file': { type: 'string' },
  data: { type: 'string' },
  'refresh-seconds': { type: 'string', default: '20' },
  'cache-seconds': { type: 'string', default: '2' },
});

const { host, data: folder, 'client-id': clientId } = flags;
const port = readPort(flags.port);
const url = readUrl('issuer', flags.issuer);
const refreshSeconds = readSeconds('refresh-seconds', flags['refresh-seconds'], { min: 0.1, max: 86_400 });
// After a sign-out a token must not open the shelf for longer than anyone would notice.
const cacheSeconds = readSeconds('cache-seconds', flags['cache-seconds'], { min: 0, max: 5 });
const clientSecret = readSecretFile(flags['client-secret-file']);
if (!folder) usageError('--data is missing: the folder that holds who this server is');

function identityIn(folder: string): Identity {
  try {
    return loadIdentity({ folder, name: flags.name });
  } catch (error) {
    return usageError(`--data ${folder}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const identity = identityIn(folder);
const attachments = attachmentFile({ folder, issuer: url.href, clientId });
const idTokens = idTokenFile({ folder, issuer: url.href, clientId });
const issuer = findIssuer({ url, clientId, auth: ClientSecretBasic(clientSecret), device: identity.name });
const device = startDevice({
  issuer,
  refreshSeconds,
  attachment: attachments.load(),
  keep: attachments.keep,
  lastIdToken: idTokens.load(),
  keepIdToken: idTokens.keep,
});
const checkToken = createTokenCheck({ issuer, cacheSeconds });

serve({
  name: identity.name,
  host,
  port,
  app: () => createApp({ identity, device, checkToken }),
  stop: () => device.stop(),
});
