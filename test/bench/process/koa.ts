/** HTTP by itself: reads a form and answers JSON, as every token endpoint does, and nothing else. */
import { createServer } from 'node:http';
import Koa from 'koa';
import getRawBody from 'raw-body';

export async function serveKoa({ port }: { readonly port: number }): Promise<null> {
  const app = new Koa();
  app.use(async (ctx) => {
    const form = new URLSearchParams(await getRawBody(ctx.req, { encoding: 'utf-8' }));
    ctx.set('Cache-Control', 'no-store');
    ctx.body = { access_token: form.get('grant_type'), expires_in: 600, token_type: 'Bearer' };
  });
  const handle = app.callback();
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return null;
}
