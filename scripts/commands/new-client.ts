/** From what was typed to the metadata of a new Client, judged by the rules of the configuration and by the protocol library. */
import { readFileSync } from 'node:fs';

import { checkNewClient, type Core, randomSecret } from '../../src/compose.ts';
import { Refused } from '../terminal/outcome.ts';
import { harmless } from '../terminal/text.ts';

export type NewClientOptions = {
  id: string;
  name: string;
  redirectUri?: string[];
  postLogoutRedirectUri?: string[];
  backchannelLogoutUri?: string;
  sessionRequired?: boolean;
  public?: boolean;
  device?: boolean;
  firstParty?: boolean;
  introspects?: string[];
  metadataFile?: string;
};

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

/** The metadata as asked for; what was typed wins over the file. Throws Refused where the two cannot be one Client. */
export function metadataFrom(options: NewClientOptions): Record<string, unknown> {
  const file = options.metadataFile === undefined ? {} : readMetadata(options.metadataFile);
  const { id, name, redirectUri, postLogoutRedirectUri, introspects } = options;
  if (file['client_id'] !== undefined && file['client_id'] !== id) {
    throw new Refused('the metadata file names another client_id than --id', { fix: 'remove it from the file' });
  }
  const typed = {
    client_id: id,
    client_name: name,
    redirect_uris: redirectUri,
    post_logout_redirect_uris: postLogoutRedirectUri,
    backchannel_logout_uri: options.backchannelLogoutUri,
    backchannel_logout_session_required: options.sessionRequired,
    token_endpoint_auth_method: options.public === true ? 'none' : undefined,
    first_party: options.firstParty,
    introspects: introspects?.length === 1 && introspects[0] === 'all' ? 'all' : introspects,
  };
  const metadata = { ...file, ...Object.fromEntries(Object.entries(typed).filter(([, value]) => value !== undefined)) };
  return { ...whatFollows(metadata, options.device === true), ...metadata };
}

/**
 * The Client, fit to be kept, with a new secret if it needs one. Throws Refused with every problem that was found, or
 * with the protocol library's own.
 */
export async function settled(core: Core, written: Readonly<Record<string, unknown>>) {
  const method = written['token_endpoint_auth_method'];
  const needsSecret = method !== 'none' && method !== 'private_key_jwt';
  const secret = needsSecret ? randomSecret() : undefined;
  const known = (await core.clients.list()).map(({ metadata }) => metadata.client_id);
  const checked = checkNewClient(
    { ...written, ...(secret === undefined ? {} : { client_secret: secret }) },
    { allow: core.config.outbound.allow, known },
  );
  if ('problems' in checked) {
    const lines = checked.problems.map(({ path, problem, fix }) => `\n  ${path} ${problem}\n    fix: ${fix}`);
    throw new Refused(`this makes no client:${lines.join('')}`);
  }
  const { client, warnings } = checked;
  const refusal = await core.refuseClientMetadata(client);
  if (refusal !== null) {
    throw new Refused(`this makes no client: ${harmless(refusal)}`, {
      fix: 'correct it; config/example.yaml explains every field',
    });
  }
  return { metadata: { ...client }, secret, warnings };
}

/** What the rest of the metadata implies, for fields that were not written. */
function whatFollows(metadata: Record<string, unknown>, device: boolean): Record<string, unknown> {
  const uris = metadata['redirect_uris'];
  const redirects: unknown[] = Array.isArray(uris) ? uris : [];
  const grants = [
    ...(redirects.length > 0 ? ['authorization_code'] : []),
    ...(device ? [DEVICE_CODE] : []),
    ...(redirects.length > 0 || device ? ['refresh_token'] : []),
  ];
  if (grants.length === 0 && metadata['grant_types'] === undefined && metadata['introspects'] === undefined) {
    throw new Refused('nobody could sign in at this app', { fix: 'give it a --redirect-uri, or make it a --device' });
  }
  // A scheme of the app's own belongs to an installed app (RFC 8252 §7.1).
  const installed = redirects.some((uri) => !/^https?:/i.test(String(uri)));
  return {
    // A resource server that only introspects has tokens of nobody's but its own.
    grant_types: grants.length > 0 ? grants : ['client_credentials'],
    ...(installed ? { application_type: 'native' } : {}),
  };
}

function readMetadata(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const { code = 'unknown error' } = cause as NodeJS.ErrnoException;
    throw new Refused(`the metadata file ${file} cannot be read (${code})`, { fix: 'name a file that you may read' });
  }
  let metadata: unknown;
  try {
    metadata = JSON.parse(text);
  } catch {
    throw new Refused(`the metadata file ${file} is not JSON`, { fix: 'write one JSON object of client metadata' });
  }
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) {
    throw new Refused(`the metadata file ${file} is not a JSON object`, { fix: 'write {"redirect_uris": […], …}' });
  }
  if ('client_secret' in metadata || 'clientSecretFile' in metadata) {
    throw new Refused('a metadata file holds no secret', { fix: 'remove it: a secret is generated and shown once' });
  }
  return { ...metadata };
}
