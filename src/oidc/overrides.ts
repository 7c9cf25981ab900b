/**
 * Where Curfew does otherwise than the protocol library, all in one place: prototypes and getters of exactly one version
 * of it, which is why that version is pinned. Each states what the library does and why that is not enough.
 */
import { errors, type KoaContextWithOIDC, Provider } from 'oidc-provider';

import { artifactKey } from './artifact-adapter.ts';
import { buildClient } from './build-client.ts';
import { noteEpochs, seenProof } from './lineage.ts';
import type { Client, CurfewSession, ProviderParts } from './provider-parts.ts';
import { sessionCookie } from './session-cookie.ts';

const NEW_BROWSER_SECONDS = 3600;
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

/** Applies all of them to a provider just built. */
export function overrideLibrary(provider: Provider, parts: ProviderParts): void {
  pinToIssuer(provider, parts.config.issuer);
  findClientsInDirectory(provider, parts);
  grantOfflineAccessToFirstParties(provider);
  keepProofOnSessions(provider);
  saveBeforeForgetting(provider);
  bindTokensToSessionsAlone(provider);
  rememberNewBrowsers(provider, parts);
  refuseBeforeSpending(provider);
  findGrantBeforeSpending(provider);
  endSessionsThroughTheDoor(provider, parts);
  detectReplaysByInsert(provider, parts);
  recogniseReturningDevices(provider, parts);
}

/** Discovery and every address the library builds come from the configured issuer, never from Host or Forwarded. */
function pinToIssuer(provider: Provider, issuer: string): void {
  const { protocol, host } = new URL(issuer);
  Object.defineProperties(provider.request, {
    protocol: { get: () => protocol.slice(0, -1), configurable: true },
    host: { get: () => host, configurable: true },
  });
}

/** Clients are found in the directory, built once per version, and their epoch is noted each time. */
function findClientsInDirectory(provider: Provider, { clients, store }: ProviderParts): void {
  const built = new Map<string, { version: number; client: Client }>();
  const find = async (id: unknown): Promise<Client | undefined> => {
    if (typeof id !== 'string' || id === '') return undefined;
    const [listed, epochs] = await Promise.all([clients.lookUp(id), store.revocations.epochs([`client:${id}`])]);
    if (listed === null) {
      built.delete(id);
      return undefined;
    }
    noteEpochs(epochs);
    const cached = built.get(id);
    if (cached?.version === listed.version) return cached.client;
    // What it points to was fetched when it was registered: another's outage must not keep anybody from being told.
    const client = buildClient(provider, listed.metadata);
    built.set(id, { version: listed.version, client });
    return client;
  };
  Object.assign(provider.Client, { find });
  Object.assign(provider.Client.prototype, {
    compareClientSecret(this: Client, actual: string): boolean {
      return clients.matches(this.clientId, this.clientSecret ?? '', actual);
    },
    // A Client that can be told is given a `sid`, so that one device of several can be ended at it; and a device, so that
    // it can say which one it was when it comes back.
    includeSid(this: Client): boolean {
      return this.backchannelLogoutUri !== undefined || this.grantTypeAllowed(DEVICE_GRANT);
    },
  });
}

/**
 * First-party Clients have no consent page to prompt for, so `offline_access` is theirs without `prompt=consent`. The
 * library drops the scope unless that prompt is there: it sees it, while nothing that shows pages does.
 */
function grantOfflineAccessToFirstParties(provider: Provider): void {
  type Context = KoaContextWithOIDC['oidc'];
  const context = provider.OIDCContext.prototype;
  const prompts = Object.getOwnPropertyDescriptor(context, 'prompts')?.get;
  const { promptPending } = context;
  if (prompts === undefined) throw new Error('oidc-provider changed: OIDCContext has no `prompts`');
  const asked = (oidc: Context): Set<string> => prompts.call(oidc) as Set<string>;
  class WithConsent extends Set<string> {
    override has(prompt: string): boolean {
      return prompt === 'consent' || super.has(prompt);
    }
  }
  Object.defineProperty(context, 'prompts', {
    get(this: Context) {
      return this.client?.['first_party'] === true ? new WithConsent(asked(this)) : asked(this);
    },
    configurable: true,
  });
  context.promptPending = function (this: Context, name: string) {
    const resuming = this.route.endsWith('resume');
    return resuming || name !== 'consent' ? promptPending.call(this, name) : asked(this).has(name);
  };
}

