/** The protocol library's pages, in our words and looks. */
import { chooseLocale, LOCALES } from '../languages/choose.ts';
import type { CurfewSession, ProviderContext, ProviderPages } from '../oidc/provider-parts.ts';
import { deviceWords, placeWords } from './device-words.ts';
import { explainProviderError } from './error-pages.ts';
import { noteAccountLocale, speak, textsOf } from './language.ts';
import { upstreamOfferedIn } from './sign-out-upstream.ts';
import type { Texts } from '../languages/en.ts';
import type { PageName, ViewModels, Views } from './views.ts';

export function createProviderPages({
  views,
  connectionName,
  localeOf,
}: {
  readonly views: Views;
  /** The language an account is kept in (BCP 47). */
  readonly localeOf: (accountId: string) => Promise<string | null>;
  /** Undefined for a connection that is not configured any more. */
  readonly connectionName: (connectionId: string) => string | undefined;
}): ProviderPages {
  const show = async <Name extends PageName>(ctx: ProviderContext, name: Name, model: ViewModels[Name]) => {
    ctx.type = 'html';
    ctx.body = await views.render(name, model, speak(ctx));
  };
  const clientOf = (ctx: ProviderContext) =>
    ctx.oidc.client === undefined ? undefined : { name: ctx.oidc.client.clientName ?? ctx.oidc.client.clientId };

  /** The texts for whoever this browser is signed in as. */
  const textsFor = async (ctx: ProviderContext): Promise<Texts> => {
    const accountId = ctx.oidc.session?.accountId;
    if (accountId !== undefined) noteAccountLocale(ctx, await localeOf(accountId));
    return textsOf(ctx);
  };

  return {
    locales: LOCALES,
    async error(ctx, out) {
      const texts = textsOf(ctx);
      await show(ctx, 'error', {
        ...explainProviderError(out, ctx.status, texts),
        requestId: String(ctx.state['requestId']),
      });
    },
    async confirmSignOut(ctx, form) {
      const { upstream } = (ctx.oidc.session ?? {}) as Partial<CurfewSession>;
      const name = upstream?.logout == null ? undefined : connectionName(upstream.connectionId);
      const { signOutConfirm } = await textsFor(ctx);
      const asked = ctx.oidc.params?.['ui_locales'];
      await show(ctx, 'sign-out-confirm', {
        title: signOutConfirm.title,
        uiLocales: typeof asked === 'string' ? chooseLocale({ uiLocales: asked }) : undefined,
        form,
        client: clientOf(ctx),
        upstream: name === undefined ? undefined : { name },
      });
    },
    async signedOut(ctx) {
      await show(ctx, 'signed-out', {
        title: textsOf(ctx).signedOut.title,
        client: clientOf(ctx),
        signInUrl: '/sign-in',
        ...upstreamOfferedIn(ctx),
      });
    },
    async enterDeviceCode(ctx, form, refusal) {
      if (refusal !== undefined && ctx.status >= 500) ctx.status = 400;
      const { deviceCode } = await textsFor(ctx);
      const typed = ctx.oidc.params?.['user_code'] ?? ctx.state['userCode'];
      await show(ctx, 'device-code', {
        title: deviceCode.title,
        form,
        userCode: typeof typed === 'string' ? typed : undefined,
        refusal: refusal === undefined ? undefined : deviceCode.refusals[refusal],
      });
    },
    async confirmDevice(ctx, form, device, userCode) {
      const texts = await textsFor(ctx);
      await show(ctx, 'device-confirm', {
        title: texts.deviceConfirm.title,
        form,
        app: clientOf(ctx)?.name ?? texts.deviceConfirm.anApp,
        place: placeWords(device, texts),
        device: deviceWords(device, texts),
        userCode,
      });
    },
    async deviceDone(ctx) {
      const { deviceDone } = await textsFor(ctx);
      await show(ctx, 'device-done', {
        title: deviceDone.title,
        app: clientOf(ctx)?.name ?? deviceDone.yourDevice,
        allowed: true,
      });
    },
  };
}
