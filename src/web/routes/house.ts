/** What every route is handed: the rooms it may ask, and the few things all pages do the same way. */
import type Router from '@koa/router';
import type { Context } from 'koa';

import type { Accounts } from '../../accounts/accounts.ts';
import type { Journal } from '../../audit/journal.ts';
import type { DemandedPasswords } from '../../authn/demanded-passwords.ts';
import type { HalfWaySignIns } from '../../authn/half-way.ts';
import type { MailedLinks } from '../../authn/mailed-links.ts';
import type { Passkeys } from '../../authn/passkeys.ts';
import type { RecoveryCodes } from '../../authn/recovery-codes.ts';
import type { SecondFactors } from '../../authn/second-factors.ts';
import type { SignIn } from '../../authn/sign-in.ts';
import type { Totp } from '../../authn/totp.ts';
import type { TrustedBrowsers } from '../../authn/trusted-browsers.ts';
import type { Throttle } from '../../authn/throttle.ts';
import type { Config } from '../../config.ts';
import type { Connections } from '../../connections/connections.ts';
import type { Mailer } from '../../mail/outbox.ts';
import type { BrowserSessions, SignedIn } from '../../oidc/browser-session.ts';
import type { ClientDirectory } from '../../oidc/clients.ts';
import type { deviceSealer } from '../../oidc/device.ts';
import type { DeviceApprovals } from '../../oidc/device-approvals.ts';
import type { Interactions } from '../../oidc/interactions.ts';
import type { ProviderHolder } from '../../oidc/provider-holder.ts';
import type { ReturningDevices } from '../../oidc/returning-devices.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Keyring } from '../../platform/keyring.ts';
import type { Log } from '../../platform/log.ts';
import type { SignOuts } from '../../revocation/sign-out.ts';
import type { Store } from '../../store/port.ts';
import type { Afterwards } from '../afterwards.ts';
import type { OwnCookies } from '../cookies.ts';
import { noteAccountLocale, speak } from '../language.ts';
import type { Csrf } from '../csrf.ts';
import type { Metrics } from '../metrics.ts';
import type { FirstProof } from '../second-step.ts';
import type { PageName, ViewModels, Views } from '../views.ts';

export type Rooms = {
  readonly config: Config;
  readonly clock: Clock;
  readonly keyring: Keyring;
  readonly store: Store;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly views: Views;
  readonly accounts: Accounts;
  readonly signIn: SignIn;
  readonly throttle: Throttle;
  readonly factors: SecondFactors;
  readonly totp: Totp;
  readonly recoveryCodes: RecoveryCodes;
  readonly passkeys: Passkeys;
  readonly trustedBrowsers: TrustedBrowsers;
  readonly demands: DemandedPasswords;
  readonly halfWay: HalfWaySignIns<FirstProof>;
  readonly links: MailedLinks;
  readonly journal: Journal;
  /** Null where no mail is configured. */
  readonly mailer: Mailer | null;
  readonly signOuts: SignOuts;
  readonly clients: ClientDirectory;
  readonly connections: Connections;
  readonly devices: ReturnType<typeof deviceSealer>;
  readonly returning: ReturningDevices;
  readonly approvals: DeviceApprovals;
  readonly provider: ProviderHolder;
  readonly interactions: Interactions;
  readonly browsers: BrowserSessions;
  readonly afterwards: Afterwards;
  /** Aborted when the server stops: what waits for news need not wait any more. */
  readonly stopping: AbortSignal;
};

export type House = Rooms & { readonly router: Router; readonly csrf: Csrf; readonly cookies: OwnCookies };

/** Renders a page as the answer. */
export async function show<Name extends PageName>(
  { views }: Rooms,
  ctx: Context,
  name: Name,
  model: ViewModels[Name],
): Promise<void> {
  ctx.type = 'html';
  ctx.body = await views.render(name, model, speak(ctx));
}

/** Answers a POST with a page to GET: 303, so that no credential is ever sent again (RFC 9700 §4.12). */
export function seeOther(ctx: Context, location: string): void {
  ctx.redirect(location);
  ctx.status = 303;
}

/** Local pages a sign-in may lead back to; anything else leads to the account. */
export function safeReturn(path: string | undefined): string {
  return path !== undefined && /^\/(account(\/(security|devices))?|sign-outs\/[\w-]{1,64})$/.test(path)
    ? path
    : '/account';
}

/** Who is signed in; else the browser is sent to sign in, and null. */
export async function requireSignIn(house: House, ctx: Context): Promise<(SignedIn & { username: string }) | null> {
  const signedIn = await house.browsers.current(ctx);
  const account = signedIn === null ? null : await house.accounts.find(signedIn.accountId);
  if (signedIn === null || account === null || account.status !== 'active') {
    seeOther(ctx, `/sign-in?return_to=${encodeURIComponent(ctx.method === 'GET' ? ctx.path : '/account')}`);
    return null;
  }
  noteAccountLocale(ctx, account.locale);
  return { ...signedIn, username: account.username };
}
