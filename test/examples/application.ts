/**
 * An application at the company, by both protocols: Curfew's own SAML code around a small server that records what it is told.
 * A test may bend what it asks for before it is signed.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { decodeJwt, type JWTPayload } from 'jose';

import { createKeyPair } from '../../src/connections/saml/certificate.ts';
import { logoutRequest, logoutResponse } from '../../src/connections/saml/logout-outbound.ts';
import { verifyLogoutRequest, verifyLogoutResponse } from '../../src/connections/saml/logout.ts';
import { parseMetadata } from '../../src/connections/saml/metadata.ts';
import { DEFAULT_POLICY, type SamlIdentityProvider, type ServiceProvider } from '../../src/connections/saml/party.ts';
import { isRefusal } from '../../src/connections/saml/refusal.ts';
import { authnRequest } from '../../src/connections/saml/request.ts';
import { verifyResponse } from '../../src/connections/saml/response.ts';
import { serviceProviderMetadata } from '../../src/connections/saml/sp-metadata.ts';
import { freePort } from '../support/world.ts';
import type { Answer, Browser, Program } from './drive.ts';

const newId = (): string => `_${randomBytes(16).toString('hex')}`;

export type Application = Awaited<ReturnType<typeof startApplication>>;

export async function startApplication() {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  // With every character that means something in XML.
  const entityId = `${url}/saml?<of>="1"&'more'`;
  const pair = (use: 'signing' | 'encryption') => createKeyPair({ entityId, use, now: new Date() });
  const [signing, decryption] = await Promise.all([pair('signing'), pair('encryption')]);
  const sp: ServiceProvider = { entityId, acsUrl: `${url}/acs`, sloUrl: `${url}/slo`, signing, decryption };
  const told: { backChannel: JWTPayload[]; saml: unknown[] } = { backChannel: [], saml: [] };
  let company: SamlIdentityProvider | undefined;
  let backChannelStatus = 200;

  const server = createServer((req, res) => {
    const { pathname, search } = new URL(req.url ?? '', url);
    if (pathname === '/metadata') return void res.end(serviceProviderMetadata(sp));
    if (pathname === '/backchannel-logout') {
      let body = '';
      req.on('data', (chunk) => (body += String(chunk)));
      req.on('end', () => {
        told.backChannel.push(decodeJwt(new URLSearchParams(body).get('logout_token') ?? ''));
        res.writeHead(backChannelStatus).end();
      });
      return;
    }
    if (pathname !== '/slo' || company === undefined) return void res.end('here');
    const now = new Date();
    const heard = verifyLogoutRequest({
      sp,
      idp: company,
      message: { binding: 'redirect', query: search.slice(1) },
      now,
    });
    told.saml.push(heard);
    if (isRefusal(heard)) return void res.writeHead(400).end();
    const { id: inResponseTo, relayState } = heard;
    const answer = logoutResponse({ sp, idp: company, id: newId(), inResponseTo, relayState, status: 'Success', now });
    if ('url' in answer) res.writeHead(303, { location: answer.url }).end();
  });
  const listen = (): Promise<void> => new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen();

  async function provider({ url: at }: Program): Promise<SamlIdentityProvider> {
    const document = await (await fetch(`${at}/saml/metadata`)).text();
    const parsed = parseMetadata({ document, now: new Date() });
    if (isRefusal(parsed)) throw new Error(`${parsed.refused}: ${parsed.detail}`);
    return (company = parsed.idp);
  }

  return {
    sp,
    told,
    /** What the company is started with to know this application. */
    flags: {
      'redirect-uri': `${url}/callback`,
      'post-logout-redirect-uri': `${url}/left`,
      'backchannel-logout-uri': `${url}/backchannel-logout`,
      'saml-metadata-url': `${url}/metadata`,
    },
    answerBackChannelWith: (status: number) => void (backChannelStatus = status),

    authorization(at: Program, parameters: Record<string, string> = {}): string {
      const verifier = randomBytes(32).toString('base64url');
      const query = new URLSearchParams({
        client_id: 'curfew',
        redirect_uri: `${url}/callback`,
        response_type: 'code',
        scope: 'openid',
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
        ...parameters,
      });
      return `${at.url}/auth?${query}`;
    },

    async samlRequest(at: Program, bent: Partial<Parameters<typeof authnRequest>[0]> = {}) {
      const requestId = newId();
      const idp = await provider(at);
      const asked = { sp, idp, requestId, relayState: 'a "relay" <state>', forced: false, now: new Date(), ...bent };
      const request = authnRequest(asked);
      if (request.binding !== 'redirect') throw new Error('not by redirect');
      return { url: request.url, requestId, requestedAt: asked.now, forced: asked.forced };
    },

    /** Reads the form with the company's answer as Curfew would. */
    async readAnswer(at: Program, page: Answer, attempt: { requestId: string; requestedAt: Date; forced: boolean }) {
      const field = (name: string): string => new RegExp(`name="${name}" value="([^"]*)"`).exec(page.text)?.[1] ?? '';
      const action = /<form method="post" action="([^"]*)"/.exec(page.text)?.[1];
      const identity = await verifyResponse({
        sp,
        idp: await provider(at),
        policy: DEFAULT_POLICY,
        attempt,
        samlResponse: field('SAMLResponse'),
        now: new Date(),
      });
      return { action, relayState: field('RelayState'), identity };
    },

    async samlLogout(at: Program, nameId: string, bent: Partial<Parameters<typeof logoutRequest>[0]> = {}) {
      const idp = await provider(at);
      const id = newId();
      const format = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent';
      const name = { nameId, nameIdFormat: format, nameQualifier: undefined, spNameQualifier: undefined };
      const sent = logoutRequest({ sp, idp, id, nameId: name, sessionIndex: undefined, now: new Date(), ...bent });
      if (!('url' in sent)) throw new Error('nowhere to send it');
      return { url: sent.url, id };
    },
    /** How the company answered a logout of ours, by where it sent the browser. */
    async readLogoutAnswer(at: Program, location: string, requestId: string) {
      const message = { binding: 'redirect', query: new URL(location).search.slice(1) } as const;
      return verifyLogoutResponse({ sp, idp: await provider(at), message, requestId, now: new Date() });
    },

    goDown(): Promise<unknown> {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      return closed;
    },
    comeBack: listen,
  };
}

/** Types a username and password into the form on this page. */
export function fillIn(browser: Browser, page: Answer, typed: { username: string; password: string }): Promise<Answer> {
  const action = /<form class="fields" method="post" action="([^"]*)"/.exec(page.text)?.[1];
  if (action === undefined) throw new Error(`no form at ${page.url}: ${page.status}`);
  const request = /name="request" value="([^"]*)"/.exec(page.text)?.[1];
  return browser.post(new URL(action, page.url).href, { ...typed, ...(request !== undefined && { request }) });
}
