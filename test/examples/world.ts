/** Each test's world: a fresh stand-in issuer, the example programs started against it, and all of them gone after. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientMetadata } from 'oidc-provider';
import { afterAll, afterEach, beforeEach, vi } from 'vitest';
import { getJson, openBrowser, start, stopAll, until, type Browser, type Program } from './drive.ts';
import { startStandIn, type StandIn } from './stand-in-provider.ts';

export const SECRET = 'a-secret-of-more-than-thirty-two-characters';
const DEVICE_CLIENT: Pick<ClientMetadata, 'redirect_uris' | 'response_types' | 'grant_types'> = {
  redirect_uris: [],
  response_types: [],
  grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
};

type Flags = Record<string, string>;

export function useWorld() {
  // Every wait in these tests is bounded by itself, and starting programs takes a slow machine a while.
  vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });
  const folder = mkdtempSync(join(tmpdir(), 'examples-'));
  const secretFile = join(folder, 'secret');
  writeFileSync(secretFile, `${SECRET}\n`);
  let issuer: StandIn;
  beforeEach(async () => {
    issuer = await startStandIn();
  });
  afterEach(async () => {
    await stopAll();
    await issuer.goDown();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  return {
    folder,
    secretFile,
    get issuer() {
      return issuer;
    },

    async startPlayer(flags: Flags = {}): Promise<Program> {
      const nobody = 'http://localhost:9';
      const own = { issuer: issuer.issuer, 'client-secret-file': secretFile, 'media-server': nobody };
      const player = await start('web-player', { ...own, ...flags });
      issuer.register({
        client_id: 'lumen',
        client_secret: SECRET,
        redirect_uris: [`${player.url}/callback`],
        post_logout_redirect_uris: [`${player.url}/signed-out`],
        backchannel_logout_uri: `${player.url}/backchannel-logout`,
        backchannel_logout_session_required: true,
        response_types: ['code'],
        grant_types: ['authorization_code', 'refresh_token'],
      });
      return player;
    },

    startTv(flags: Flags = {}): Promise<Program> {
      issuer.register({ ...DEVICE_CLIENT, client_id: 'tv', token_endpoint_auth_method: 'none' });
      return start('tv', { issuer: issuer.issuer, 'refresh-seconds': '0.2', ...flags });
    },

    startMediaServer(data: string, flags: Flags = {}): Promise<Program> {
      issuer.register({ ...DEVICE_CLIENT, client_id: 'media-server', client_secret: SECRET });
      const own = { issuer: issuer.issuer, 'client-secret-file': secretFile, data };
      return start('media-server', { ...own, 'refresh-seconds': '0.2', 'cache-seconds': '0', ...flags });
    },

    /** Its people's password and its application's secret are the same text. */
    startCompany: (flags: Flags = {}): Promise<Program> =>
      start('company', { 'password-file': secretFile, 'client-secret-file': secretFile, ...flags }),
  };
}

export async function signIn(player: Program): Promise<Browser> {
  const browser = openBrowser();
  const page = await browser.get(`${player.url}/login`);
  if (page.status !== 200 || page.url !== `${player.url}/`)
    throw new Error(`no sign-in: ${page.status} at ${page.url}`);
  return browser;
}

/** What the issuer does at the back channel. */
export function tell(player: Program, logoutToken: string): Promise<Response> {
  const body = new URLSearchParams({ logout_token: logoutToken });
  return fetch(`${player.url}/backchannel-logout`, { method: 'POST', body });
}

/** The code on display, once it is another than this one. */
export function codeOf(device: Program, except?: string): Promise<string> {
  return until('a code is shown', async () => {
    const { userCode } = await getJson(`${device.url}/state`);
    return typeof userCode === 'string' && userCode !== except && userCode;
  });
}

export function reaches(device: Program, state: string): Promise<Record<string, unknown>> {
  return until(`the state is ${state}`, async () => {
    const answer = await getJson(`${device.url}/state`);
    return answer.state === state && answer;
  });
}
