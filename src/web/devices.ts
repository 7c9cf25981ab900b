/**
 * A person's devices: Client Sessions and browser Sessions that still have access, as rows to recognise and to end.
 *
 * However many Client Sessions an account has gathered, a page reads a bounded number of them. The store keeps those that
 * have not ended for as long as somebody may have to be told; here is shown only what would still work.
 */
import { openBrowserSession } from '../oidc/artifact-adapter.ts';
import { REFRESH_TOKEN_SECONDS } from '../oidc/provider.ts';
import { addSeconds } from '../platform/clock.ts';
import type { BrowserSession, ClientSessionRecord, SignOutScope } from '../store/records.ts';
import type { Language } from '../languages/languages.ts';
import { deviceWords, placeWords } from './device-words.ts';
import { instant } from './instants.ts';
import type { Rooms } from './routes/house.ts';
import type { DeviceRow } from './views.ts';

type Viewer = { readonly accountId: string; readonly sessionUid: string };

/** Client Sessions on one page. */
const MOST_APPS = 100;
/** What a page reads in search of them: an old account holds far more than still works. */
const MOST_LOOKED_AT = 1000;
const BATCH = 200;

/**
 * One page of devices, newest use first; the browsers are all on the first. `next` is what the page after it begins
 * behind, if there may be one.
 */
export async function listDevices(
  rooms: Rooms,
  viewer: Viewer,
  language: Language,
  after?: string,
): Promise<{ readonly devices: DeviceRow[]; readonly next: string | undefined }> {
  const { store, clock } = rooms;
  const sessions = await store.artifacts.sessionsOf(viewer.accountId, clock.now());
  const { apps, next } = await appsWithAccess(rooms, viewer.accountId, sessions, after);
  const browsers = after === undefined ? sessions : [];
  const rows = [
    ...browsers.map((session) => browserRow(rooms, viewer, session, apps, language)),
    ...(await Promise.all(apps.map((session) => appRow(rooms, viewer, session, language)))),
  ];
  const devices = rows
    .toSorted(([a, rowA], [b, rowB]) => Number(rowB.current) - Number(rowA.current) || b.getTime() - a.getTime())
    .map(([, row]) => row);
  return { devices, next };
}

/** How many devices there are, in text: "100+" says that the rest was not counted. */
export async function countDevices(rooms: Rooms, accountId: string): Promise<string> {
  const { store, clock } = rooms;
  const sessions = await store.artifacts.sessionsOf(accountId, clock.now());
  const { apps, next } = await appsWithAccess(rooms, accountId, sessions);
  const count = sessions.length + apps.length;
  return next === undefined && count <= MOST_APPS ? String(count) : `${Math.min(count, MOST_APPS)}+`;
}

/** What a row of this id would end; null when it is not this account's, or has no access any more. */
export async function scopeOfDevice(
  { store, clock }: Pick<Rooms, 'store' | 'clock'>,
  accountId: string,
  device: string,
): Promise<SignOutScope | null> {
  const [kind, id = ''] = device.split(/-(.*)/s);
  if (kind === 'session') {
    const sessions = await store.artifacts.sessionsOf(accountId, clock.now());
    return sessions.some(({ uid }) => uid === id) ? { kind: 'browser', accountId, sessionUid: id } : null;
  }
  const session = kind === 'grant' ? await store.revocations.findClientSession(id) : null;
  if (session === null || session.accountId !== accountId || session.endedAt !== null) return null;
  return (await store.revocations.stand(session.stamps)) ? { kind: 'device', accountId, grantId: id } : null;
}

/** By grant id, ascending, behind `after`. */
async function appsWithAccess(
  { store, clock }: Pick<Rooms, 'store' | 'clock'>,
  accountId: string,
  browsers: readonly BrowserSession[],
  after?: string,
): Promise<{ readonly apps: readonly ClientSessionRecord[]; readonly next: string | undefined }> {
  const uids = new Set(browsers.map(({ uid }) => uid));
  const now = clock.now();
  const apps: ClientSessionRecord[] = [];
  let cursor = after;
  for (let looked = 0; looked < MOST_LOOKED_AT; looked += BATCH) {
    const batch = await store.revocations.clientSessionsOf(accountId, { after: cursor, limit: BATCH });
    const candidates = batch.filter((session) => outlasts(session, uids, now));
    const standing = await Promise.all(candidates.map(({ stamps }) => store.revocations.stand(stamps)));
    apps.push(...candidates.filter((_candidate, at) => standing[at]));
    if (apps.length > MOST_APPS) return { apps: apps.slice(0, MOST_APPS), next: apps[MOST_APPS - 1]?.grantId };
    if (batch.length < BATCH) return { apps, next: undefined };
    cursor = batch.at(-1)?.grantId;
  }
  return { apps, next: cursor };
}

/** Whether its tokens can still be alive: they end with the browser's Session, or a refresh token's life after their last use. */
function outlasts(session: ClientSessionRecord, browsers: ReadonlySet<string>, now: Date): boolean {
  return session.persistent
    ? addSeconds(session.lastUsedAt, REFRESH_TOKEN_SECONDS) > now
    : browsers.has(session.sessionUid);
}

function browserRow(
  { keyring }: Pick<Rooms, 'keyring'>,
  viewer: Viewer,
  session: BrowserSession,
  apps: readonly ClientSessionRecord[],
  language: Language,
): [Date, DeviceRow] {
  const payload = openBrowserSession(keyring, session);
  const traits = payload.device ?? { userAgent: '', address: '' };
  const signedInAt = new Date(payload.signedInAt ?? 0);
  const used = apps.filter(({ sessionUid, kind }) => sessionUid === session.uid && kind === 'browser');
  const lastUsedAt = new Date(Math.max(signedInAt.getTime(), ...used.map((app) => app.lastUsedAt.getTime())));
  return [
    lastUsedAt,
    {
      id: `session-${session.uid}`,
      current: session.uid === viewer.sessionUid,
      app: 'Curfew',
      device: deviceWords(traits, language.texts),
      place: placeWords(traits, language.texts),
      firstUsedAt: instant(signedInAt, language),
      lastUsedAt: instant(lastUsedAt, language),
      kind: 'browser',
    },
  ];
}

async function appRow(
  rooms: Rooms,
  viewer: Viewer,
  session: ClientSessionRecord,
  language: Language,
): Promise<[Date, DeviceRow]> {
  const traits = rooms.devices.unseal(session.grantId, session.sealedDevice);
  return [
    session.lastUsedAt,
    {
      id: `grant-${session.grantId}`,
      current: false,
      app: await appName(rooms, session.clientId),
      device: deviceWords(traits, language.texts),
      place: placeWords(traits, language.texts),
      firstUsedAt: instant(session.firstUsedAt, language),
      lastUsedAt: instant(session.lastUsedAt, language),
      kind: session.kind === 'device' ? 'device' : 'app',
      connectedFrom:
        session.kind === 'browser' && session.sessionUid === viewer.sessionUid
          ? language.texts.devices.fromThisBrowser
          : undefined,
    },
  ];
}

/** An app's name as its people know it; its id once it is gone. */
export async function appName({ clients }: Pick<Rooms, 'clients'>, clientId: string): Promise<string> {
  const name = (await clients.lookUpFormer(clientId))?.metadata['client_name'];
  return typeof name === 'string' ? name : clientId;
}
