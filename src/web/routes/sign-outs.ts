/** `/sign-outs/:id`: the receipt, as a page, as JSON, and as a stream of what changes. */
import { PassThrough } from 'node:stream';
import type { Context } from 'koa';

import { describeDevice } from '../../oidc/device.ts';
import {
  actorText,
  ownerOf,
  readReceipt,
  type Receipt,
  receiptJson,
  type ReceiptRow,
} from '../../revocation/receipt.ts';
import type { SignOutScope } from '../../store/records.ts';
import { appName } from '../devices.ts';
import { instant } from '../instants.ts';
import { Refusal } from '../refusal.ts';
import type { ReceiptBodyView, ReceiptRow as RowView } from '../views.ts';
import { type House, requireSignIn, show } from './house.ts';

const REFRESH_SECONDS = 3;
const STREAM_TICK_MS = 500;
/** A stream left open is closed; the browser opens another if somebody is still looking. */
const STREAM_TICKS = 600;

export function signOutRoutes(house: House): void {
  const { router } = house;

  router.get('/sign-outs/:id', async (ctx) => {
    const allowed = await allowedReceipt(house, ctx);
    if (allowed === null) return;
    const { receipt, viewer } = allowed;
    if (ctx.accepts('html', 'json') === 'json') {
      ctx.body = {
        ...receiptJson(receipt, house.config.issuer),
        done: receipt.done,
        lastTokenExpiresAt: receipt.lastTokenExpiresAt?.toISOString() ?? null,
        devices: (await rowViews(house, receipt)).map(({ app, device, outcome, at }) => ({
          app,
          device,
          outcome,
          at: at?.iso ?? null,
        })),
      };
      return;
    }
    await show(house, ctx, 'receipt', {
      title: 'Sign-out receipt',
      viewer: viewer === null ? undefined : { username: viewer },
      csrf: viewer === null ? undefined : house.csrf.token(ctx),
      ...(await bodyOf(house, receipt)),
      refreshSeconds: receipt.done ? undefined : REFRESH_SECONDS,
      eventsUrl: `/sign-outs/${receipt.signOut.id}/events`,
      signInUrl: viewer === null ? '/sign-in' : undefined,
    });
  });

  router.get('/sign-outs/:id/events', async (ctx) => {
    const allowed = await allowedReceipt(house, ctx);
    if (allowed === null) return;
    ctx.type = 'text/event-stream';
    ctx.set('Cache-Control', 'no-store');
    ctx.set('X-Accel-Buffering', 'no');
    const stream = new PassThrough();
    ctx.body = stream;
    void follow(house, String(ctx['params'].id), stream).catch((err: unknown) => {
      house.log.warn({ err }, 'receipt.stream-failed');
      stream.end();
    });
  });
}

/** The receipt, for its owner, an admin, or the browser that pressed the button. Others sign in, or see nothing. */
async function allowedReceipt(house: House, ctx: Context): Promise<{ receipt: Receipt; viewer: string | null } | null> {
  const id = String(ctx['params'].id);
  const byCookie = house.cookies.mayReadReceipt(ctx, id);
  const signedIn = await house.browsers.current(ctx);
  if (signedIn === null && !byCookie) {
    await requireSignIn(house, ctx);
    return null;
  }
  const account = signedIn === null ? null : await house.accounts.find(signedIn.accountId);
  const receipt = await readReceipt(house.store, id);
  const owner = receipt === null ? null : ownerOf(receipt.signOut.scope);
  const mine = byCookie || account?.admin === true || (owner !== null && owner === account?.id);
  if (receipt === null || !mine) throw new Refusal(404);
  return { receipt, viewer: account?.username ?? null };
}

