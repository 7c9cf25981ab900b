/**
 * Reports of incidents as somebody would see them, in `artifacts/reports/`: wide and on a phone, light and dark, and on paper.
 *
 * Run `node test/browser/report-gallery.ts [NAME …]`. Each is opened with the network switched off, its folded parts open, and
 * held to what a page is held to: nothing axe objects to, nothing wider than the window, nothing loaded. It exits 1 when
 * something is broken.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';

import { renderIncidentReport } from '../../src/web/incident-report.ts';
import { incidentReports } from '../support/incident-fixtures.ts';
import { launchChromium } from './launch.ts';

const out = fileURLToPath(new URL('../../artifacts/reports', import.meta.url));
const shots = [
  { shot: 'wide-light', width: 1200, height: 800, colorScheme: 'light' },
  { shot: 'wide-dark', width: 1200, height: 800, colorScheme: 'dark' },
  { shot: 'tablet', width: 800, height: 1000, colorScheme: 'light' },
  { shot: 'phone-light', width: 360, height: 740, colorScheme: 'light' },
  { shot: 'phone-dark', width: 360, height: 740, colorScheme: 'dark' },
  { shot: 'reflow', width: 320, height: 640, colorScheme: 'light' },
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
    page.on('console', (message) => void (message.type() === 'error' && faults.push(`${shot}: ${message.text()}`)));
    await page.route('**/*', (route) => {
      faults.push(`${shot}: it loads ${route.request().url()}`);
      return route.abort();
    });
    for (const [name, report] of Object.entries(incidentReports)) {
      if (only.length > 0 && !only.includes(name)) continue;
      const html = renderIncidentReport(report);
      const base = join(out, name);
      await page.setContent(html);
      await page.screenshot({ path: `${base}.${shot}.png`, fullPage: true });
      if (shot === 'wide-light') {
        await writeFile(`${base}.html`, html);
        await page.pdf({ path: `${base}.pdf`, format: 'A4', printBackground: true });
      }
      // Scripts of the page are switched off by its own policy; these come from outside.
      await page.evaluate(`document.querySelectorAll('details').forEach((each) => (each.open = true))`);
      const tooWide = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
      if (tooWide > 0) faults.push(`${name} ${shot}: wider than the window by ${tooWide}`);
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate<axe.AxeResults>(`axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      })`);
      for (const { id, nodes } of violations) {
        faults.push(
          `${name} ${shot}: axe ${id}: ${nodes
            .slice(0, 3)
            .map((node) => node.html)
            .join(' | ')}`,
        );
      }
      count += 1;
    }
    await context.close();
  }
} finally {
  await browser.close();
}
for (const fault of faults) process.stderr.write(`${fault}\n`);
process.stdout.write(`${count} screenshots in ${out}, ${faults.length} faults\n`);
if (faults.length > 0) process.exitCode = 1;
