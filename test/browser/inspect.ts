/** What is asked of every page there is, as it stands in a real browser; the answer is what is wrong. */
import axe from 'axe-core';
import type { Page } from 'playwright-core';

import { SCHEMES, SIZES } from './chromium.ts';

/** Everything there is to object to, in every size and theme. The window is left as the last of them. */
export async function everyFault(page: Page): Promise<string[]> {
  const faults: string[] = [];
  for (const [kind, size] of Object.entries(SIZES)) {
    await page.setViewportSize(size);
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      const found = [...(await axeObjections(page)), ...(await overflow(page))];
      if (kind === 'phone') found.push(...(await focusFaults(page)));
      faults.push(...found.map((fault) => `${kind}, ${colorScheme}: ${fault}`));
    }
  }
  return faults;
}

/** Nothing that axe objects to. */
export async function axeObjections(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<axe.AxeResults>(`axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    resultTypes: ['violations'],
  })`);
  return violations.map(({ id, nodes }) => `axe ${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
}

/** Nothing wider than the window. */
export async function overflow(page: Page): Promise<string[]> {
  const excess = await page.evaluate<number>(
    `document.documentElement.scrollWidth - document.documentElement.clientWidth`,
  );
  return excess > 0 ? [`wider than the window by ${excess} pixels`] : [];
}

/** Evaluated in pages, where this project's types do not reach: what Tab should stop at, in the order it is written. */
const STOPS = `(() => {
  const all = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]')];
  return all.filter((element) => element.tabIndex >= 0 && !element.disabled && element.checkVisibility());
})()`;

/** Where the focus is, what it looks like, and what it stands on. Colours are compared as a canvas paints them. */
const STOP = `((stops) => {
  const element = document.activeElement;
  const at = stops.indexOf(element);
  if (at === -1) return null;
  const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
  const brush = canvas.getContext('2d', { willReadFrequently: true });
  const paint = (colours) => {
    brush.clearRect(0, 0, 1, 1);
    for (const colour of colours) { brush.fillStyle = colour; brush.fillRect(0, 0, 1, 1); }
    return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3).map((value) => value / 255);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = [];
  for (let box = element.parentElement; box; box = box.parentElement) behind.unshift(getComputedStyle(box).backgroundColor);
  const style = getComputedStyle(element);
  const [one, other] = [light(paint(['white', ...behind])), light(paint(['white', ...behind, style.outlineColor]))];
  const { top, bottom, left, right } = element.getBoundingClientRect();
  return {
    at,
    name: (element.labels?.[0]?.textContent ?? (element.textContent || element.value)).replaceAll(/\\s+/g, ' ').trim(),
    ring: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
    contrast: (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05),
    inView: bottom > 0 && top < innerHeight && right > 0 && left < innerWidth,
    top: top + scrollY, bottom: bottom + scrollY, left,
  };
})(${STOPS})`;

type Stop = {
  at: number;
  name: string;
  ring: number;
  contrast: number;
  inView: boolean;
  top: number;
  bottom: number;
  left: number;
};

/**
 * Tab stops at everything that can be used, in the order in which it is read, and each stop can be seen: a ring of at least
 * two pixels that stands out 3:1 (WCAG 2.2, 1.4.11, 2.4.3, 2.4.7, 2.4.13). One column is assumed: ask on a phone's width.
 */
async function focusFaults(page: Page): Promise<string[]> {
  const expected = await page.evaluate<number>(`${STOPS}.length`);
  const stops: Stop[] = [];
  const faults: string[] = [];
  // Once around; the window itself may be a stop between the last and the first.
  for (let tabs = 0; tabs < 2 * expected + 2 && stops.length < expected; tabs += 1) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate<Stop | null>(STOP);
    if (stop !== null) stops.push(stop);
  }
  for (const [index, stop] of stops.entries()) {
    const { at, name, ring, contrast, inView } = stop;
    if (ring < 2) faults.push(`the focus on "${name}" does not show`);
    else if (contrast < 3) faults.push(`the focus on "${name}" hardly shows: ${contrast.toFixed(2)}:1`);
    if (!inView) faults.push(`the focus on "${name}" is out of sight`);
    const before = stops[index - 1];
    if (before === undefined || at === 0) continue;
    if (at !== before.at + 1) faults.push(`Tab goes from "${before.name}" to "${name}"`);
    const above = stop.bottom <= before.top + 1;
    const leftOf = stop.top < before.bottom && stop.bottom > before.top && stop.left < before.left;
    if (above || leftOf) faults.push(`Tab goes back from "${before.name}" to "${name}"`);
  }
  if (new Set(stops.map(({ at }) => at)).size !== expected) {
    faults.push(`Tab stops at ${stops.map(({ name }) => `"${name}"`).join(', ')}: not at all ${expected}`);
  }
  return faults;
}
