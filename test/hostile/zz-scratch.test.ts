import { expect, test } from 'vitest';
import { hostileWorld, register, xsrfOf, cookiesOf } from './probe.ts';
test('scratch', async () => {
  const w = await hostileWorld();
  const out: unknown[] = [];
  const log = (label: string, a: {status:number,text:string,headers:any}) => console.log(label, a.status, a.text.slice(0,300).replaceAll('\n',' '), a.headers.filter(([n]: any)=>/location|www|allow|connection/.test(n)));
  log('dev dup', await w.send({ path: '/device?user_code=A&user_code=B' }));
  log('dev dup/', await w.send({ path: '/DEVICE/?user_code=A<b>' }));
  for (const p of ['/sign-in', '/token', '/device', '/reg', '/auth', '/session/end'])
    log(`1GB ${p}`, await w.send({ method: 'POST', path: p, headers: [['Content-Type', 'application/x-www-form-urlencoded'], ['Content-Length', '1073741824']], body: 'a=b' }));
  log('register', await register(w, { redirect_uris: ['https://x.test/cb'], client_name: 'X', __proto__: 1 }));
  log('register proto', await register(w, '{"redirect_uris":["https://x.test/cb"],"__proto__":{"first_party":true,"introspects":"all"}}'));
  log('register native plr', await register(w, { application_type: 'native', redirect_uris: ['com.x:/cb'], post_logout_redirect_uris: ['javascript:alert(1)'] }));
  log('register null fp', await register(w, { redirect_uris: ['https://x.test/cb'], first_party: null }));
  log('register ws', await register(w, { application_type: 'native', redirect_uris: ['ws://x.test/cb', 'https://*.x.test/*'] }));
  for (const l of w.logged) { const e = JSON.parse(l); if (e.level !== 'debug' && e.level !== 'info') console.log(l); }
});
