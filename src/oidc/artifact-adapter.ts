/**
 * Between the protocol library's Adapter and the store: digests for keys, stamps for every artifact, nothing that opens
 * a door inside a payload.
 *
 * Invariant: the bearer value of an artifact is never written (its key is SHA-256 of it, `jti` is dropped and put back),
 * and what would give one away in passing (an Interaction's return address, a device code) is sealed whole. An artifact
 * is found only while every stamp stands, and what a find saw is remembered in the lineage.
 */
import { hash } from 'node:crypto';

import { type Adapter, type AdapterFactory, type AdapterPayload, errors } from 'oidc-provider';

import { addSeconds, type Clock } from '../platform/clock.ts';
import type { Keyring, SealBinding } from '../platform/keyring.ts';
import { type ArtifactRepository, type RevocationRepository, StoreUnavailable } from '../store/port.ts';
import type { BrowserSession, ClientSessionRecord, FoundArtifact, ScopeKey } from '../store/records.ts';
import type { ClientDirectory } from './clients.ts';
import type { DeviceTraits } from './device.ts';
import { noteEpochs, noteProof, seenVouchers, type SignInProof, stampsFor } from './lineage.ts';

/** Fields of the library's payloads that this file looks at, and those Curfew adds. */
export type Payload = AdapterPayload & {
  sid?: string;
  expiresWithSession?: boolean;
  session?: { accountId?: string; uid?: string; cookie?: string };
  result?: { login?: { accountId?: string }; curfew?: SignInProof };
  deviceInfo?: Record<string, unknown>;
  device?: DeviceTraits;
  signedInAt?: number;
};

/** Payloads sealed whole: they hold raw identifiers of other artifacts, addresses, what a person typed or a client sent. */
export const SEALED_MODELS = [
  'Session',
  'Interaction',
  'AuthorizationCode',
  'DeviceCode',
  'PushedAuthorizationRequest',
] as const;

/** Rows outlive their expiry by the library's clock tolerance; a device code a little more, to answer `expired_token`. */
const TOLERANCE_SECONDS = 15;
const EXPIRED_DEVICE_CODE_SECONDS = 600;
/** Artifacts the library saves without a lifetime. */
const NO_LIFETIME_SECONDS = 10 * 365 * 86_400;

/** A consumed refresh token looks unspent this long, so that a harmless double refresh does not end the whole Grant. */
const DOUBLE_REFRESH_GRACE_SECONDS = 10;

export type ArtifactAdapterOptions = {
  readonly artifacts: ArtifactRepository;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly clients: ClientDirectory;
  /** Epochs as they stand now. */
  readonly epochs: RevocationRepository['epochs'];
  /** The Client Session that comes into being with this artifact, if one does. */
  readonly clientSessionOf: (model: string, payload: Payload) => ClientSessionRecord | undefined;
  readonly revokeGrant: (grantId: string) => Promise<void>;
  readonly noteUse: (grantId: string) => Promise<void>;
};

/** The digest under which an artifact is kept. */
export function artifactKey(model: string, id: string): Buffer {
  return hash('sha256', `${model}:${id}`, 'buffer');
}

/** The factory the library asks for one Adapter per model. */
export function createArtifactAdapter(options: ArtifactAdapterOptions): AdapterFactory {
  return (model) => (model === 'Client' ? clientAdapter(options) : artifactAdapter(model, options));
}

function artifactAdapter(model: string, options: ArtifactAdapterOptions): Adapter {
  const { artifacts, keyring, clock } = options;
  const sealed = SEALED_MODELS.some((each) => each === model);

  const found = (artifact: FoundArtifact | null, id?: string): Payload | undefined => {
    if (artifact === null) return undefined;
    noteEpochs(artifact.epochs);
    const text = sealed ? keyring.unseal(...artifactSeal(model, artifact.key), artifact.payload) : artifact.payload;
    const payload = JSON.parse(text) as Payload;
    if (id !== undefined) payload.jti = id;
    if (payload.result?.curfew !== undefined) noteProof(payload.result.curfew);
    if (artifact.consumedAt !== null && !withinGrace(model, artifact.consumedAt, clock)) {
      payload.consumed = Math.floor(artifact.consumedAt.getTime() / 1000);
    }
    return payload;
  };

  return {
    upsert: (id, payload: Payload, expiresIn) =>
      answering(async () => {
        const key = artifactKey(model, id);
        const kept = withoutBearers(model, payload);
        const text = JSON.stringify(kept);
        const clientSession = options.clientSessionOf(model, payload);
        const uid = model === 'Session' ? payload.uid : undefined;
        const userCode = payload.userCode === undefined ? undefined : userCodeIndex(keyring, payload.userCode);
        const accountId = model === 'Session' ? payload.accountId : undefined;
        const saved = artifacts.save(
          {
            model,
            key,
            payload: sealed ? keyring.seal(...artifactSeal(model, key), text) : text,
            stamps: stampsFor(scopesOf(model, id, payload)),
            expiresAt: addSeconds(clock.now(), lifetimeSeconds(model, expiresIn)),
            ...(uid === undefined ? {} : { uid }),
            ...(userCode === undefined ? {} : { userCode }),
            ...(accountId === undefined ? {} : { accountId }),
          },
          clientSession,
        );
        const used = model === 'RefreshToken' && payload.grantId ? options.noteUse(payload.grantId) : undefined;
        await Promise.all([saved, used]);
      }),
    find: (id) => answering(async () => found(await artifacts.find(artifactKey(model, id), clock.now()), id)),
    findByUid: (uid) => answering(async () => found(await artifacts.findByUid(model, uid, clock.now()))),
    findByUserCode: (userCode) =>
      answering(async () => {
        const payload = found(await artifacts.findByUserCode(userCodeIndex(keyring, userCode), clock.now()));
        return payload && { ...payload, userCode };
      }),
    consume: (id) =>
      answering(async () => {
        const won = await artifacts.consume(artifactKey(model, id), clock.now());
        if (won) return;
        if (model === 'PushedAuthorizationRequest') throw new errors.InvalidRequestUri('request_uri was already used');
        throw new errors.InvalidGrant('already used by a parallel request');
      }),
    destroy: (id) => answering(() => artifacts.destroy(artifactKey(model, id))),
    // The library revokes a Grant model by model; one epoch does for all of them.
    revokeByGrantId: (grantId) =>
      model === 'AccessToken' ? answering(() => options.revokeGrant(grantId)) : Promise.resolve(),
  };
}

