/**
 * A first sign-in through a provider against its logout, which names the person by a name that nobody here has heard yet: by
 * what names them for good, or by another. Wherever either of the two is when the other comes, nothing of the sign-in works.
 */
import { expect, test, vi } from 'vitest';

import type { Browser } from '../support/browser.ts';
import { atEveryStep, createGates } from '../support/gates.ts';
import type { SamlPerson } from '../support/saml-company.ts';
import { samlWorld } from '../support/saml-world.ts';

// A few dozen races; a machine may be busy.
vi.setConfig({ testTimeout: 240_000 });

type Begun = { readonly browser: Browser; readonly person: SamlPerson; readonly form: URLSearchParams };

const raced = async (claims: Record<string, string>) => {
  const gates = createGates();
  const seams = { wrapStore: gates.wrapStore };
  const { it, corp } = await samlWorld({ fakeTime: true, seams, connection: { claims } });
  let nth = 0;
  return {
    gates,
    /** The provider has answered, and nothing of its answer has been delivered. */
    async prepare(): Promise<Begun> {
      nth += 1;
      it.advance(1);
      const person = {
        nameId: `name-${nth}`,
        attributes: { uid: `erin-${nth}`, mail: `erin-${nth}@corp.test`, employeeNumber: `${nth}` },
        authenticatedAt: new Date(),
        sessionIndex: `_s${nth}`,
      };
      const browser = it.alice.anotherBrowser();
      await browser.open('/sign-in');
      await browser.press('Continue with Corp');
      return { browser, person, form: corp.answer(browser.left as URL, person).form };
    },
    async signIn({ browser, form }: Begun): Promise<void> {
      const met = await fetch(`${it.issuer}/saml/corp/acs`, { method: 'POST', body: form, redirect: 'manual' });
      await browser.open(met.headers.get('location') ?? '/');
    },
    async logOut({ person: { nameId } }: Begun): Promise<void> {
      const told = await fetch(corp.logoutRequest(`${it.issuer}/saml/corp/slo`, { nameId }), { redirect: 'manual' });
      expect(told.status).toBe(303);
    },
    /** Nobody is signed in; and whoever proves anew who they are is let in. */
    async afterwards({ browser, person }: Begun): Promise<void> {
      expect(browser.page.status).toBeLessThan(500);
      await browser.open('/account');
      expect(browser.path).toMatch(/^\/sign-in/);
      it.advance(1);
      await browser.press('Continue with Corp');
      const anew = { ...person, authenticatedAt: new Date(), sessionIndex: `_anew-${nth}` };
      await corp.sendBack(browser, browser.left as URL, anew);
      expect(browser.path).toBe('/account');
    },
  };
};

const NAMINGS = [
  ['what names them for good', {}],
  ['another name', { subject: 'employeeNumber' }],
] as const;

test.for(NAMINGS)('a first sign-in, held anywhere, against a logout by %s', async ([, claims]) => {
  const { gates, prepare, signIn, logOut, afterwards } = await raced(claims);
  const steps = await atEveryStep<Begun, void>(gates, { prepare, request: signIn, meanwhile: logOut, afterwards });
  expect(steps).toBeGreaterThan(15);
});

test.for(NAMINGS)('a logout, held anywhere, by %s against a first sign-in', async ([, claims]) => {
  const { gates, prepare, signIn, logOut, afterwards } = await raced(claims);
  const steps = await atEveryStep<Begun, void>(gates, { prepare, request: logOut, meanwhile: signIn, afterwards });
  expect(steps).toBeGreaterThan(5);
});
