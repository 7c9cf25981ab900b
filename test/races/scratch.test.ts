import { expect, test } from 'vitest';
import { world } from '../support/world.ts';

test('plain sign-in without cookies', async () => {
  const { alice } = await world();
  const b = await alice.signIn();
  console.log(b.page.status, b.path, b.heading);
  await b.open('/account');
  console.log(b.page.status, b.path, b.heading);
});
test('mixed client', async () => {
  const w = await world({ clients: [{ client_id: 'media', client_name: 'Media', first_party: true, token_endpoint_auth_method: 'none',
    response_types: ['code'], redirect_uris: ['http://media.test/cb'], grant_types: ['authorization_code','refresh_token','urn:ietf:params:oauth:grant-type:device_code'], backchannel_logout_uri: 'http://127.0.0.1:9/x' }]});
  const { createClient } = await import('../support/client.ts');
  const media = createClient(w.issuer, { client_id: 'media', first_party: true, redirect_uris: ['http://media.test/cb'] });
  const t0 = performance.now();
  const tv = await media.connectDevice(w.alice);
  const web = await media.signIn(w.alice);
  console.log('took', performance.now() - t0);
  console.log(await w.core.store.revocations.clientSessionsOf(w.alice.id));
  const t1 = performance.now();
  for (let i = 0; i < 20; i++) await w.player.signIn(w.alice, w.alice.anotherBrowser());
  console.log('20 sign-ins', performance.now() - t1);
});
