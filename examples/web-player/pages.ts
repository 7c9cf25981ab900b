/** What the player shows. Each page receives what it says; none of them looks anything up. */
import { html, type Markup, type Page } from '../shared/page.ts';
import type { Shelf } from './shelf.ts';

const REFRESH_SECONDS = 5;

export type SignedOutReason = 'not-yet' | 'ended' | 'left';

const SIGNED_OUT_NOTICE: Record<SignedOutReason, string> = {
  'not-yet': 'Sign in to see your shelf.',
  ended: 'You were signed out. Sign in again.',
  left: 'You have signed out.',
};

export function signedOutPage(player: { name: string; url: string }, reason: SignedOutReason): Page {
  return {
    title: `${player.name}: signed out`,
    body: html`<h1>${player.name}</h1>
      <p class="notice" role="status">${SIGNED_OUT_NOTICE[reason]}</p>
      <p class="actions"><a class="button first" href="${player.url}/login">Sign in</a></p>`,
  };
}

export function refusedPage(player: { name: string; url: string }, reason: string, status: number): Page {
  return {
    title: `${player.name}: no sign-in`,
    status,
    body: html`<h1>${player.name}</h1>
      <p class="notice" role="alert">${reason}</p>
      <p class="actions"><a class="button first" href="${player.url}/login">Sign in</a></p>`,
  };
}

export type SignedIn = {
  person: string;
  refreshedAt: Date;
  trouble: string | undefined;
  shelf: Shelf;
  securityUrl: string;
  live: boolean;
};

export function signedInPage(player: { name: string }, view: SignedIn): Page {
  return {
    title: player.name,
    // So that a sign-out is seen to arrive; a person may stop it, since a page that moves by itself disturbs some.
    refreshSeconds: view.live ? REFRESH_SECONDS : undefined,
    body: html`<h1>${player.name}</h1>
      <p>Signed in as <strong>${view.person}</strong>.</p>
      ${view.trouble ? html`<p class="notice" role="status">${view.trouble}</p>` : undefined}
      <div class="actions">
        <form method="post" action="/refresh"><button class="button" type="submit">Refresh now</button></form>
        <a class="button" href="/logout">Sign out</a>
        <a href="${view.securityUrl}">Account and security</a>
      </div>
      ${shelfSection(view.shelf)}
      <p class="quiet">
        Access last refreshed at ${view.refreshedAt.toISOString().slice(11, 19)} UTC.
        ${
          view.live
            ? html`This page updates itself. <a href="/?live=off">Stop updating</a>`
            : html`<a href="/">Update by itself</a>`
        }
      </p>`,
  };
}

function shelfSection(shelf: Shelf): Markup {
  if ('unavailable' in shelf) {
    return html`<h2>Your shelf</h2>
      <p class="quiet">${shelf.unavailable}</p>`;
  }
  return html`<h2>${shelf.server}</h2>
    <ul class="shelf">
      ${shelf.titles.map(
        ({ title, year }) =>
          html`<li>${title}${year === undefined ? undefined : html`<br /><span class="quiet">${year}</span>`}</li>`,
      )}
    </ul>`;
}
