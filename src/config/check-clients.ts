/**
 * What must be true of Clients together.
 *
 * Purpose: the rules that no single field can tell: a secret where one is needed and nowhere else, redirect URIs that fit the
 * kind of app, names that are unique and known. Invariant: every Client is looked at, whatever is wrong with the others, and
 * no message holds a secret. It refuses to know how a secret is read.
 */
import { type ClientEntry, ClientMetadata } from './client-metadata.ts';
import { type ConfigProblem, isLoopbackHost } from '../config.ts';
import { allowed, parseAllowEntry, specialRange, withoutBrackets } from '../platform/addresses.ts';

/** Reads a `clientSecretFile`: its one line, or why not. */
export type ReadSecret = (file: string) => { secret: string } | { problem: string; fix: string };

/** Clients that are fit to register, what is wrong with the rest, and what ought to be looked at. */
export type CheckedClients = { clients: ClientEntry[]; problems: ConfigProblem[]; warnings: ConfigProblem[] };

// Below this a secret read from a stolen database's hash could be guessed.
const SHORTEST_SECRET = 24;

/**
 * Checks the `clients` of a configuration, as written. What the schema alone refuses is left to the schema's own messages;
 * `allow` is `outbound.allow`, as written.
 */
export function checkClients(
  written: unknown,
  { allow, readSecret }: { allow: unknown; readSecret: ReadSecret },
): CheckedClients {
  const checked: CheckedClients = { clients: [], problems: [], warnings: [] };
  if (!Array.isArray(written)) return checked;
  const ids = written.map((client: unknown) => (isRecord(client) ? client.client_id : undefined));
  const reachable = privateHostRule(allow);
  for (const [at, client] of written.entries()) {
    const path = `clients[${at}]`;
    const problem = (field: string, text: string, fix: string): void => {
      checked.problems.push({ path: `${path}.${field}`, problem: text, fix });
    };
    const warning = (field: string, text: string, fix: string): void => {
      checked.warnings.push({ path: `${path}.${field}`, problem: text, fix });
    };
    if (!isRecord(client)) continue;
    if (typeof client.client_id === 'string' && ids.indexOf(client.client_id) < at) {
      problem(
        'client_id',
        `is already the id of clients[${ids.indexOf(client.client_id)}]`,
        'give each client its own',
      );
    }
    const file = client.clientSecretFile;
    const read = typeof file === 'string' && file !== '' ? readSecret(file) : undefined;
    if (read && 'problem' in read) problem('clientSecretFile', read.problem, read.fix);

    const parsed = ClientMetadata.safeParse(client);
    if (!parsed.success) continue;
    const { clientSecretFile: _, response_types, ...metadata } = parsed.data;
    const uses = (grant: string): boolean => metadata.grant_types.some((each) => each === grant);
    const entry: ClientEntry = {
      ...metadata,
      response_types: response_types ?? (uses('authorization_code') ? ['code'] : []),
      ...(read && 'secret' in read && { client_secret: read.secret }),
    };
    checked.clients.push(entry);

    const method = entry.token_endpoint_auth_method;
    const givesSecret = entry.client_secret !== undefined || read !== undefined;
    const needsSecret = method === 'client_secret_basic' || method === 'client_secret_post';
    if (client.client_secret !== undefined && read) {
      problem('client_secret', 'is given twice, here and in clientSecretFile', 'remove client_secret');
    } else if (needsSecret && !givesSecret) {
      problem(
        'clientSecretFile',
        `is missing: ${method} needs a secret`,
        'add clientSecretFile, or token_endpoint_auth_method: none for an app that cannot keep one',
      );
    } else if (!needsSecret && givesSecret) {
      const field = read ? 'clientSecretFile' : 'client_secret';
      problem(
        field,
        `is never used with token_endpoint_auth_method ${method}`,
        'remove the secret, or change the method',
      );
    }
    if (client.client_secret !== undefined) {
      warning(
        'client_secret',
        'is in the configuration itself',
        'for production, put it in a file and name it in clientSecretFile',
      );
    }
    if (needsSecret && entry.client_secret !== undefined && entry.client_secret.length < SHORTEST_SECRET) {
      const field = read ? 'clientSecretFile' : 'client_secret';
      warning(
        field,
        `is shorter than ${SHORTEST_SECRET} characters, so it could be guessed`,
        'openssl rand -base64 32',
      );
    }
    if (method === 'private_key_jwt' && !entry.jwks && !entry.jwks_uri) {
      problem('jwks', 'is missing: private_key_jwt needs the public keys', 'add jwks or jwks_uri');
    }
    if (entry.jwks && entry.jwks_uri) problem('jwks_uri', 'is given beside jwks', 'keep one of the two');

    if (entry.response_types.length > 0 !== uses('authorization_code')) {
      problem(
        'response_types',
        'does not fit grant_types: code and authorization_code belong together',
        'list both, or neither',
      );
    } else if (entry.response_types.length > 0 && entry.redirect_uris.length === 0) {
      problem(
        'redirect_uris',
        'is empty, so no sign-in could return',
        "list the app's redirect URIs; a device-only client has grant_types without authorization_code",
      );
    }
    for (const [index, uri] of entry.redirect_uris.entries()) {
      const refusal = refuseRedirect(uri, entry.application_type);
      if (refusal) problem(`redirect_uris[${index}]`, refusal.problem, refusal.fix);
      else if (uri.startsWith('http:') && !isLoopbackHost(new URL(uri).hostname)) {
        warning(`redirect_uris[${index}]`, 'is http: codes can be read on the way', 'use https');
      }
    }

    if (entry.introspects !== undefined && method === 'none') {
      problem(
        'introspects',
        'is given to a public client',
        'a resource server proves itself: give it a secret or a key',
      );
    }
    for (const [index, id] of (entry.introspects === 'all' ? [] : (entry.introspects ?? [])).entries()) {
      if (ids.includes(id)) continue;
      problem(`introspects[${index}]`, 'names no configured client', 'correct the client id, or remove it');
    }

    for (const field of ['backchannel_logout_uri', 'jwks_uri', 'sector_identifier_uri'] as const) {
      const uri = entry[field];
      const range = uri === undefined ? undefined : reachable(uri);
      if (range === undefined) continue;
      warning(
        field,
        `is at a ${range} address, which calls are refused to`,
        'list its host or network in outbound.allow',
      );
    }
  }
  return checked;
}

