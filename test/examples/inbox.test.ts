import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import { createApp } from '../../examples/inbox/app.ts';
import { readMessage } from '../../examples/inbox/eml.ts';
import { layOutHtml, layOutText } from '../../src/mail/layout.ts';
import { LOCALES } from '../../src/languages/choose.ts';
import { writeLetter } from '../../src/mail/letter.ts';
import { linksOf } from '../../src/mail/mails.ts';
import { createTransport } from '../../src/mail/transport.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { everyMail, FROM } from '../support/mail-fixtures.ts';

async function inbox() {
  const folder = mkdtempSync(join(tmpdir(), 'curfew-inbox-'));
  const server: Server = createServer(createApp({ folder }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { folder, url, get: (path: string) => fetch(`${url}${path}`) };
}

test('every mail that Curfew writes can be read here, word by word, in both languages', async () => {
  const { folder, get } = await inbox();
  expect(await (await get('/mails.json')).json()).toEqual([]);
  expect(await (await get('/')).text()).toContain('There are none yet');
  const transport = createTransport({ route: { by: 'folder', folder }, from: FROM, clock: systemClock });
  const written = everyMail.flatMap(([name, mail]) =>
    LOCALES.map((locale) => ({
      name: `${name}-${locale}`,
      mail,
      letter: writeLetter(mail, { locale, site: 'id.example.org' }),
    })),
  );
  for (const [nth, { name, letter }] of written.entries()) {
    await transport.send(
      {
        id: name,
        queuedAt: new Date(Date.UTC(2031, 0, 1, 0, 0, nth)),
        to: 'ada@example.org',
        language: letter.language,
        subject: letter.subject,
        text: layOutText(letter),
        html: layOutHtml(letter),
      },
      new AbortController().signal,
    );
  }
  const listed = (await (await get('/mails.json')).json()) as {
    name: string;
    subject: string;
    to: string;
    text: string;
    links: string[];
  }[];
  expect(listed).toHaveLength(written.length);
  for (const [at, { name, mail, letter }] of written.toReversed().entries()) {
    const shown = listed[at];
    expect(shown?.name).toContain(name);
    expect(shown).toMatchObject({ subject: letter.subject, to: 'ada@example.org' });
    expect(shown?.text.replaceAll('\r\n', '\n').trimEnd()).toBe(layOutText(letter).trimEnd());
    expect(shown?.links.toSorted()).toEqual([...linksOf(mail)].toSorted());
    const page = await (await get(`/mails/${shown?.name}`)).text();
    for (const link of linksOf(mail)) expect(page).toContain(`<a href="${link}" target="_blank"`);
    const frame = await get(`/mails/${shown?.name}/html`);
    expect((await frame.text()).replaceAll('\r\n', '\n').replace('<base target="_blank">', '').trimEnd()).toBe(
      layOutHtml(letter).trimEnd(),
    );
  }
});

const HOSTILE = [
  'From: eve@evil.test',
  'To: <script>alert(1)</script>@evil.test',
  'Subject: =?UTF-8?B?PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==?=',
  'Content-Type: multipart/alternative; boundary="b"',
  '',
  '--b',
  'Content-Type: text/plain',
  '',
  '<script>alert(1)</script>',
  'javascript:alert(1)',
  '--b',
  'Content-Type: text/html',
  '',
  '<html><head></head><body><script>alert(1)</script><img src="http://evil.test/x"></body></html>',
  '--b--',
  '',
].join('\r\n');

test('what is in a mail stays in it', async () => {
  const { folder, get } = await inbox();
  writeFileSync(join(folder, '1.eml'), HOSTILE);
  for (const path of ['/', '/mails/1.eml']) {
    const answer = await get(path);
    const text = await answer.text();
    expect(text).not.toContain('<script>');
    expect(text).not.toContain('href="javascript:');
    expect(text).toContain('&lt;script&gt;');
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
  }
  expect(await (await get('/mails/1.eml')).text()).toMatch(/<iframe [^>]*sandbox="allow-popups [\w-]*"/);
  const policy = (await get('/mails/1.eml/html')).headers.get('content-security-policy');
  expect(policy).toMatch(/^sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'/);
  expect(policy).not.toMatch(/allow-scripts|allow-same-origin|script-src/);
});

test('only mails in the folder are shown', async () => {
  const { folder, get } = await inbox();
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  writeFileSync(join(folder, '.draft.eml'), 'secret');
  for (const path of ['/mails/secret.txt', '/mails/..%2f..%2fetc%2fpasswd', '/mails/.draft.eml', '/mails/2.eml']) {
    expect([path, (await get(path)).status]).toEqual([path, 404]);
  }
});

test.each([
  '',
  'no header',
  ': \r\n\r\n',
  'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n',
  'Content-Type: text/plain; charset=x\r\n\r\n\xff',
])('a file that is no mail is shown as far as it goes: %j', (bytes) =>
  expect(readMessage(bytes)).toMatchObject({ subject: '', html: undefined }),
);
