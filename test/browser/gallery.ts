/**
 * The gallery: every page in every state, as a person would see it, in `artifacts/gallery/`.
 *
 * Run `node test/browser/gallery.ts [--in=de|rtl] [PAGE …]`. Each page is served on loopback under the policy it ships with, opened in
 * Chromium wide and on a phone, light and dark, photographed, and held to four promises: nothing the policy blocks,
 * nothing axe objects to, nothing wider than the window, nothing lower than 44 pixels to press. It exits 1 when one is broken.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import axe from 'axe-core';
import type { Browser } from 'playwright-core';
import { webauthnBundle } from '../../src/web/assets.ts';
import { createViews, type PageName } from '../../src/web/views.ts';
import { type Language, LANGUAGES } from '../../src/languages/languages.ts';
import { RIGHT_TO_LEFT } from '../support/right-to-left.ts';
import { everyFixture } from '../support/view-fixtures.ts';
import { launchChromium } from './launch.ts';

const policy =
  "default-src 'none'; style-src 'self'; img-src 'self' data: https:; script-src 'self'; connect-src 'self'; font-src 'self'; base-uri 'none'; frame-ancestors 'none'";
const root = fileURLToPath(new URL('../../', import.meta.url));
const out = join(root, 'artifacts/gallery');
const WEBAUTHN = '/assets/webauthn.js';
const assets: Record<string, string> = {
  '/assets/curfew.css': 'text/css',
  '/assets/receipt.js': 'text/javascript',
  '/assets/passkey.js': 'text/javascript',
  [WEBAUTHN]: 'text/javascript',
  '/assets/logo.svg': 'image/svg+xml',
};

type Shot = { name: string; width: number; height: number; scheme: 'light' | 'dark' };

const shots: readonly Shot[] = [
  { name: 'wide-light', width: 1200, height: 800, scheme: 'light' },
  { name: 'wide-dark', width: 1200, height: 800, scheme: 'dark' },
  { name: 'phone-light', width: 360, height: 740, scheme: 'light' },
  { name: 'phone-dark', width: 360, height: 740, scheme: 'dark' },
  // The width a page has at 400 % zoom (WCAG 2.2, 1.4.10 Reflow).
  { name: 'reflow', width: 320, height: 640, scheme: 'light' },
];

async function renderAll(only: readonly string[], language: Language): Promise<Map<string, string>> {
  const views = createViews({ directory: join(root, 'views'), cache: true });
  const rendered = new Map<string, string>();
  for (const { page, state, model } of everyFixture()) {
    // The body alone is a fragment; its page shows it.
    const wanted = page !== 'receipt-body' && (only.length === 0 || only.includes(page));
    if (wanted) rendered.set(`${page}.${state}`, await views.render<PageName>(page, model, language));
  }
  return rendered;
}

async function serve(rendered: Map<string, string>): Promise<{ origin: string; server: Server }> {
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    const type = assets[path];
    if (type) {
      void readFile(path === WEBAUTHN ? webauthnBundle : join(root, 'views', path)).then((body) => {
        response.writeHead(200, { 'content-type': type }).end(body);
      });
      return;
    }
    const html = rendered.get(path.slice(1));
    // The receipt's event stream ends at once: what is photographed is the page as it was served.
    if (html === undefined) return void response.writeHead(204).end();
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy });
    response.end(html);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

/** Evaluated in the page, where this project's types do not reach. */
const tooWide = `document.documentElement.scrollWidth > document.documentElement.clientWidth
  ? [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1).map((e) => e.tagName + '.' + e.className).slice(0, 5)
  : []`;
const tooSmall = `[...document.querySelectorAll('button, .button, .input, .nav-link, .links a, .check label')]
  .filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 43.5).map((e) => e.textContent.trim().slice(0, 30))`;

async function inspect(browser: Browser, origin: string, name: string, shot: Shot): Promise<string[]> {
  const { width, height, scheme } = shot;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme });
  try {
    const page = await context.newPage();
    const faults: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    page.on('pageerror', (error) => faults.push(error.message));
    await page.goto(`${origin}/${name}`, { waitUntil: 'load' });
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate<axe.AxeResults>(`axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    })`);
    for (const { id, nodes } of violations) faults.push(`axe ${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
    for (const element of await page.evaluate<string[]>(tooWide)) faults.push(`wider than the window: ${element}`);
    for (const element of await page.evaluate<string[]>(tooSmall)) faults.push(`hard to press: ${element}`);
    await page.screenshot({ path: join(out, `${name}.${shot.name}.png`), fullPage: true });
    return faults.map((fault) => `${name} (${shot.name}): ${fault}`);
  } finally {
    await context.close();
  }
}

const spoken: Readonly<Record<string, Language>> = { ...LANGUAGES, rtl: RIGHT_TO_LEFT };
const { values, positionals } = parseArgs({
  options: { in: { type: 'string', default: 'en' } },
  allowPositionals: true,
});
const language = spoken[values.in];
if (language === undefined) throw new Error(`no language ${values.in}: there are ${Object.keys(spoken).join(', ')}`);

const rendered = await renderAll(positionals, language);
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
for (const [name, html] of rendered) await writeFile(join(out, `${name}.html`), html);

const { origin, server } = await serve(rendered);
const browser = await launchChromium();
try {
  const faults: string[] = [];
  for (const name of rendered.keys()) {
    for (const shot of shots) faults.push(...(await inspect(browser, origin, name, shot)));
  }
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  process.stdout.write(
    `${rendered.size} pages, ${rendered.size * shots.length} screenshots in ${out}, ${faults.length} faults\n`,
  );
  if (faults.length > 0) process.exitCode = 1;
} finally {
  await browser.close();
  server.close();
}
