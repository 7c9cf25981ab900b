/**
 * A person's devices: Client Sessions and browser Sessions that still have access, as rows to recognise and to end.
 */
import { openBrowserSession } from '../oidc/artifact-adapter.ts';
import { describeDevice, describePlace } from '../oidc/device.ts';
import { instant } from './instants.ts';
import type { Rooms } from './routes/house.ts';
import type { DeviceRow } from './views.ts';

type Viewer = { readonly accountId: string; readonly sessionUid: string };

/** Newest use first. Only what would really work is listed: a row whose epochs do not stand has no access to end. */
export async function listDevices(rooms: Rooms, viewer: Viewer): Promise<DeviceRow[]> {
  const { store, clock, keyring, devices } = rooms;
  const [sessions, candidates] = await Promise.all([
    store.artifacts.sessionsOf(viewer.accountId, clock.now()),
    store.revocations.clientSessionsOf(viewer.accountId),
  ]);
  const standing = await Promise.all(candidates.map(({ stamps }) => store.revocations.stand(stamps)));
  const apps = candidates.filter((_candidate, at) => standing[at]);

  const browserRows = sessions.map((session): [Date, DeviceRow] => {
    const payload = openBrowserSession(keyring, session);
    const traits = payload.device ?? { userAgent: '', address: '' };
    const signedInAt = new Date(payload.signedInAt ?? 0);
    const used = apps.filter(({ sessionUid, kind }) => sessionUid === session.uid && kind === 'browser');
    const lastUsedAt = new Date(Math.max(signedInAt.getTime(), ...used.map(({ lastUsedAt }) => lastUsedAt.getTime())));
    return [
      lastUsedAt,
      {
        id: `session-${session.uid}`,
        current: session.uid === viewer.sessionUid,
        app: 'Curfew',
        device: describeDevice(traits),
        place: describePlace(traits),
        firstUsedAt: instant(signedInAt),
        lastUsedAt: instant(lastUsedAt),
        kind: 'browser',
      },
    ];
  });
  const appRows = await Promise.all(
    apps.map(async (session): Promise<[Date, DeviceRow]> => {
      const traits = devices.unseal(session.grantId, session.sealedDevice);
      return [
        session.lastUsedAt,
        {
          id: `grant-${session.grantId}`,
          current: false,
          app: await appName(rooms, session.clientId),
          device: describeDevice(traits),
          place: describePlace(traits),
          firstUsedAt: instant(session.firstUsedAt),
          lastUsedAt: instant(session.lastUsedAt),
          kind: session.kind === 'device' ? 'device' : 'app',
          connectedFrom:
            session.kind === 'browser' && session.sessionUid === viewer.sessionUid ? 'this browser' : undefined,
        },
      ];
    }),
  );
  return [...browserRows, ...appRows]
    .toSorted(([a, rowA], [b, rowB]) => Number(rowB.current) - Number(rowA.current) || b.getTime() - a.getTime())
    .map(([, row]) => row);
}

/** An app's name as its people know it; its id once it is gone. */
export async function appName({ clients }: Pick<Rooms, 'clients'>, clientId: string): Promise<string> {
  const name = (await clients.lookUpFormer(clientId))?.metadata['client_name'];
  return typeof name === 'string' ? name : clientId;
}
