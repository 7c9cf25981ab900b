/** What the company shows. Each page receives what it says; none of them looks anything up. */
import { html, type Markup, type Page } from '../shared/page.ts';
import type { SignOut } from './sign-outs.ts';

export type Company = { readonly name: string; readonly url: string };

const time = (instant: Date): string => `${instant.toISOString().slice(11, 19)} UTC`;

export function welcomePage(company: Company): Page {
  return {
    title: company.name,
    body: html`<h1>${company.name}</h1>
      <p>The people who work here sign in once, and enter their applications with it.</p>
      <p class="actions"><a class="button first" href="/sign-in">Sign in</a></p>`,
  };
}

export type SignInForm = {
  readonly action: string;
  /** Kept with the form: which request is waiting for it. */
  readonly request?: string;
  /** The application that asked. */
  readonly application?: string | undefined;
  /** Somebody is signed in, and the application asks for a fresh proof all the same. */
  readonly again: boolean;
  readonly wrong?: boolean;
};

export function signInPage(company: Company, { action, request, application, again, wrong = false }: SignInForm): Page {
  const asked = application ?? 'An application';
  return {
    title: `Sign in to ${company.name}`,
    status: wrong ? 403 : 200,
    leadsElsewhere: true,
    body: html`<h1>${again ? 'Sign in again' : 'Sign in'}</h1>
      <p class="quiet">${company.name}${application === undefined || again ? undefined : html`, for ${application}`}</p>
      ${
        again
          ? html`<p class="notice" role="status">
              ${asked} asks for a new sign-in: the one that is open here does not count.
            </p>`
          : undefined
      }
      ${wrong ? html`<p class="notice" role="alert">That is not a username and password of ours.</p>` : undefined}
      <form class="fields" method="post" action="${action}">
        ${request === undefined ? undefined : html`<input type="hidden" name="request" value="${request}" />`}
        <label for="username">Username</label>
        <input id="username" name="username" autocomplete="username" autocapitalize="none" required />
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" required />
        <button class="button first" type="submit">Sign in</button>
      </form>`,
  };
}

export type Home = {
  readonly person: string;
  readonly since: Date;
  readonly entered: readonly { readonly application: string; readonly by: string }[];
};

export function homePage(company: Company, { person, since, entered }: Home): Page {
  return {
    title: company.name,
    leadsElsewhere: true,
    body: html`<h1>${company.name}</h1>
      <p>Signed in as <strong>${person}</strong> since ${time(since)}.</p>
      <div class="actions">
        <form method="post" action="/sign-out">
          <button class="button first" type="submit">Sign out here</button>
        </form>
      </div>
      <h2>Entered with this sign-in</h2>
      ${
        entered.length === 0
          ? html`<p class="quiet">Nothing yet.</p>`
          : rows(
              entered.map(
                ({ application, by }) =>
                  html`<li>
                    ${application}<br /><span class="quiet">by ${by}; is told when you sign out here</span>
                  </li>`,
              ),
            )
      }`,
  };
}

export function signedOutPage(company: Company, { at, name, told }: SignOut): Page {
  return {
    title: `${company.name}: signed out`,
    body: html`<h1>${company.name}</h1>
      <p class="notice" role="status">${name} was signed out at ${time(at)}.</p>
      <h2>Who was told</h2>
      ${
        told.length === 0
          ? html`<p class="quiet">Nobody: no application was entered with that sign-in.</p>`
          : rows(
              told.map(
                ({ who, by, answer }) =>
                  html`<li><strong>${who}</strong>: ${answer}<br /><span class="quiet">by ${by}</span></li>`,
              ),
            )
      }
      <p class="actions"><a class="button" href="/sign-in">Sign in</a></p>`,
  };
}

/** An application sent the person here to sign out; `form` is the library's. */
export function confirmSignOutPage(company: Company, form: Markup): Page {
  return {
    title: `Sign out of ${company.name}`,
    leadsElsewhere: true,
    body: html`<h1>Sign out of ${company.name}?</h1>
      <p>You have left an application. Signing out here as well ends what else was entered with this sign-in.</p>
      ${form}
      <div class="actions">
        <button class="button first" form="op.logoutForm" name="logout" value="yes">Sign out here</button>
        <button class="button" form="op.logoutForm">Stay signed in</button>
      </div>`,
  };
}

export function leftPage(company: Company): Page {
  return {
    title: company.name,
    body: html`<h1>${company.name}</h1>
      <p class="notice" role="status">You can close this page.</p>
      <p class="actions"><a class="button" href="/">Back to ${company.name}</a></p>`,
  };
}

/** Carries a SAML answer to the application: by itself, or at a press where there is no script. */
export function onwardPage(
  company: Company,
  answer: { readonly application: string; readonly action: string; readonly fields: Readonly<Record<string, string>> },
): Page {
  return {
    title: `On to ${answer.application}`,
    leadsElsewhere: true,
    script: 'document.forms[0].submit()',
    body: html`<h1>${company.name}</h1>
      <p>You are signed in, and on your way to ${answer.application}.</p>
      <form method="post" action="${answer.action}">
        ${Object.entries(answer.fields).map(
          ([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`,
        )}
        <p class="actions"><button class="button first" type="submit">Continue</button></p>
      </form>`,
  };
}

export function refusedPage(company: Company, reason: string, status: number): Page {
  return {
    title: `${company.name}: not possible`,
    status,
    body: html`<h1>${company.name}</h1>
      <p class="notice" role="alert">${reason}</p>
      <p class="actions"><a class="button" href="/">Back to ${company.name}</a></p>`,
  };
}

const rows = (items: readonly Markup[]): Markup =>
  html`<ul class="rows">
    ${items}
  </ul>`;