/** Sends the changing part of the page whenever it changes, until there is nothing left to wait for. */
async function follow(house: House, id: string, stream: PassThrough): Promise<void> {
  let last = '';
  for (let tick = 0; tick < STREAM_TICKS && !stream.destroyed && !house.stopping.aborted; tick++) {
    const receipt = await readReceipt(house.store, id);
    if (receipt === null) break;
    const html = await house.views.render('receipt-body', await bodyOf(house, receipt));
    if (html !== last) stream.write(eventOf('receipt', html));
    last = html;
    if (receipt.done) {
      stream.write(eventOf('done', ''));
      break;
    }
    await tickOrStop(house);
  }
  stream.end();
}

/** The pause between two looks, cut short when the server stops. */
async function tickOrStop({ clock, stopping }: House): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => resolve();
  const timer = clock.setTimer(STREAM_TICK_MS, done, { background: true });
  stopping.addEventListener('abort', done, { once: true });
  await promise;
  stopping.removeEventListener('abort', done);
  timer.cancel();
}

/** One server-sent event (HTML Living Standard §9.2): each line of data is a line of its own. */
function eventOf(name: string, data: string): string {
  return `event: ${name}\n${data
    .split(/\r?\n/)
    .map((line) => `data: ${line}`)
    .join('\n')}\n\n`;
}

async function bodyOf(house: House, receipt: Receipt): Promise<ReceiptBodyView> {
  const { signOut, unlisted } = receipt;
  return {
    headline: 'Access has ended',
    endedAt: instant(signOut.at),
    by: actorText(signOut.actor),
    reason: signOut.reason,
    scope: await scopeWords(house, signOut.scope),
    summary: summaryOf(receipt),
    rows: await rowViews(house, receipt),
    moreRows: unlisted > 0 ? unlisted : undefined,
    lastTokenExpiresAt: receipt.lastTokenExpiresAt === null ? undefined : instant(receipt.lastTokenExpiresAt),
    done: receipt.done,
  };
}

/** Counted row by row where all are listed; by Deliveries where there are too many to list. */
function summaryOf({ rows, unlisted, deliveries }: Receipt): ReceiptBodyView['summary'] {
  const total = rows.length + unlisted;
  if (unlisted > 0) {
    const { pending, delivered, rejected, abandoned } = deliveries;
    const notApplicable = Math.max(0, total - pending - delivered - rejected - abandoned);
    return { told: delivered, trying: pending, refused: rejected, unreachable: abandoned, notApplicable, total };
  }
  const count = (outcome: ReceiptRow['outcome']): number => rows.filter((row) => row.outcome === outcome).length;
  return {
    told: count('told'),
    trying: count('trying'),
    refused: count('refused'),
    unreachable: count('unreachable'),
    notApplicable: count('not-applicable'),
    waiting: count('waiting'),
    total,
  };
}

const OUTCOME_TEXTS: Record<ReceiptRow['outcome'], string> = {
  told: 'Told at',
  trying: 'Not reached yet. Trying again at',
  refused: 'Told, and refused to listen. It finds out at its next request',
  unreachable: 'Could not be reached. It finds out at its next request',
  'not-applicable': 'Finds out at its next request',
  waiting: 'Being told now',
};

function rowViews(house: House, { rows }: Receipt): Promise<RowView[]> {
  return Promise.all(
    rows.map(async ({ clientId, grantId, sealedDevice, outcome, at }) => ({
      app: await appName(house, clientId),
      device: describeDevice(house.devices.unseal(grantId, sealedDevice)),
      outcome,
      text: OUTCOME_TEXTS[outcome],
      at: at === null || outcome === 'refused' || outcome === 'unreachable' ? undefined : instant(at),
    })),
  );
}

async function scopeWords(house: House, scope: SignOutScope): Promise<string> {
  switch (scope.kind) {
    case 'everyone':
      return 'Everyone, on all devices';
    case 'client':
      return `Everyone, at ${await appName(house, scope.clientId)}`;
    case 'connection':
      return `Everyone who signed in through ${scope.connectionId}`;
    case 'account':
      return 'All devices';
    case 'account-except':
      return 'All other devices';
    case 'device':
      return 'One device';
    case 'browser':
      return 'One browser, and the apps signed in through it';
  }
}
