/** The protocol library's pages, in our words and looks. */
import { describeDevice, describePlace } from '../oidc/device.ts';
import type { CurfewSession, DeviceCodeRefusal, ProviderContext, ProviderPages } from '../oidc/provider-parts.ts';
import { explainProviderError } from './error-pages.ts';
import { upstreamOfferedIn } from './sign-out-upstream.ts';
import type { PageName, ViewModels, Views } from './views.ts';

const DEVICE_CODE_REFUSALS: Record<DeviceCodeRefusal, string> = {
  missing: 'Type the code your device shows.',
  unknown: 'This code is not known, or has expired. Check it, or ask your device for a new one.',
  denied: 'The device was not let in. If you want it after all, ask it for a new code.',
  failed: 'That did not work. Ask your device for a new code and type it here.',
};

export function createProviderPages({
  views,
  connectionName,
}: {
  readonly views: Views;
  /** Undefined for a connection that is not configured any more. */
  readonly connectionName: (connectionId: string) => string | undefined;
}): ProviderPages {
  const show = async <Name extends PageName>(ctx: ProviderContext, name: Name, model: ViewModels[Name]) => {
    ctx.type = 'html';
    ctx.body = await views.render(name, model);
  };
  const clientOf = (ctx: ProviderContext) =>
    ctx.oidc.client === undefined ? undefined : { name: ctx.oidc.client.clientName ?? ctx.oidc.client.clientId };

  return {
    async error(ctx, out) {
      await show(ctx, 'error', { ...explainProviderError(out, ctx.status), requestId: String(ctx.state['requestId']) });
    },
    async confirmSignOut(ctx, form) {
      const { upstream } = (ctx.oidc.session ?? {}) as Partial<CurfewSession>;
      const name = upstream?.logout == null ? undefined : connectionName(upstream.connectionId);
      await show(ctx, 'sign-out-confirm', {
        title: 'Sign out',
        form,
        client: clientOf(ctx),
        upstream: name === undefined ? undefined : { name },
      });
    },
    async signedOut(ctx) {
      await show(ctx, 'signed-out', {
        title: 'Signed out',
        client: clientOf(ctx),
        signInUrl: '/sign-in',
        ...upstreamOfferedIn(ctx),
      });
    },
    async enterDeviceCode(ctx, form, refusal) {
      if (refusal !== undefined && ctx.status >= 500) ctx.status = 400;
      const typed = ctx.oidc.params?.['user_code'] ?? ctx.state['userCode'];
      await show(ctx, 'device-code', {
        title: 'Connect a device',
        form,
        userCode: typeof typed === 'string' ? typed : undefined,
        refusal: refusal === undefined ? undefined : DEVICE_CODE_REFUSALS[refusal],
      });
    },
    async confirmDevice(ctx, form, device, userCode) {
      await show(ctx, 'device-confirm', {
        title: 'Connect a device',
        form,
        app: clientOf(ctx)?.name ?? 'An app',
        place: describePlace(device),
        device: describeDevice(device),
        userCode,
      });
    },
    async deviceDone(ctx) {
      await show(ctx, 'device-done', {
        title: 'Device connected',
        app: clientOf(ctx)?.name ?? 'Your device',
        allowed: true,
      });
    },
  };
}
