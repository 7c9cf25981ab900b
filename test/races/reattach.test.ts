// A race has two right outcomes.
// oxlint-disable vitest/no-conditional-expect
/** The tap that lets a device back, against the sign-outs that end it again: held before every step it takes. */
import { expect, test, vi } from 'vitest';

import type { Browser } from '../support/browser.ts';
import { atEveryStep, createGates } from '../support/gates.ts';
import { type Person, world } from '../support/world.ts';
import { end, expectWorthless, type Scope, somebody } from './race.ts';

// One test is a few dozen races; a machine may be busy.
vi.setConfig({ testTimeout: 120_000 });

type Begun = {
  readonly person: Person;
  readonly browser: Browser;
  readonly idToken: string;
  readonly code: { readonly device_code: string; readonly user_code: string };
};

test.for<Scope>(['account', 'client', 'everyone'])('a tap against a sign-out of scope %s', async (scope) => {
  const gates = createGates();
  const house = await world({ fakeTime: true, seams: { wrapStore: gates.wrapStore } });
  const { library } = house;
  const ask = async (idToken: string): Promise<Begun['code']> =>
    (await library.post('/device/auth', { scope: 'openid offline_access', id_token_hint: idToken }))
      .body as Begun['code'];
  const steps = await atEveryStep<Begun, unknown>(gates, {
    async prepare() {
      const person = await somebody(house);
      const { id_token: idToken } = await library.connectDevice(person);
      await end(house, 'device', person, library);
      const browser = await person.signIn(person.anotherBrowser());
      const code = await ask(idToken);
      await browser.open('/account/security');
      expect(browser.page.text).toContain(code.user_code);
      return { person, browser, idToken, code };
    },
    request: ({ browser }) => browser.press('Re-attach'),
    meanwhile: ({ person }) => end(house, scope, person, library),
    async afterwards({ person, browser, idToken, code }) {
      expect(browser.page.status).toBeLessThan(500);
      const answer = await library.pollDevice(code.device_code);
      expect(answer.status).toBe(400);
      await expectWorthless(library, answer.body);
      // A code that nobody approved outlives a sign-out of its account, and nothing of anybody is in it.
      const waits = answer.body['error'] === 'authorization_pending';
      expect(waits ? scope : 'any').toBe(waits ? 'account' : 'any');
      // However far it came: one press after a new sign-in brings the device back.
      const next = waits ? code : await ask(idToken);
      house.advance(1);
      const again = await person.signIn(person.anotherBrowser());
      await again.open('/account/security');
      expect(again.page.text).toContain(next.user_code);
      await again.press('Re-attach');
      expect(await library.pollDevice(next.device_code)).toMatchObject({ status: 200 });
    },
  });
  expect(steps).toBeGreaterThan(10);
});
