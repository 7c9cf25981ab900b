/**
 * Everybody's inbox, for a demo on one's own machine: the mails in a folder, newest first, as text and as they were laid out.
 *
 * Invariant: what is in a mail stays in it. Text is shown as text; HTML in a frame of its own, with no origin, no script and
 * nothing loaded from anywhere; a link opens a new page that knows nothing of this one. It refuses to know who reads.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import express, { type Express } from 'express';

import { html, type Markup, safeHref } from '../shared/page.ts';
import { type Message, readMessage } from './eml.ts';
import { sendInboxPage } from './page.ts';

const NAME = /^[\w.-]+\.eml$/;
const SHOWN = 100;
const REFRESH_SECONDS = 5;
/** Links of a mail open elsewhere; the frame has no origin, so nothing in it reaches anybody else's. */
const SANDBOX = 'allow-popups allow-popups-to-escape-sandbox';

export function createApp({ folder }: { readonly folder: string }): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');

  app.get('/', (_req, res) => {
    const mails = names(folder).slice(0, SHOWN);
    const body = html`<h1>Inbox</h1>
      <p class="quiet">Every mail that Curfew has sent here, whoever it is to.</p>
      ${
        mails.length === 0
          ? html`<p>There are none yet.</p>`
          : html`<ul class="mails">
              ${mails.map((name) => row(name, read(folder, name)))}
            </ul>`
      }`;
    sendInboxPage(res, { title: 'Inbox', body, refreshSeconds: REFRESH_SECONDS });
  });

  app.get('/mails.json', (_req, res) => {
    const mails = names(folder).slice(0, SHOWN);
    res.set('Cache-Control', 'no-store').json(
      mails.map((name) => {
        const { subject, to, text } = read(folder, name);
        return { name, subject, to, text, links: links(text) };
      }),
    );
  });

  app.get('/mails/:name', (req, res, next) => {
    const { name } = req.params;
    if (!names(folder).includes(name)) return next();
    const message = read(folder, name);
    const body = html`<p><a href="/">Inbox</a></p>
      <h1>${message.subject}</h1>
      <p class="quiet">From ${message.from}<br />To ${message.to}<br />${message.date}</p>
      <h2>As text</h2>
      <div class="text">${lines(message.text)}</div>
      ${
        message.html === undefined
          ? undefined
          : html`<h2>As it was laid out</h2>
              <iframe title="The mail" sandbox="${SANDBOX}" src="/mails/${name}/html"></iframe>`
      }`;
    sendInboxPage(res, { title: message.subject, body });
  });

  app.get('/mails/:name/html', (req, res, next) => {
    const { name } = req.params;
    const laidOut = names(folder).includes(name) ? read(folder, name).html : undefined;
    if (laidOut === undefined) return next();
    res
      .set('Cache-Control', 'no-store')
      .set(
        'Content-Security-Policy',
        `sandbox ${SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'`,
      )
      .set('Referrer-Policy', 'no-referrer')
      .set('X-Content-Type-Options', 'nosniff')
      .type('html')
      .send(laidOut.replace(/<head>/i, '<head><base target="_blank">'));
  });

  return app;
}

/** Newest first: names begin with the time. */
function names(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => NAME.test(name) && !name.startsWith('.'))
      .toSorted()
      .toReversed();
  } catch {
    // No mail has been sent yet.
    return [];
  }
}

function read(folder: string, name: string): Message {
  return readMessage(readFileSync(join(folder, name), 'latin1'));
}

function row(name: string, { subject, to, date }: Message): Markup {
  return html`<li><a href="/mails/${name}">${subject}</a><br /><span class="quiet">to ${to} · ${date}</span></li>`;
}

const links = (text: string): string[] => [...text.matchAll(/^https?:\/\/\S+$/gm)].map(([link]) => link);

/** Line by line; a line that is an address is a link. */
function lines(text: string): Markup[] {
  return text.split(/\r?\n/).map((line) => {
    const href = /^https?:\/\/\S+$/.test(line) ? safeHref(line) : undefined;
    return href === undefined
      ? html`${`${line}\n`}`
      : html`<a href="${href}" target="_blank" rel="noopener noreferrer">${line}</a>${'\n'}`;
  });
}
