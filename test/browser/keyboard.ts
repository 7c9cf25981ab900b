/**
 * A person with a keyboard and nothing else. They type an address, press Tab until they stand on what they look for, type,
 * and press Enter. What they cannot see (a focus that does not show) they cannot use.
 */
import type { Page } from 'playwright-core';

import { until } from '../support/demo.ts';

/** More stops than any page has. */
const MOST_TABS = 60;

/** Evaluated in pages, where this project's types do not reach. */
const FOCUSED = `(() => {
  const element = document.activeElement;
  if (element === null || element === document.body) return null;
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  const labels = [...(element.labels ?? [])].map((label) => label.textContent);
  const text = element.getAttribute('aria-label') ?? (labels.join(' ') || element.textContent || element.value || '');
  return {
    name: text.replaceAll(/\\s+/g, ' ').trim(),
    tag: element.localName,
    outline: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
    inView: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    top: box.top + scrollY, bottom: box.bottom + scrollY, left: box.left, right: box.right,
  };
})()`;

type Focused = {
  readonly name: string;
  readonly tag: string;
  /** Width of the ring around it, in pixels. */
  readonly outline: number;
  readonly inView: boolean;
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
};

/** What the keyboard stands on; nothing while the page is being exchanged for another. */
async function focused(page: Page): Promise<Focused | null> {
  return page.evaluate<Focused | null>(FOCUSED).catch(() => null);
}

export function keyboardOn(page: Page) {
  const keyboard = {
    page,

    /** Types an address. */
    async open(url: string): Promise<void> {
      await page.goto(url, { waitUntil: 'load' });
    },

    /** Presses Tab until the field, link or button of this name has the focus, and sees that it shows. */
    async stepTo(name: string): Promise<void> {
      const passed: string[] = [];
      for (let tabs = 0; tabs <= MOST_TABS; tabs += 1) {
        const at = await focused(page);
        if (at?.name === name) {
          if (at.outline < 2 || !at.inView) throw new Error(`the focus on "${name}" cannot be seen on ${page.url()}`);
          return;
        }
        passed.push(at?.name ?? '(nothing)');
        await page.keyboard.press('Tab');
      }
      throw new Error(`no "${name}" to step to on ${page.url()}: ${[...new Set(passed)].join(' | ')}`);
    },

    async type(field: string, text: string): Promise<void> {
      await keyboard.stepTo(field);
      await page.keyboard.press('ControlOrMeta+A');
      await page.keyboard.type(text);
    },

    async press(name: string): Promise<void> {
      await keyboard.stepTo(name);
      await page.keyboard.press('Enter');
    },

    /** The page's first heading. */
    heading: (): Promise<string> => textOf(page, 'h1'),
    /** What the page says. */
    text: (): Promise<string> => textOf(page, 'main'),

    /** Waits until the page says this. */
    sees(text: string | RegExp): Promise<string> {
      return until(`${page.url()} says ${String(text)}`, async () => {
        const said = await keyboard.text();
        return (typeof text === 'string' ? said.includes(text) : text.test(said)) && said;
      }).catch(async (cause: unknown) => {
        throw new Error(`${page.url()} does not say ${String(text)} but: ${await keyboard.text()}`, { cause });
      });
    },
  };
  return keyboard;
}

export type Keyboard = ReturnType<typeof keyboardOn>;

/** Empty while the page is being exchanged for another. */
async function textOf(page: Page, selector: string): Promise<string> {
  return page.evaluate<string>(`document.querySelector('${selector}')?.innerText ?? ''`).catch(() => '');
}