/** What a browser's Session says of itself, for its owner's eyes. Throws SealBroken. */
export function openBrowserSession(keyring: Keyring, { key, payload }: BrowserSession): Payload {
  return JSON.parse(keyring.unseal(...artifactSeal('Session', key), payload)) as Payload;
}

/** How such a payload is sealed. */
export function artifactSeal(model: string, key: Uint8Array): SealBinding {
  return ['artifact', { collection: 'artifacts', field: model, id: Buffer.from(key).toString('base64url') }];
}

/** The library's view of Clients. Finding goes through the directory itself (provider.ts), which caches. */
function clientAdapter({ clients, epochs }: ArtifactAdapterOptions): Adapter {
  return {
    upsert: (id, payload) =>
      answering(async () => {
        await clients.register(id, { ...payload });
        // Nobody has looked it up yet, and its registration token is stamped next.
        noteEpochs(await epochs([`client:${id}`]));
      }),
    find: (id) => answering(async () => (await clients.lookUp(id))?.metadata),
    destroy: (id) => answering(() => clients.remove(id)),
    findByUid: async () => undefined,
    findByUserCode: async () => undefined,
    consume: async () => undefined,
    revokeByGrantId: async () => undefined,
  };
}

/** The scopes whose epochs an artifact of this model carries (revocation.md: scopes, lineage). */
function scopesOf(model: string, id: string, payload: Payload): ScopeKey[] {
  const scopes: ScopeKey[] = ['everyone'];
  const accounts = [payload.accountId, payload.session?.accountId, payload.result?.login?.accountId];
  for (const accountId of new Set(accounts)) if (accountId) scopes.push(`account:${accountId}`);
  if (scopes.length > 1) scopes.push(...seenVouchers());
  const clientId = payload.clientId ?? (model === 'Interaction' ? payload.params?.['client_id'] : undefined);
  if (typeof clientId === 'string') scopes.push(`client:${clientId}`);
  const grantId = model === 'Grant' ? id : payload.grantId;
  if (grantId !== undefined && model !== 'Interaction') scopes.push(`grant:${grantId}`);
  const sessionUid = boundSession(model, payload);
  if (sessionUid !== undefined) scopes.push(`session:${sessionUid}`);
  return scopes;
}

/** The browser Session an artifact dies with. Offline tokens and approved devices outlive it. */
function boundSession(model: string, payload: Payload): string | undefined {
  if (model === 'Session') return payload.uid;
  if (model === 'Interaction') return payload.session?.uid;
  if (model === 'AuthorizationCode' || payload.expiresWithSession === true) return payload.sessionUid;
  return undefined;
}

/** A payload without the values that open doors; sealed ones may keep what only the key holder can read. */
function withoutBearers(model: string, payload: Payload): Payload {
  const { consumed: _consumed, ...kept } = payload;
  if (model === 'DeviceCode') return kept; // Found by user code, and then saved under its own id again.
  delete kept.jti;
  if (model === 'Interaction' && kept.session !== undefined) {
    const { cookie: _cookie, ...session } = kept.session;
    kept.session = session;
  }
  return kept;
}

function userCodeIndex(keyring: Keyring, userCode: string): string {
  return keyring.blindIndex('user-code', userCode);
}

function lifetimeSeconds(model: string, expiresIn: number | undefined): number {
  if (expiresIn === undefined || Number.isNaN(expiresIn)) return NO_LIFETIME_SECONDS;
  return expiresIn + TOLERANCE_SECONDS + (model === 'DeviceCode' ? EXPIRED_DEVICE_CODE_SECONDS : 0);
}

function withinGrace(model: string, consumedAt: Date, clock: Clock): boolean {
  return model === 'RefreshToken' && clock.now() < addSeconds(consumedAt, DOUBLE_REFRESH_GRACE_SECONDS);
}

/** A store that cannot answer is 503 for the client, not a server error: it may try again, and nothing was accepted. */
async function answering<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (fault) {
    if (fault instanceof StoreUnavailable) throw unavailable(fault);
    throw fault;
  }
}

/** The OAuth error for a store that is not there (RFC 6749 §4.1.2.1), answered with status 503. */
export function unavailable(cause: StoreUnavailable): errors.OIDCProviderError {
  const error = new errors.TemporarilyUnavailable('the service cannot answer right now, try again', { cause });
  return Object.assign(error, { status: 503, statusCode: 503, expose: true });
}
