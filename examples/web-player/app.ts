/**
 * The player's routes and cookies. Each browser holds one random session id in a cookie named after the client, since
 * cookies ignore ports and several players share a host.
 */
import express, { type Express, type Request, type Response } from 'express';
import type { Issuer } from '../shared/issuer.ts';
import { log, reasonOf } from '../shared/log.ts';
import { sendPage } from '../shared/page.ts';
import { createLogoutTokenReader } from './logout-token.ts';
import { refusedPage, signedInPage, signedOutPage } from './pages.ts';
import type { Sessions } from './sessions.ts';
import { readShelf } from './shelf.ts';
import type { SignIn } from './sign-in.ts';

export type Player = {
  name: string;
  url: string;
  clientId: string;
  issuer: Issuer;
  issuerUrl: URL;
  mediaServer: URL;
  sessions: Sessions;
  signIn: SignIn;
  now: () => Date;
};

const ISSUER_PATIENCE_MS = 2_000;
const NOT_READY = 'The sign-in service is not there yet. Try again in a moment.';

export function createApp(player: Player): Express {
  const { issuer, sessions, signIn } = player;
  const cookieName = `player-${player.clientId.replace(/[^\w-]/g, '_')}`;
  const bindingCookieName = `${cookieName}-signing-in`;
  const leavingCookieName = `${cookieName}-leaving`;
  const securityUrl = new URL('account/security', player.issuerUrl.href.replace(/\/*$/, '/')).href;
  let readLogoutToken: ReturnType<typeof createLogoutTokenReader> | undefined;
  void issuer.ready.then((config) => {
    const { issuer: name, jwks_uri: jwksUri } = config.serverMetadata();
    if (!jwksUri) return log('issuer.no-keys');
    const { clientId, now } = player;
    readLogoutToken = createLogoutTokenReader({ issuer: name, clientId, jwksUri: new URL(jwksUri), now });
  });

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');

  app.get('/', async (req, res) => {
    const cookie = cookiesOf(req).get(cookieName);
    const session = sessions.find(cookie);
    const config = session && (await issuer.within(ISSUER_PATIENCE_MS));
    if (session && config) await signIn.keepFresh(config, session);
    const shelf =
      session && sessions.isLive(session) && (await readShelf(player.mediaServer, session.tokens.accessToken));
    // Asked again after every wait: a logout notice may have come in meanwhile.
    if (!session || !shelf || !sessions.isLive(session)) {
      return sendPage(res, signedOutPage(player, cookie ? 'ended' : 'not-yet'));
    }
    const { name: person, refreshedAt, trouble } = session;
    sendPage(
      res,
      signedInPage(player, { person, refreshedAt, trouble, shelf, securityUrl, live: req.query.live !== 'off' }),
    );
  });

  app.get('/session', (req, res) => {
    const session = sessions.find(cookiesOf(req).get(cookieName));
    res.set('Cache-Control', 'no-store');
    res.json(session ? { signedIn: true, sub: session.sub, sid: session.sid } : { signedIn: false });
  });

  app.get('/login', async (req, res) => {
    if (sessions.find(cookiesOf(req).get(cookieName))) return res.redirect(303, '/');
    const config = await issuer.within(ISSUER_PATIENCE_MS);
    if (!config) return sendPage(res.set('Retry-After', '2'), refusedPage(player, NOT_READY, 503));
    const { location, binding } = await signIn.begin(config);
    setCookie(res, bindingCookieName, binding);
    res.set('Cache-Control', 'no-store').redirect(303, location.href);
  });

  app.get('/callback', async (req, res) => {
    const config = await issuer.within(ISSUER_PATIENCE_MS);
    if (!config) return sendPage(res, refusedPage(player, NOT_READY, 503));
    const cookies = cookiesOf(req);
    const binding = cookies.get(bindingCookieName);
    const result = await signIn.finish(config, { currentUrl: new URL(req.originalUrl, player.url), binding });
    res.clearCookie(bindingCookieName);
    if ('refused' in result) return sendPage(res, refusedPage(player, result.refused, 400));
    const replaced = sessions.find(cookies.get(cookieName));
    if (replaced) sessions.end(replaced);
    setCookie(res, cookieName, result.session.id);
    res.set('Cache-Control', 'no-store').redirect(303, '/');
  });

  app.post('/refresh', async (req, res) => {
    if (isFromElsewhere(req)) return sendPage(res, refusedPage(player, 'Not from another site.', 403));
    const session = sessions.find(cookiesOf(req).get(cookieName));
    const config = session && (await issuer.within(ISSUER_PATIENCE_MS));
    if (session && config) await signIn.refresh(config, session);
    res.redirect(303, '/');
  });

  app.get('/logout', async (req, res) => {
    if (isFromElsewhere(req)) return sendPage(res, refusedPage(player, 'Not from another site.', 403));
    res.clearCookie(cookieName).set('Cache-Control', 'no-store');
    const session = sessions.find(cookiesOf(req).get(cookieName));
    if (!session) return res.redirect(303, '/');
    // A session exists only because the issuer was there, so this does not wait.
    const { location, state } = await signIn.signOut(await issuer.ready, session);
    setCookie(res, leavingCookieName, state);
    res.redirect(303, location.href);
  });

  app.get('/signed-out', (req, res) => {
    // The state proves that this is the end of a sign-out begun in this browser; anything else is just a visit.
    const state = cookiesOf(req).get(leavingCookieName);
    res.clearCookie(leavingCookieName);
    if (!state || req.query.state !== state) return res.redirect(303, '/');
    sendPage(res, signedOutPage(player, 'left'));
  });

  app.post('/backchannel-logout', express.urlencoded({ extended: false, limit: '64kb' }), async (req, res) => {
    const token: unknown = (req.body as Record<string, unknown> | undefined)?.logout_token;
    if (typeof token !== 'string') return refuseLogoutToken(res, 'no logout_token');
    // Without keys nothing can be judged. 503 asks the sender to come again; a 400 would make it give up.
    const verdict = readLogoutToken ? await readLogoutToken(token) : { unreachable: 'the issuer is not known yet' };
    if ('refused' in verdict) return refuseLogoutToken(res, verdict.refused);
    res.set('Cache-Control', 'no-store');
    if ('unreachable' in verdict) {
      log('logout-token.unreadable', { reason: verdict.unreachable });
      return res.status(503).set('Retry-After', '2').json({ error: 'temporarily_unavailable' });
    }
    log('session.ended', { by: 'back-channel', count: sessions.endNamed(verdict.named) });
    res.status(200).end();
  });

  app.use((error: unknown, req: Request, res: Response, next: express.NextFunction) => {
    log('request.failed', { path: req.path, reason: reasonOf(error) });
    if (res.headersSent) return next(error);
    if (req.path === '/backchannel-logout') return refuseLogoutToken(res, 'unreadable body');
    sendPage(res, refusedPage(player, 'Something went wrong here.', 500));
  });

  return app;
}

function refuseLogoutToken(res: Response, reason: string): void {
  log('logout-token.refused', { reason });
  res.status(400).set('Cache-Control', 'no-store').json({ error: 'invalid_request' });
}

function setCookie(res: Response, name: string, value: string): void {
  // Lax, because the browser comes back from the issuer by a navigation from another site.
  res.cookie(name, value, { httpOnly: true, sameSite: 'lax', path: '/' });
}

function cookiesOf(req: Request): Map<string, string> {
  const pairs = (req.headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='));
  return new Map(pairs.map(([name = '', value = '']) => [name, value]));
}

/** True for a request that another site made a browser send (Fetch Metadata; absent outside browsers). */
function isFromElsewhere(req: Request): boolean {
  return req.headers['sec-fetch-site'] === 'cross-site';
}