// Native: RFC 8252 §7.1 (a scheme of the app's own), §7.3 (loopback). Web: the browser must get there.
function refuseRedirect(uri: string, type: 'web' | 'native'): { problem: string; fix: string } | undefined {
  const { protocol, hostname } = new URL(uri);
  const web = protocol === 'https:' || protocol === 'http:';
  if (type === 'web') {
    return web
      ? undefined
      : { problem: 'is not http or https', fix: 'for an installed app, say application_type: native' };
  }
  if (protocol === 'http:' && !isLoopbackHost(hostname)) {
    return { problem: 'is http to another machine', fix: 'a native app uses loopback, https, or a scheme of its own' };
  }
  return web || protocol.includes('.')
    ? undefined
    : { problem: 'has a scheme that any app may claim', fix: 'use a reversed domain name: com.example.app:/callback' };
}

// Only what is plain from the file: names are resolved when they are called.
function privateHostRule(written: unknown): (uri: string) => string | undefined {
  const entries = (Array.isArray(written) ? written : []).filter((entry): entry is string => {
    return typeof entry === 'string' && parseAllowEntry(entry) !== undefined;
  });
  const opened = allowed(entries);
  return (uri) => {
    const host = withoutBrackets(new URL(uri).hostname);
    if (opened.host(host) || opened.address(host)) return undefined;
    // On this machine's own names, which resolve to loopback addresses that a listed network may cover.
    if (isLoopbackHost(host)) return opened.address('127.0.0.1') || opened.address('::1') ? undefined : 'loopback';
    return /^[\d.]+$/.test(host) || host.includes(':') ? specialRange(host) : undefined;
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