/** Sessions keep when exactly, and by whom, their person was vouched for. */
function keepProofOnSessions(provider: Provider): void {
  const { Session } = provider;
  const fields = Session.IN_PAYLOAD;
  Object.defineProperty(Session, 'IN_PAYLOAD', {
    get: () => [...fields, 'signedInAt', 'admin', 'device', 'upstream', 'authenticatedAt'],
  });
  const { loginAccount } = Session.prototype;
  Session.prototype.loginAccount = function (this: CurfewSession, details) {
    loginAccount.call(this, details);
    const proof = seenProof();
    if (proof === undefined) throw new Error('a session was signed in without a proof of sign-in');
    const { signedInAt, admin, device, upstream, authenticatedAt = signedInAt } = proof;
    Object.assign(this, { signedInAt, admin, device, upstream, authenticatedAt });
  };
}

/**
 * A Session that gets a new identifier is saved under it before the old one goes. The library does it the other way
 * round, and between the two a token that is bound to the Session finds none and is refused.
 */
function saveBeforeForgetting(provider: Provider): void {
  const { Session } = provider;
  const { save } = Session.prototype;
  Session.prototype.save = async function (this: CurfewSession & { oldId?: string | undefined }, seconds: number) {
    const { oldId } = this;
    this.oldId = undefined;
    const saved = await save.call(this, seconds);
    if (oldId !== undefined) await Session.adapter.destroy(oldId);
    return saved;
  };
}

/**
 * A token bound to a Session lives while that Session does. The library asks besides that the Session still name the
 * token's Grant; but of two apps opened at once in one browser the Session remembers the one that was saved last, and the
 * other's tokens would be dead. A Grant that ended is known by its epoch.
 */
function bindTokensToSessionsAlone(provider: Provider): void {
  type Bound = { readonly accountId?: string; readonly sessionUid?: string; readonly expiresWithSession?: boolean };
  type Find = (value: string, options?: { readonly ignoreSessionBinding?: boolean }) => Promise<Bound | undefined>;
  for (const Model of [provider.AccessToken, provider.RefreshToken, provider.AuthorizationCode]) {
    const library = Model.find.bind(Model) as Find;
    const find: Find = async (value, options) => {
      const token = await library(value, { ...options, ignoreSessionBinding: true });
      if (token?.expiresWithSession !== true || options?.ignoreSessionBinding === true) return token;
      const session = await provider.Session.findByUid(token.sessionUid ?? '');
      return session?.accountId === token.accountId ? token : undefined;
    };
    Object.assign(Model, { find });
  }
}

/** The library looks at the resource a refresh asks for after it has rotated the token: its refusal would have spent it. */
function refuseBeforeSpending(provider: Provider): void {
  const { RefreshToken } = provider;
  const { consume } = RefreshToken.prototype;
  RefreshToken.prototype.consume = async function (this: InstanceType<typeof RefreshToken>) {
    const asked = Provider.ctx?.oidc.params?.['resource'];
    if (typeof asked === 'string' && !this.resourceIndicators.has(asked)) throw new errors.InvalidTarget();
    await consume.call(this);
  };
}

/**
 * The library looks for the Grant of a device code after it has consumed the code. Whoever comes second has the Grant revoked,
 * and whoever came first must not find it gone between being first and being served. As with authorization codes, it is found
 * before.
 */
