/**
 * The story of the README, as it happens: two real browsers, a TV, a media server, and one press. By keyboard alone, and
 * once without script. What each step looks like lies in `artifacts/story/` afterwards.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest';

import { codeOf, type Demo, reaches, root, startDemo, until } from '../support/demo.ts';
import { SCHEMES, SIZES, useChromium } from './chromium.ts';
import { type Keyboard, keyboardOn } from './keyboard.ts';

vi.setConfig({ testTimeout: 240_000 });

const chromium = useChromium();
const out = join(root, 'artifacts/story');
beforeAll(() => {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
});

/** Photographs a page wide and on a phone, light and dark, and puts the window back as it was. */
async function photograph(page: Page, name: string): Promise<void> {
  const before = page.viewportSize() ?? SIZES.wide;
  for (const [kind, size] of Object.entries(SIZES)) {
    await page.setViewportSize(size);
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({
        path: join(out, `${name}.${kind}-${colorScheme}.png`),
        fullPage: true,
        animations: 'disabled',
        scale: 'css',
      });
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize(before);
}

const openPage = async (context: BrowserContext): Promise<Keyboard> => keyboardOn(await context.newPage());

/** Stops a process in its tracks; it hears nothing until it is let go on. */
function hold(pid: number): { letGo(): void } {
  process.kill(pid, 'SIGSTOP');
  const letGo = (): void => void process.kill(pid, 'SIGCONT');
  onTestFinished(letGo);
  return { letGo };
}

type Setting = {
  readonly demo: Demo;
  readonly script: boolean;
  /** Laptop and phone: the same person, two browsers. */
  readonly laptop: BrowserContext;
  readonly phone: BrowserContext;
  readonly shoot: (keyboard: Keyboard, name: string) => Promise<void>;
};

async function signInAt(keyboard: Keyboard, url: string, { demo, shoot }: Setting, name?: string): Promise<void> {
  await keyboard.open(url);
  await keyboard.press('Sign in');
  await until('Curfew asks who it is', async () => (await keyboard.heading()) === 'Sign in');
  if (name !== undefined) await shoot(keyboard, `${name}-asks`);
  await keyboard.type('Username or e-mail', demo.account.username);
  await keyboard.type('Password', demo.account.password);
  await keyboard.page.keyboard.press('Enter');
  await keyboard.sees('Signed in as demo');
  expect(keyboard.page.url()).toBe(`${url}/`);
}

/** Types the code that a device shows, and allows it. */
async function connect(keyboard: Keyboard, code: string, { demo, shoot }: Setting, name?: string): Promise<void> {
  await keyboard.open(demo.url('Connect a device'));
  if (name !== undefined) await shoot(keyboard, `${name}-code`);
  await keyboard.type('Code', code);
  await keyboard.page.keyboard.press('Enter');
  await keyboard.sees(/Look at your device/);
  expect(await keyboard.text()).toContain(code);
  if (name !== undefined) await shoot(keyboard, `${name}-confirm`);
  await keyboard.press('Allow');
  await keyboard.sees('is connected');
  if (name !== undefined) await shoot(keyboard, `${name}-connected`);
}

async function tell(setting: Setting): Promise<void> {
  const { demo, script, laptop, phone, shoot } = setting;
  const [lumen, marquee, tv, server] = ['Lumen', 'Marquee', 'TV', 'Media server'].map(demo.url) as [
    string,
    string,
    string,
    string,
  ];

  // Signs in: to Lumen with a password, to Marquee without being asked again, and to Lumen on the phone.
  const lumenOnLaptop = await openPage(laptop);
  await signInAt(lumenOnLaptop, lumen, setting, '01-lumen');
  const marqueeOnLaptop = await openPage(laptop);
  await marqueeOnLaptop.open(marquee);
  await marqueeOnLaptop.press('Sign in');
  await marqueeOnLaptop.sees('Signed in as demo');
  const lumenOnPhone = await openPage(phone);
  await signInAt(lumenOnPhone, lumen, setting);

  // Connects the TV from the phone, and the media server from the laptop.
  const screen = await openPage(await chromium.open('wide', { script: false }));
  await screen.open(tv);
  await screen.sees('enter this code');
  await shoot(screen, '02-tv-waits');
  const tvCode = await codeOf(tv);
  expect(await screen.text()).toContain(tvCode);
  const onPhone = await openPage(phone);
  await connect(onPhone, tvCode, setting, '03-tv');
  const shelf = await openPage(await chromium.open('wide', { script: false }));
  await shelf.open(server);
  await shelf.sees('waiting to be attached');
  const onLaptop = await openPage(laptop);
  await connect(onLaptop, await codeOf(server), setting);
  await screen.sees('Playing for demo');
  await shelf.sees('Attached to demo');
  const attached = await reaches(server, 'attached');
  // The players' pages keep themselves up to date, and now have a shelf to show.
  await marqueeOnLaptop.sees('Häxan');
  await lumenOnPhone.sees('Häxan');
  await shoot(lumenOnPhone, '04-lumen-signed-in');

  // Sees every device.
  await onLaptop.open(demo.url('Curfew'));
  await shoot(onLaptop, '05-account');
  await onLaptop.press('Devices');
  await until('the devices are listed', async () => (await onLaptop.heading()) === 'Devices');
  const names = await onLaptop.page.evaluate<string[]>(
    `[...document.querySelectorAll('.devices h3')].map((row) => row.firstChild.textContent.trim())`,
  );
  expect(names.toSorted()).toEqual(['Curfew', 'Curfew', 'Lumen', 'Lumen', 'Lumen for TV', 'Marquee', 'Media server']);
  await shoot(onLaptop, '06-devices');

  // One press. Marquee is held, so that the receipt is seen while it is not complete.
  const held = hold(demo.running().services.marquee.pid);
  await onLaptop.press('Security');
  await until('the security page is there', async () => (await onLaptop.heading()) === 'Security');
  await shoot(onLaptop, '07-security');
  await onLaptop.press('Sign out of all devices');
  await onLaptop.sees(/Told: 2 of 5\. Notices are still going out/);
  expect(new URL(onLaptop.page.url()).pathname).toMatch(/^\/sign-outs\/[\w-]+$/);
  expect(await onLaptop.heading()).toBe('Access has ended');
  await shoot(onLaptop, '08-receipt-running');
  let loads = 0;
  onLaptop.page.on('load', () => (loads += 1));
  held.letGo();
  await onLaptop.sees(/Told: 3 of 5\. No more notices will be sent/);
  // With script the page changed in place; without, it reloaded itself.
  expect({ script, reloaded: loads > 0 }).toEqual({ script, reloaded: !script });
  await shoot(onLaptop, '09-receipt-complete');

  // Every page there is says so, without a key pressed: they keep themselves up to date.
  await lumenOnLaptop.sees('You were signed out. Sign in again.');
  await lumenOnPhone.sees('You were signed out. Sign in again.');
  await marqueeOnLaptop.sees('You were signed out. Sign in again.');
  await screen.sees('This TV was signed out.');
  await shelf.sees('Waiting to be re-attached by its owner');
  await shoot(lumenOnLaptop, '10-lumen-ended');
  await shoot(shelf, '10-server-ended');
  const newCode = await codeOf(tv, tvCode);
  await screen.sees(newCode);
  const waiting = await reaches(server, 'waiting');
  expect([waiting['id'], waiting['name']]).toEqual([attached['id'], attached['name']]);

  // No way back in without the password: not for Curfew's own pages, in neither browser, and not for the players.
  for (const keyboard of [onLaptop, onPhone]) {
    await keyboard.open(`${demo.url('Curfew')}/account`);
    expect(await keyboard.heading()).toBe('Sign in');
  }
  for (const keyboard of [marqueeOnLaptop, lumenOnPhone]) {
    await keyboard.press('Sign in');
    await until('Curfew asks who it is', async () => (await keyboard.heading()) === 'Sign in');
  }

  // And back: one sign-in, and the codes on display.
  await signInAt(lumenOnLaptop, lumen, setting);
  // The pages that connect a device have been used without script above.
  if (!script) return;
  await connect(onLaptop, newCode, setting);
  await connect(onLaptop, await codeOf(server), setting);
  await screen.sees('Playing for demo');
  await shelf.sees('Attached to demo');
  expect(await reaches(server, 'attached')).toEqual(attached);
  await lumenOnLaptop.sees('Häxan');
}

/** Only the TV's and the server's screens are without script in both. */
async function settingWith({ script }: { script: boolean }): Promise<Omit<Setting, 'shoot'>> {
  const demo = await startDemo({ args: ['--refresh-seconds', '1'] });
  const [laptop, phone] = [await chromium.open('wide', { script }), await chromium.open('phone', { script })];
  return { demo, script, laptop, phone };
}

test('one press ends access everywhere, and everything comes back by signing in: by keyboard alone', async () => {
  await tell({
    ...(await settingWith({ script: true })),
    shoot: (keyboard, name) => photograph(keyboard.page, name),
  });
});

test('one press ends access everywhere without script too: the receipt reloads itself until it is complete', async () => {
  await tell({ ...(await settingWith({ script: false })), shoot: async () => {} });
});
