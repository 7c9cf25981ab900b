import request from 'supertest';
import { expect, test } from 'vitest';

import { StoreUnavailable } from '../../src/store/port.ts';
import { world } from '../support/world.ts';

test('liveness says alive, readiness says that the store answers', async () => {
  const { issuer } = await world();
  await request(issuer).get('/healthz').expect(200, { status: 'alive' });
  await request(issuer).get('/readyz').expect(200, { status: 'ready', store: 'answers' });
});

test('readiness is refused while the store does not answer, and liveness is not', async () => {
  let down = false;
  const { issuer } = await world({
    seams: {
      wrapStore: (store) => ({
        ...store,
        ping: async () => (down ? Promise.reject(new StoreUnavailable('answer')) : store.ping()),
      }),
    },
  });
  down = true;
  await request(issuer).get('/readyz').expect(503, { status: 'not-ready', store: 'unavailable' });
  await request(issuer).get('/healthz').expect(200);
  down = false;
  await request(issuer).get('/readyz').expect(200);
});

test('metrics count requests, sign-ins, sign-outs and deliveries, and name nobody', async () => {
  const { issuer, alice, player, settle } = await world();
  await player.signIn(alice);
  await alice.signOutOfAllDevices();
  await settle();
  const { text } = await request(issuer)
    .get('/metrics')
    .expect(200)
    .expect('Content-Type', /text\/plain/);
  expect(text).toMatch(/^curfew_sign_ins_total\{outcome="signed-in"\} 1$/m);
  expect(text).toMatch(/^curfew_sign_outs_total\{scope="account"\} 1$/m);
  expect(text).toMatch(/^curfew_deliveries\{status="delivered"\} 1$/m);
  expect(text).toMatch(/curfew_http_request_seconds_count\{route="[^"]*",method="POST",status="3xx"\}/);
  expect(text).not.toContain(alice.username);
  expect(text).not.toContain(alice.id);
});

test('every page carries its security headers', async () => {
  const { issuer } = await world();
  for (const path of ['/sign-in', '/device', '/signed-out', '/nowhere', '/auth']) {
    const { headers } = await request(issuer).get(path).set('Accept', 'text/html');
    expect(headers['content-security-policy'], path).toContain("frame-ancestors 'none'");
    expect(headers['content-security-policy'], path).not.toContain('unsafe');
    expect(headers['x-content-type-options'], path).toBe('nosniff');
    expect(headers['cache-control'], path).toContain('no-store');
    expect(headers['referrer-policy'], path).toBe('same-origin');
  }
});

test('assets are served by name, cached by content, and nothing beside them is', async () => {
  const { issuer } = await world();
  const { headers } = await request(issuer)
    .get('/assets/curfew.css')
    .expect(200)
    .expect('Content-Type', /text\/css/);
  await request(issuer).get('/assets/curfew.css').set('If-None-Match', String(headers['etag'])).expect(304);
  for (const path of ['/assets/', '/assets/../package.json', '/assets/%2e%2e/package.json', '/assets/nothing.css']) {
    await request(issuer).get(path).expect(404);
  }
});

test('an error is a page for a person and JSON for a program, with a request id to ask by', async () => {
  const { issuer } = await world();
  const page = await request(issuer).get('/nowhere').set('Accept', 'text/html').expect(404);
  expect(page.text).toContain('There is nothing here');
  expect(page.text).toContain(page.headers['x-request-id']);
  await request(issuer)
    .get('/nowhere')
    .set('Accept', 'application/json')
    .expect(404, /"error":"not_found"/);
});
