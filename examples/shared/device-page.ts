/** How a device shows its code: large enough to be read across a room, with the address to type it at. */
import type { Code } from './device.ts';
import { html, safeHref, type Markup } from './page.ts';

export function codeSection(code: Code | undefined): Markup {
  if (!code) return html`<p class="quiet">Asking for a code…</p>`;
  const complete = code.verificationUriComplete && safeHref(code.verificationUriComplete);
  return html`<p>On your phone or computer, open</p>
    <p class="address"><strong>${code.verificationUri}</strong></p>
    <p>and enter this code:</p>
    <p class="code">${code.userCode}</p>
    ${complete ? html`<p><a href="${complete}">Open it here, with the code filled in</a></p>` : undefined}`;
}
