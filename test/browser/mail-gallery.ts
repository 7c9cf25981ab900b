/**
 * Every mail as somebody would see it, in `artifacts/mails/`: both languages, wide and on a phone, light and dark.
 *
 * Run `node test/browser/mail-gallery.ts [NAME …]`. Each is opened with scripts and the network switched off, as a careful mail
 * program would, and held to what a page is held to: nothing axe objects to, nothing wider than the window, nothing loaded. It
 * exits 1 when something is broken.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';

import { layOutHtml, layOutText } from '../../src/mail/layout.ts';
import { LOCALES } from '../../src/languages/choose.ts';
import { writeLetter } from '../../src/mail/letter.ts';
import { everyMail } from '../support/mail-fixtures.ts';
import { launchChromium } from './launch.ts';

const out = fileURLToPath(new URL('../../artifacts/mails', import.meta.url));
const shots = [
  { shot: 'wide-light', width: 900, height: 700, colorScheme: 'light' },
  { shot: 'wide-dark', width: 900, height: 700, colorScheme: 'dark' },
  { shot: 'phone-light', width: 360, height: 740, colorScheme: 'light' },
  { shot: 'phone-dark', width: 360, height: 740, colorScheme: 'dark' },
] as const;
const only = process.argv.slice(2);

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const browser = await launchChromium();
const faults: string[] = [];
let count = 0;
try {
  for (const { shot, width, height, colorScheme } of shots) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme });
    const page = await context.newPage();
    await page.route('**/*', (route) => {
      faults.push(`${shot}: it loads ${route.request().url()}`);
      return route.abort();
    });
    for (const [name, mail] of everyMail) {
      if (only.length > 0 && !only.includes(name)) continue;
      for (const locale of LOCALES) {
        const letter = writeLetter(mail, { locale, site: 'id.example.org' });
        const html = layOutHtml(letter);
        const base = join(out, `${name}.${locale}`);
        if (shot === 'wide-light') await writeFile(`${base}.txt`, layOutText(letter));
        await page.setContent(html);
        const tooWide = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
        if (tooWide > 0) faults.push(`${name} ${locale} ${shot}: wider than the window by ${tooWide}`);
        await page.evaluate(axe.source);
        const { violations } = await page.evaluate<axe.AxeResults>(`axe.run(document, {
          runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
        })`);
        for (const { id, nodes } of violations) {
          faults.push(`${name} ${locale} ${shot}: axe ${id}: ${nodes.map((node) => node.html).join(' | ')}`);
        }
        await page.screenshot({ path: `${base}.${shot}.png`, fullPage: true });
        count += 1;
      }
    }
    await context.close();
  }
} finally {
  await browser.close();
}
for (const fault of faults) process.stderr.write(`${fault}\n`);
process.stdout.write(`${count} screenshots in ${out}, ${faults.length} faults\n`);
if (faults.length > 0) process.exitCode = 1;
