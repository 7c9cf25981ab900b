/**
 * One real Chromium for a file of tests, and the browsers of different people in it: contexts that share nothing.
 *
 * A Chromium that cannot start is a failure that says so, never a skipped test.
 */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';

import { launchChromium } from './launch.ts';

const LAPTOP = { width: 1200, height: 800 };
const PHONE = { width: 390, height: 844 };
export const SIZES = { wide: LAPTOP, phone: PHONE } as const;
export const SCHEMES = ['light', 'dark'] as const;

export type Kind = keyof typeof SIZES;
export type BrowserOptions = { readonly script?: boolean };

/** Starts Chromium before the file's tests and ends it after. */
export function useChromium() {
  let browser: Browser;
  let contexts: BrowserContext[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterEach(async () => {
    await Promise.all(contexts.map((context) => context.close()));
    contexts = [];
    // What a page complains of (blocked by policy, failed to load, threw) fails the test that showed it.
    expect(complaints.splice(0)).toEqual([]);
  });
  afterAll(() => browser?.close());

  return {
    /** Somebody's browser: its own cookies, its own size. */
    async open(kind: Kind, { script = true }: BrowserOptions = {}): Promise<BrowserContext> {
      const context = await browser.newContext({
        viewport: SIZES[kind],
        ...(kind === 'phone' ? { deviceScaleFactor: 2, hasTouch: true, isMobile: true } : {}),
        javaScriptEnabled: script,
      });
      contexts.push(context);
      context.on('page', (page) => listenTo(page, complaints));
      return context;
    },
  };
}

function listenTo(page: Page, complaints: string[]): void {
  page.on('console', (message) => {
    // A page that says no says so with its status; Chromium notes that as a failure to load.
    if (message.text().startsWith('Failed to load resource') && message.location().url === page.url()) return;
    if (message.type() === 'error' || /Content.Security.Policy/i.test(message.text())) {
      complaints.push(`${page.url()}: ${message.text()}`);
    }
  });
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`));
}
