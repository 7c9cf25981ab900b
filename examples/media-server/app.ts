/** The media server's routes: its page, its state, and its shelf for those who hold a live access token. */
import express, { type Express, type Response } from 'express';
import type { Device } from '../shared/device.ts';
import { codeSection } from '../shared/device-page.ts';
import { html, sendPage } from '../shared/page.ts';
import type { Identity } from './files.ts';
import type { TokenStatus } from './token-check.ts';

const PAGE_REFRESH_SECONDS = 5;
const REALM = 'media-server';

type Parts = { identity: Identity; device: Device; checkToken: (token: string) => Promise<TokenStatus> };

export function createApp({ identity, device, checkToken }: Parts): Express {
  const { id, name, library } = identity;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');

  app.get('/', (_req, res) => {
    const state = device.state();
    const body =
      state.phase === 'attached'
        ? html`<h1>${name}</h1>
            <p>Attached to <strong>${state.owner.name}</strong>, with ${library.length} titles on the shelf.</p>
            <p class="quiet">Server ${id}</p>`
        : html`<h1>${name}</h1>
            <p class="notice" role="status">
              ${
                state.phase === 'signed-out'
                  ? 'Waiting to be re-attached by its owner: on their security page, if it lists this code, or by typing it.'
                  : 'This media server is waiting to be attached to its owner.'
              }
              Its name and its shelf are kept.
            </p>
            ${codeSection(state.code)}
            <p class="quiet">Server ${id}</p>`;
    sendPage(res, { title: name, body, refreshSeconds: PAGE_REFRESH_SECONDS });
  });

  app.get('/state', (_req, res) => {
    const state = device.state();
    res.set('Cache-Control', 'no-store');
    if (state.phase === 'attached') res.json({ id, name, state: 'attached', owner: state.owner.sub });
    else res.json({ id, name, state: 'waiting', ...state.code });
  });

  app.get('/library', async (req, res) => {
    res.set('Cache-Control', 'no-store').vary('Authorization');
    const token = /^Bearer +([\w.~+/-]+=*)$/i.exec(req.headers.authorization ?? '')?.[1];
    // RFC 6750 §3.1: a request without a token learns only what is needed, not an error.
    if (!token) return challenge(res);
    const status = await checkToken(token);
    switch (status) {
      case 'active':
        return res.json({ server: { id, name }, titles: library });
      case 'inactive':
        return challenge(res, 'invalid_token');
      case 'unknown':
        return res.status(503).set('Retry-After', '5').json({ error: 'temporarily_unavailable' });
    }
  });

  return app;
}

function challenge(res: Response, error?: 'invalid_token'): void {
  const detail = error ? `, error="${error}", error_description="The access token has ended or was never valid"` : '';
  res.status(401).set('WWW-Authenticate', `Bearer realm="${REALM}"${detail}`);
  res.json({ error: error ?? 'unauthorized' });
}
