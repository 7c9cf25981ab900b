import { expect, test } from 'vitest';

import type { Browser } from '../support/browser.ts';
import type { Client } from '../support/client.ts';
import { world } from '../support/world.ts';

/** What the browser is answered where the app asks for nothing to be shown. */
async function silently(browser: Browser, client: Client): Promise<string | null | undefined> {
  await browser.open(client.authorization({ prompt: 'none', scope: 'openid' }).url);
  return browser.left?.searchParams.get('error') ?? (browser.left?.searchParams.has('code') ? 'code' : undefined);
}

test.each(['player', 'cinema'])(
  'signing one app out of a lost laptop keeps it out until somebody signs in there again: %s',
  async (id) => {
    const { alice, core, client, phone } = await world();
    const app = client(id);
    const laptop = alice.browser();
    const tokens = await app.signIn(alice, laptop);
    await phone.signIn(alice, laptop);
    const [session] = (await core.store.revocations.clientSessionsOf(alice.id)).filter(
      ({ clientId }) => clientId === id,
    );
    expect(await silently(laptop, app)).toBe('code');

    await core.signOuts.signOut({
      scope: { kind: 'device', accountId: alice.id, grantId: session?.grantId ?? '' },
      reason: 'lost',
      actor: { kind: 'operator' },
    });

    expect(await silently(laptop, app)).toBe('login_required');
    expect(await silently(laptop, app)).toBe('login_required');
    expect(await silently(laptop, phone)).toBe('code');
    await laptop.open(app.authorization().url);
    expect(laptop.page.text).toContain('You signed out of this app in this browser');
    const again = await app.signIn(alice, laptop);
    expect(await app.refresh(tokens)).toEqual({ error: 'invalid_grant' });
    expect(await app.refresh(again)).toHaveProperty('access_token');
    expect(await silently(laptop, app)).toBe('code');
  },
);
