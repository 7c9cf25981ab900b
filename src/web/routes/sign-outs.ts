/** `/sign-outs/:id`: the receipt, as a page, as JSON, and as a stream of what changes. */
import { PassThrough } from 'node:stream';
import type { Context } from 'koa';

import type { SignedIn } from '../../oidc/browser-session.ts';
import { type Language, LANGUAGES } from '../../languages/languages.ts';
import type { Texts } from '../../languages/en.ts';
import {
  actorFor,
  ownerOf,
  readReceipt,
  reasonFor,
  type Receipt,
  receiptJson,
  type ReceiptRow,
} from '../../revocation/receipt.ts';
import type { SignOutRecord, SignOutScope } from '../../store/records.ts';
import { appName } from '../devices.ts';
import { deviceWords } from '../device-words.ts';
import { instant } from '../instants.ts';
import { languageOf } from '../language.ts';
import { Refusal } from '../refusal.ts';
import type { ReceiptBodyView, ReceiptRow as RowView } from '../views.ts';
import { type House, requireSignIn, show } from './house.ts';

const REFRESH_SECONDS = 3;
const STREAM_TICK_MS = 500;
/** A stream left open is closed; the browser opens another if somebody is still looking. */
const STREAM_TICKS = 600;
/** How often a stream asks whether its reader may still read. */
const TICKS_A_CHECK = 4;

/** Who reads: an account's id, for whom the words are chosen, and the name in the header of somebody signed in. */
type Reader = { readonly id: string | null; readonly username: string | null; readonly signedIn: SignedIn | null };

