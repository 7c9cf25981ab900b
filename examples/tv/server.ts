/** A TV that signs in with a code: `node examples/tv/server.ts --client-id tv`. It keeps nothing when switched off. */
import express from 'express';
import { None } from 'openid-client';
import { startDevice } from '../shared/device.ts';
import { codeSection } from '../shared/device-page.ts';
import { findIssuer } from '../shared/issuer.ts';
import { html, sendPage } from '../shared/page.ts';
import { readFlags, readPort, readSeconds, readUrl, serve } from '../shared/serve.ts';

const PAGE_REFRESH_SECONDS = 3;

const flags = readFlags({
  name: { type: 'string', default: 'TV' },
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '3003' },
  issuer: { type: 'string', default: 'http://localhost:3000' },
  'client-id': { type: 'string', default: 'tv' },
  'refresh-seconds': { type: 'string', default: '20' },
});

const { name, host } = flags;
const port = readPort(flags.port);
const url = readUrl('issuer', flags.issuer);
const refreshSeconds = readSeconds('refresh-seconds', flags['refresh-seconds'], { min: 0.1, max: 86_400 });

// A public client: whatever is on a TV can be read by whoever owns the TV.
const issuer = findIssuer({ url, clientId: flags['client-id'], auth: None(), device: name });
const device = startDevice({ issuer, refreshSeconds });

const app = express();
app.disable('x-powered-by');
app.disable('etag');

app.get('/', (_req, res) => {
  const state = device.state();
  const body =
    state.phase === 'attached'
      ? html`<h1>${name}</h1>
          <p class="address">Playing for <strong>${state.owner.name}</strong></p>`
      : html`<h1>${name}</h1>
          ${
            state.phase === 'signed-out'
              ? html`<p class="notice" role="status">This TV was signed out.</p>`
              : html`<p>Sign in to start watching.</p>`
          }
          ${codeSection(state.code)}`;
  sendPage(res, { title: name, body, refreshSeconds: PAGE_REFRESH_SECONDS });
});

app.get('/state', (_req, res) => {
  const state = device.state();
  res.set('Cache-Control', 'no-store');
  if (state.phase === 'attached') res.json({ state: 'playing', sub: state.owner.sub });
  else res.json({ state: state.phase, ...state.code });
});

serve({ name, host, port, app: () => app, stop: () => device.stop() });