function findGrantBeforeSpending(provider: Provider): void {
  const { DeviceCode, Grant } = provider;
  const found = new WeakMap<object, InstanceType<typeof Grant>>();
  const { consume } = DeviceCode.prototype;
  DeviceCode.prototype.consume = async function (this: InstanceType<typeof DeviceCode>) {
    const request = Provider.ctx?.oidc;
    const grant = this.grantId === undefined ? undefined : await Grant.find(this.grantId, { ignoreExpiration: true });
    if (request !== undefined && grant !== undefined) found.set(request, grant);
    await consume.call(this);
  };
  const find = Grant.find.bind(Grant);
  Grant.find = (async (id: string, options?: { ignoreExpiration?: boolean }) => {
    const request = Provider.ctx?.oidc;
    const grant = request === undefined ? undefined : found.get(request);
    return grant?.jti === id ? grant : find(id, options);
  }) as typeof Grant.find;
}

/** A device page shown after an error belongs to a browser that may have no Session yet: the library answers 500 there. */
function rememberNewBrowsers(provider: Provider, { config }: ProviderParts): void {
  const { Session } = provider;
  const { persist } = Session.prototype;
  Session.prototype.persist = async function (this: CurfewSession) {
    if (typeof this.exp === 'number') return persist.call(this);
    Provider.ctx?.oidc.cookies.set(provider.cookieName('session'), this.jti, sessionCookie(config.issuer));
    return this.save(NEW_BROWSER_SECONDS);
  };
}

/**
 * A destroyed Session is a Sign-out of that browser: its epoch is raised first, so that a request in flight cannot bring
 * it back, and Clients are told by deliveries. The library's own sender (one try, awaited by the person) is replaced.
 */
function endSessionsThroughTheDoor(provider: Provider, parts: ProviderParts): void {
  const { destroy } = provider.Session.prototype;
  provider.Session.prototype.destroy = async function (this: CurfewSession) {
    if (this.accountId !== undefined) await parts.endBrowserSession({ uid: this.uid, accountId: this.accountId });
    await destroy.call(this);
  };
  Object.assign(provider.Client.prototype, {
    async backchannelLogout(this: { clientId: string }, accountId: string, sid: string): Promise<void> {
      const { oidc } = Provider.ctx ?? {};
      // The whole browser signs out: its Session's end tells every Client.
      if (oidc?.params?.['logout'] !== undefined) return;
      await parts.endClientSession({ sid, accountId, clientId: this.clientId });
    },
  });
}

/** The library finds and then saves; one insert decides instead, so that of two at once one is a replay. */
function detectReplaysByInsert(provider: Provider, { store, clock }: ProviderParts): void {
  const unique = (issuer: string, jti: string, expiresAtSeconds: number): Promise<boolean> =>
    store.artifacts.insert(
      {
        model: 'ReplayDetection',
        key: artifactKey('ReplayDetection', JSON.stringify([issuer, jti])),
        payload: '{}',
        stamps: {},
        expiresAt: new Date((expiresAtSeconds + 60) * 1000),
      },
      clock.now(),
    );
  Object.assign(provider.ReplayDetection, { unique });
}

/**
 * A device that asks for a code may say, by the last ID Token it was given, which one it was. The library refuses the request
 * for a hint that is not good, and keeps one that is with the code; here a hint lists the device and does nothing else, so that
 * its code can be had with any hint, and approved by whoever types it.
 */
function recogniseReturningDevices(provider: Provider, { returning }: ProviderParts): void {
  const { IdToken } = provider;
  const validate = IdToken.validate.bind(IdToken);
  Object.assign(IdToken, {
    async validate(token: string, client: Client) {
      const { ctx } = Provider;
      if (ctx?.oidc.route !== 'device_authorization') return validate(token, client);
      Object.assign(ctx.oidc.params ?? {}, { id_token_hint: undefined });
      const hint = await validate(token, client).catch(() => null);
      // A Logout Token names an account and a `sid` as well, under the same key and for the same Client.
      if (hint === null || ![undefined, 'JWT'].includes(hint.header['typ'] as string) || 'events' in hint.payload)
        return;
      const { sub, sid } = hint.payload;
      ctx.state['returning'] = (await returning.recognise({ sub, sid }, client.clientId)) ?? undefined;
    },
  });
}