export function signOutRoutes(house: House): void {
  const { router } = house;

  router.get('/sign-outs/:id', async (ctx) => {
    const allowed = await allowedReceipt(house, ctx);
    if (allowed === null) return;
    const { receipt, reader } = allowed;
    const viewer = reader.username;
    const language = languageOf(ctx);
    if (ctx.accepts('html', 'json') === 'json') {
      ctx.body = {
        ...receiptJson(receipt, house.config.issuer),
        done: receipt.done,
        lastTokenExpiresAt: receipt.lastTokenExpiresAt?.toISOString() ?? null,
        devices: (await rowViews(house, receipt, LANGUAGES.en)).map(({ app, device, outcome, keepsAccess, at }) => ({
          app,
          device,
          outcome,
          ...(keepsAccess ? { keepsAccess } : {}),
          at: at?.iso ?? null,
        })),
      };
      return;
    }
    await show(house, ctx, 'receipt', {
      title: language.texts.receipt.title,
      viewer: viewer === null ? undefined : { username: viewer },
      csrf: viewer === null ? undefined : house.csrf.token(ctx),
      ...(await bodyOf(house, receipt, reader, language)),
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
    void follow(house, ctx, allowed, stream).catch((err: unknown) => {
      house.log.warn({ err }, 'receipt.stream-failed');
      stream.end();
    });
  });
}

/** The receipt, for who may read it. Others sign in, or see nothing. */
async function allowedReceipt(house: House, ctx: Context): Promise<{ receipt: Receipt; reader: Reader } | null> {
  const id = String(ctx['params'].id);
  const byCookie = house.cookies.mayReadReceipt(ctx, id);
  const signedIn = await house.browsers.current(ctx);
  if (signedIn === null && !byCookie) {
    await requireSignIn(house, ctx);
    return null;
  }
  const receipt = await readReceipt(house.store, id);
  if (receipt === null || !(await mayRead(house, ctx, receipt.signOut, signedIn))) throw new Refusal(404);
  const account = signedIn === null ? null : await house.accounts.find(signedIn.accountId);
  // A browser that nobody is signed in to any more reads as whoever pressed the button in it.
  const readerId = signedIn === null ? ownerOf(receipt.signOut.scope) : signedIn.accountId;
  return { receipt, reader: { id: readerId, username: account?.username ?? null, signedIn } };
}

/** Its owner may, an admin, and the browser that pressed the button. */
async function mayRead(
  house: House,
  ctx: Context,
  signOut: SignOutRecord,
  signedIn: SignedIn | null,
): Promise<boolean> {
  if (house.cookies.mayReadReceipt(ctx, signOut.id)) return true;
  if (signedIn === null) return false;
  return (
    ownerOf(signOut.scope) === signedIn.accountId || (await house.accounts.find(signedIn.accountId))?.admin === true
  );
}

/** The same, of a request that began a while ago: its Session may have ended, and its cookie's hour be over. */
async function mayStillRead(
  house: House,
  ctx: Context,
  signOut: SignOutRecord,
  signedIn: SignedIn | null,
): Promise<boolean> {
  const { store, clock } = house;
  const session =
    signedIn === null ? null : await store.artifacts.findByUid('Session', signedIn.sessionUid, clock.now());
  return mayRead(house, ctx, signOut, session === null ? null : signedIn);
}

/**
 * Sends the changing part of the page whenever it changes, until there is nothing left to wait for, or whoever opened it
 * may not read it any more.
 */
async function follow(
  house: House,
  ctx: Context,
  { receipt: { signOut }, reader }: { readonly receipt: Receipt; readonly reader: Reader },
  stream: PassThrough,
): Promise<void> {
  const language = languageOf(ctx);
  let last = '';
  for (let tick = 0; tick < STREAM_TICKS && !stream.destroyed && !house.stopping.aborted; tick++) {
    if (tick % TICKS_A_CHECK === 0 && !(await mayStillRead(house, ctx, signOut, reader.signedIn))) break;
    const receipt = await readReceipt(house.store, signOut.id);
    if (receipt === null) break;
    const body = await bodyOf(house, receipt, reader, language);
    const html = await house.views.render('receipt-body', body, language);
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

async function bodyOf(house: House, receipt: Receipt, reader: Reader, language: Language): Promise<ReceiptBodyView> {
  const { signOut, unlisted } = receipt;
  const texts = language.texts.receipt;
  const reason = reasonFor(signOut, reader.id);
  return {
    headline: texts.headline,
    endedAt: instant(signOut.at, language),
    by: texts.actors[actorFor(signOut, reader.id)],
    reason: reason === null ? signOut.reason : texts.reasons[reason],
    scope: await scopeWords(house, signOut.scope, texts),
    summary: summaryOf(receipt),
    rows: await rowViews(house, receipt, language),
    moreRows: unlisted > 0 ? unlisted : undefined,
    lastTokenExpiresAt: receipt.lastTokenExpiresAt === null ? undefined : instant(receipt.lastTokenExpiresAt, language),
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

function outcomeText({ outcome, unsent, keepsAccess }: ReceiptRow, texts: Texts['receipt']): string {
  const [told, untold] = keepsAccess ? [texts.kept, texts.keptUnsent] : [texts.outcomes, texts.unsent];
  return unsent === null ? told[outcome] : untold[unsent];
}

function rowViews(house: House, { rows }: Receipt, language: Language): Promise<RowView[]> {
  const { texts } = language;
  return Promise.all(
    rows.map(async (row) => {
      const { clientId, device, outcome, keepsAccess, at } = row;
      return {
        app: await appName(house, clientId),
        device:
          device === null
            ? texts.receipt.signedOutSince
            : deviceWords(house.devices.unseal(device.grantId, device.sealedDevice), texts),
        outcome,
        keepsAccess,
        text: outcomeText(row, texts.receipt),
        at: at === null || outcome === 'refused' || outcome === 'unreachable' ? undefined : instant(at, language),
      };
    }),
  );
}

async function scopeWords(house: House, scope: SignOutScope, { scopes }: Texts['receipt']): Promise<string> {
  switch (scope.kind) {
    case 'everyone':
      return scopes.everyone;
    case 'client':
      return scopes.client(await appName(house, scope.clientId));
    case 'connection':
      return scopes.connection(scope.connectionId);
    case 'identity':
      return scopes.identity(scope.connectionId);
    case 'upstream':
      return scopes.upstream(scope.connectionId);
    case 'account':
    case 'account-except':
    case 'device':
    case 'browser':
      return scopes[scope.kind];
  }
}
