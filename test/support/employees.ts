/**
 * A company whose people sign in by its own provider, by either protocol: Acme speaks OpenID Connect, Corp speaks SAML, and
 * tests say the same of both. What the provider answers, or says of a sign-out, is had first and delivered later, as often
 * as one likes.
 */
import { onTestFinished } from 'vitest';

import type { Browser } from './browser.ts';
import type { SamlPerson } from './saml-company.ts';
import { corpAndConnection } from './saml-world.ts';
import { startUpstream } from './upstream-idp.ts';

export const COMPANIES = ['Acme', 'Corp'] as const;
export type Company = (typeof COMPANIES)[number];

/** One message of the provider's on its way to Curfew, as a browser from another site or the provider itself brings it. */
export type Delivery = () => Promise<Response>;

/** Somebody who works at the company. */
export type Employee = {
  /** What the account is called that is made for them. */
  readonly username: string;
  readonly email: string;
  /**
   * Signs in where a browser was sent to; resolves to the answer. `elsewhere`: in a browser that has no session there.
   */
  answer(asked: URL, where?: 'here' | 'elsewhere'): Promise<Delivery>;
  /** Signs out there, altogether or of the session they have; resolves to what Curfew is to be told of it. */
  leave(naming: 'person' | 'session'): Promise<Delivery>;
};

export type Employer = {
  readonly company: Company;
  /** As a configuration has it. */
  readonly connection: Record<string, unknown> & { readonly id: string };
  /** What a sign-out that was heard is answered with. */
  readonly heard: number;
  /** Learns where Curfew is, before anybody comes from there. */
  meet(issuer: string): void;
  /** Somebody nobody has met. `email`: by default one that no account has. */
  stranger(email?: string): Employee;
};

export const employer = (company: Company): Promise<Employer> => (company === 'Acme' ? acmeCompany() : corpCompany());

/** The answer is delivered, and the browser goes on to where that leads. Resolves to how it was met. */
export async function arrive(browser: Browser, deliver: Delivery): Promise<number> {
  const met = await deliver();
  const next = met.headers.get('location');
  if (next !== null) await browser.open(next);
  return met.status;
}

/** Comes back from the company, if the browser was sent there. */
export async function goOn(browser: Browser, person: Employee): Promise<void> {
  const { left } = browser;
  const isThere = left?.searchParams.has('SAMLRequest') === true || left?.searchParams.get('client_id') === 'curfew';
  if (left !== undefined && isThere) await arrive(browser, await person.answer(left));
}

/** From a page that offers the company, as often as the person is sent there: once more where a newer proof is asked for. */
export async function comeThrough(company: Company, browser: Browser, person: Employee): Promise<void> {
  await browser.press(`Continue with ${company}`);
  await goOn(browser, person);
  await goOn(browser, person);
}

/** The browser is at the company's, which has answered; nothing of the answer has been delivered. */
export async function answered(
  company: Company,
  browser: Browser,
  person: Employee,
  page: string,
  where?: 'elsewhere',
): Promise<Delivery> {
  await browser.open(page);
  await browser.press(`Continue with ${company}`);
  if (browser.left === undefined) throw new Error(`not sent to ${company}: ${browser.page.status} ${browser.heading}`);
  return person.answer(browser.left, where);
}

let nth = 0;

async function acmeCompany(): Promise<Employer> {
  const sessions = new Map<unknown, unknown>();
  const acme = await startUpstream({
    name: 'Acme',
    behaviour: {
      idToken(claims) {
        sessions.set(claims['sub'], claims['sid']);
        return claims;
      },
    },
  });
  onTestFinished(() => acme.stop());
  let issuer = '';
  return {
    company: 'Acme',
    connection: {
      id: 'acme',
      type: 'oidc',
      name: 'Acme',
      issuer: acme.issuer,
      client_id: 'curfew',
      scopes: ['openid', 'profile', 'email'],
      trustEmail: true,
    },
    heard: 200,
    meet(where) {
      issuer = where;
      acme.registerClient({
        client_id: 'curfew',
        token_endpoint_auth_method: 'none',
        redirect_uris: [`${issuer}/federation/acme/callback`],
        backchannel_logout_uri: `${issuer}/federation/acme/backchannel-logout`,
        scope: 'openid profile email',
      });
    },
    stranger(given) {
      const username = `carol-${++nth}`;
      const email = given ?? `${username}@acme.test`;
      const sub = `acme-${username}`;
      acme.addAccount({ sub, claims: { preferred_username: username, email, email_verified: true } });
      const person = acme.person(sub);
      let there = person.browser();
      return {
        username,
        email,
        async answer(asked, where = 'here') {
          const back = await person.follow(asked, where === 'here' ? there : person.anotherBrowser());
          return () => fetch(back, { redirect: 'manual' });
        },
        async leave(naming) {
          const sid = sessions.get(sub);
          if (naming === 'session' && typeof sid !== 'string') throw new Error(`${sub} has no session yet`);
          there = person.anotherBrowser();
          const token = await acme.logoutToken('curfew', naming === 'person' ? { sub } : { sid: String(sid) });
          const body = new URLSearchParams({ logout_token: token });
          return () => fetch(`${issuer}/federation/acme/backchannel-logout`, { method: 'POST', body });
        },
      };
    },
  };
}

async function corpCompany(): Promise<Employer> {
  const { corp, entry } = await corpAndConnection();
  let issuer = '';
  return {
    company: 'Corp',
    connection: entry,
    heard: 303,
    meet(where) {
      issuer = where;
    },
    stranger(given) {
      const username = `erin-${++nth}`;
      const email = given ?? `${username}@corp.test`;
      let person: SamlPerson = {
        nameId: `employee-${nth}`,
        attributes: { uid: username, mail: email },
        authenticatedAt: new Date(),
        sessionIndex: `_session-${nth}`,
      };
      return {
        username,
        email,
        async answer(asked) {
          const { acsUrl, form } = corp.answer(asked, person);
          return () => fetch(acsUrl, { method: 'POST', body: form, redirect: 'manual' });
        },
        async leave(naming) {
          const { nameId, sessionIndex } = person;
          const named = { nameId, sessionIndex: naming === 'session' ? sessionIndex : undefined };
          person = { ...person, sessionIndex: `${sessionIndex}-again` };
          const told = corp.logoutRequest(`${issuer}/saml/corp/slo`, named);
          return () => fetch(told, { redirect: 'manual' });
        },
      };
    },
  };
}
