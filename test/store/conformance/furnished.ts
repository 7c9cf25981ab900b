/** A store with something of everything in it, kept by the port's own methods, and the rows that this must come to. */
import type { Store } from '../../../src/store/port.ts';
import type { Kind, RowOf } from '../../../src/store/transfer.ts';
import {
  account,
  artifact,
  at,
  client,
  clientSession,
  connection,
  credential,
  delivery,
  event,
  hour,
  identifiers,
  identity,
  mail,
  signOutOf,
  signOutRequest,
  signingKey,
  start,
} from '../../support/records.ts';
import { populate } from './together.ts';

/** When everything in it is looked at. */
export const looked = at(60);

const session = artifact('laptop', {
  model: 'Session',
  uid: 'laptop',
  accountId: 'alice',
  stamps: { everyone: 0, 'account:alice': 0, 'session:laptop': 0 },
  expiresAt: at(14 * 24 * hour),
});
const code = artifact('code', { model: 'AuthorizationCode', stamps: { 'grant:phone': 0 } });
const tombstone = artifact('tombstone', { stamps: { 'grant:phone': 0 } });
const deviceCode = artifact('device', { model: 'DeviceCode', userCode: 'index:BCDF', accountId: 'bob' });
const expired = artifact('expired', { expiresAt: at(30) });

const linkedToAlice = [identity('b', 'alice', { linkedAt: at(1) }), identity('a', 'alice', { lastUsedAt: at(2) })];

/** In the order in which they are added, which is neither that of their instants nor that of their ids. */
const heldByAlice = [
  credential('app', 'alice', { kind: 'totp', createdAt: at(2) }),
  credential('browser', 'alice', { kind: 'trusted-browser', createdAt: at(1), lastUsedAt: at(3) }),
  credential('key', 'alice', { createdAt: at(1) }),
];

const events = [
  event('first', { at: at(13), kind: 'email.changed' }),
  event('elsewhere', { at: at(14), accountId: null, actor: { kind: 'operator' } }),
  event('by-app', { at: at(13), accountId: 'carol', actor: { kind: 'client', clientId: 'tv' } }),
];

/** Four people, three apps, and what becomes of them in a minute. */
export async function furnish(store: Store): Promise<void> {
  const { accounts, artifacts, catalogue, deliveries, incidents, journal, leases, outbox, revocations } = store;
  await catalogue.settle('keyring', 'fingerprint');
  await populate(store, ['alice', 'bob', 'carol'], ['player', 'radio', 'tv']);
  await accounts.insert(account('dave', { admin: true, password: null }), { username: 'index:d', email: 'index:d' });
  for (const linked of linkedToAlice) await accounts.linkIdentity(linked);
  for (const held of heldByAlice) await accounts.addCredential(held, { most: 1 });
  await accounts.changeCredential({
    id: 'app',
    accountId: 'alice',
    revision: 0,
    sealed: 'sealed:second',
    usedAt: at(4),
  });
  await accounts.addCredential(credential('of-carol', 'carol'), { most: 1 });
  await accounts.setLocale({ accountId: 'alice', locale: 'pt-BR' });
  await accounts.identify({
    accountId: 'bob',
    expected: account('bob'),
    sealedUsername: 'sealed:username:robert',
    sealedEmail: 'sealed:email:robert',
    emailVerifiedAt: at(9),
    identifiers: identifiers('robert'),
  });
  await accounts.requirePasswordReset({ accountId: 'bob', at: at(9.5) });
  await catalogue.saveConnection(connection('corp'));
  await catalogue.saveConnection(connection('acme', { type: 'oidc' }));
  await catalogue.saveConnection(connection('acme', { type: 'oidc', state: 'second' }));
  await catalogue.saveClient(client('player', { metadata: { client_name: 'Pláyer', 'odd.$name': [1, null] } }));
  await catalogue.addSigningKey(signingKey('a'));
  await catalogue.addSigningKey(signingKey('b', { signsFrom: start }));
  await catalogue.retireSigningKey('b', at(hour));

  await artifacts.save(session);
  const stamps = { 'grant:phone': 0 };
  await artifacts.save(code, clientSession('phone', { selfContainedUntil: at(300), stamps }));
  await artifacts.save(deviceCode, clientSession('sofa', { accountId: 'bob', clientId: 'tv', kind: 'device' }));
  await artifacts.save(tombstone, clientSession('desk', { clientId: 'tv', connectionId: 'acme', persistent: true }));
  await artifacts.save(expired);
  await artifacts.consume(code.key, at(1));
  await artifacts.destroy(tombstone.key);

  // Complete, and delivered to one.
  const player = await revocations.signOut(signOutOf('app-lost', 'client:player', { at: at(2) }));
  const owed = ['delivered', 'rejected', 'leased', 'due'].map((id) => delivery(id, { signOutId: 'app-lost' }));
  await revocations.fanOut({ signOut: player, deliveries: owed, ended: ['phone'] });
  await revocations.completeSignOut(player);
  const leased = await deliveries.claim({ clientId: 'player', now: at(3), leaseUntil: at(40), limit: 4 });
  for (const { id, fence } of leased) {
    if (id === 'due') await deliveries.release([{ id, fence }]);
    if (id !== 'delivered' && id !== 'rejected') continue;
    const outcome = { attempts: 1, nextAttemptAt: null, lastAttemptAt: at(4), lastOutcome: `it was ${id}` };
    await deliveries.settle({ id, fence, status: id, refusals: id === 'rejected' ? 3 : 0, ...outcome });
  }
  // Pending, with something done; and another on the same scope with nothing done, which spares a browser.
  const lost = await revocations.signOut(signOutOf('laptop-lost', 'account:alice', { at: at(5) }));
  await revocations.fanOut({ signOut: lost, deliveries: [delivery('desk')], ended: ['desk'] });
  await revocations.signOut(
    signOutRequest(
      'but-this-one',
      { kind: 'account-except', accountId: 'alice', sessionUid: 'laptop' },
      { at: at(6), actor: { kind: 'account', accountId: 'alice' }, spares: ['session:laptop', 'grant:desk'] },
    ),
  );
  await revocations.revokeGrant('phone', at(7));
  const leaving = signOutOf('carol-leaves', 'account:carol', { at: at(8), actor: { kind: 'system' } });
  await accounts.setStatus({ accountId: 'carol', status: 'deleted', signOut: leaving });
  await catalogue.deleteClient('radio', signOutOf('radio-off', 'client:radio', { at: at(9) }));
  await accounts.setPassword({ accountId: 'bob', hash: 'hash:bob:second', changedAt: at(10) });
  await accounts.noteSignIn({ accountId: 'bob', at: at(10.5) });

  await outbox.enqueue([
    mail('went'),
    mail('refused', { accountId: 'bob' }),
    mail('held', { accountId: null, kind: 'new-address' }),
    mail('waiting'),
    mail('not-yet', { nextAttemptAt: at(50) }),
  ]);
  for (const { id, fence } of await outbox.claim({ now: at(3), leaseUntil: at(40), limit: 9 })) {
    if (id === 'waiting') await outbox.release([{ id, fence }]);
    if (id !== 'went' && id !== 'refused') continue;
    const told = { attempts: 1, nextAttemptAt: null, lastAttemptAt: at(4), lastOutcome: `it ${id}` };
    await outbox.settle({ id, fence, status: id === 'went' ? 'sent' : 'rejected', ...told });
  }
  await journal.append(events);

  // One of the ids begins with the other; and a lease, which is no row.
  for (const id of ['inc_10', 'inc_1']) await incidents.open({ id, openedAt: at(11), state: `of ${id}` });
  await incidents.change({ id: 'inc_1', revision: 0, state: 'changed' });
  await incidents.addMembers('inc_10', ['carol']);
  await incidents.addMembers('inc_1', ['bob', 'Bert']);
  await leases.hold({ name: 'work', holder: 'somebody', now: at(11), leaseUntil: at(90) });

  await accounts.addFailure({ key: 'guess', now: at(11), delaySeconds: () => 3 });
  await accounts.addFailure({ key: 'guess', now: at(12), delaySeconds: () => 3 });
  await accounts.countAttempt({ key: 'minute', windowStart: start, expiresAt: at(120) });
  await accounts.countAttempt({ key: 'minute', windowStart: start, expiresAt: at(120) });
  await accounts.countAttempt({ key: 'past', windowStart: start, expiresAt: at(60) });
}

const hex = ({ key }: { readonly key: Uint8Array }): string => Buffer.from(key).toString('hex');
const kept = ({ id, password: _password, ...record }: ReturnType<typeof account>) => ({
  id,
  ...record,
  passwordHash: `hash:${id}:first`,
  passwordChangedAt: start,
  username: `index:${id}`,
  email: `index:${id}@mail`,
  identities: [],
  credentials: [],
});
const app = (id: string, changes: Partial<RowOf['clients']> = {}): RowOf['clients'] => {
  const { metadata, ...record } = client(id);
  return { ...record, status: 'active', version: 1, metadata: JSON.stringify(metadata), ...changes };
};
const scope = (id: string, epoch: number, seconds: number, others: Partial<RowOf['scopes']> = {}): RowOf['scopes'] => {
  return { id, epoch, spared: {}, pending: [], signedOutAt: at(seconds), raisedAt: at(seconds), ...others };
};
const signOut = (
  { spares: _spares, ...request }: ReturnType<typeof signOutRequest>,
  others: Partial<RowOf['signOuts']> = {},
): RowOf['signOuts'] => ({
  ...request,
  status: 'pending',
  epochBefore: 0,
  spared: {},
  endedSessions: 0,
  endedAccounts: 0,
  endedClients: 0,
  selfContainedUntil: null,
  ...others,
});
const ofApp = (record: ReturnType<typeof clientSession>, others: Partial<RowOf['clientSessions']> = {}) => {
  const { grantId, ...session } = record;
  return { id: grantId, ...session, ...others };
};
const owed = (id: string, others: Partial<RowOf['deliveries']> = {}): RowOf['deliveries'] => {
  return { ...delivery(id, { signOutId: 'app-lost' }), leaseUntil: null, fence: 1, ...others };
};
const thing = (record: ReturnType<typeof artifact>, others: Partial<RowOf['artifacts']> = {}) => {
  const { key: _key, uid = null, userCode = null, accountId = null, ...facts } = record;
  const fresh = { consumedAt: null, destroyed: false };
  return { id: hex(record), ...facts, uid, userCode, accountId, ...fresh, ...others };
};
const queued = (id: string, others: Partial<RowOf['mails']> = {}): RowOf['mails'] => {
  return { ...mail(id), leaseUntil: null, fence: 1, ...others };
};
const member = (incidentId: string, accountId: string): RowOf['incidentMembers'] => {
  return { id: `${incidentId}-${accountId}`, incidentId, accountId };
};
const tried = { attempts: 1, nextAttemptAt: null, lastAttemptAt: at(4) };

type Rows = { readonly [K in Kind]: readonly (K extends 'artifacts' ? Omit<RowOf[K], 'order'> : RowOf[K])[] };

/** What a furnished store holds at `looked`, in order; which artifact was saved first left out. */
export const FURNISHED: Rows = {
  facts: [{ id: 'keyring', value: 'fingerprint' }],
  scopes: [
    scope('account:alice', 2, 6, {
      spared: { 'grant:desk': 1, 'session:laptop': 1 },
      pending: ['but-this-one', 'laptop-lost'],
    }),
    scope('account:carol', 1, 8, { pending: ['carol-leaves'] }),
    scope('client:player', 1, 2),
    scope('client:radio', 1, 9, { pending: ['radio-off'] }),
    scope('grant:phone', 1, 7, { signedOutAt: null }),
  ],
  accounts: [
    {
      ...kept(account('alice', { locale: 'pt-BR' })),
      identities: linkedToAlice.toReversed().map(({ accountId: _accountId, ...linked }) => linked),
      credentials: [
        ...heldByAlice.slice(1),
        { ...(heldByAlice[0] ?? credential('app', 'alice')), sealed: 'sealed:second', revision: 1, lastUsedAt: at(4) },
      ].map(({ accountId: _accountId, ...held }) => held),
    },
    {
      ...kept(account('bob', { sealedUsername: 'sealed:username:robert', sealedEmail: 'sealed:email:robert' })),
      passwordHash: 'hash:bob:second',
      passwordChangedAt: at(10),
      passwordResetRequiredAt: at(9.5),
      emailVerifiedAt: at(9),
      lastSignedInAt: at(10.5),
      username: 'index:robert',
      email: 'index:robert@mail',
    },
    {
      ...kept(account('carol', { status: 'deleted', sealedUsername: '', sealedEmail: '' })),
      passwordHash: null,
      passwordChangedAt: null,
      username: null,
      email: null,
    },
    {
      ...kept(account('dave', { admin: true })),
      passwordHash: null,
      passwordChangedAt: null,
      username: 'index:d',
      email: null,
    },
  ],
  clients: [
    app('player', { version: 2, metadata: '{"client_name":"Pláyer","odd.$name":[1,null]}' }),
    app('radio', { status: 'deleted', version: 2 }),
    app('tv'),
  ],
  connections: [
    { ...connection('acme', { type: 'oidc', state: 'second' }), status: 'active', version: 2 },
    { ...connection('corp'), status: 'active', version: 1 },
  ],
  signOuts: [
    signOut(signOutOf('app-lost', 'client:player', { at: at(2) }), {
      status: 'complete',
      endedSessions: 1,
      endedAccounts: 1,
      endedClients: 1,
      selfContainedUntil: at(300),
    }),
    signOut(
      signOutRequest(
        'but-this-one',
        { kind: 'account-except', accountId: 'alice', sessionUid: 'laptop' },
        { at: at(6), actor: { kind: 'account', accountId: 'alice' } },
      ),
      { epochBefore: 1, spared: { 'grant:desk': 1, 'session:laptop': 1 } },
    ),
    signOut(signOutOf('carol-leaves', 'account:carol', { at: at(8), actor: { kind: 'system' } })),
    signOut(signOutOf('laptop-lost', 'account:alice', { at: at(5) }), {
      endedSessions: 1,
      endedAccounts: 1,
      endedClients: 1,
    }),
    signOut(signOutOf('radio-off', 'client:radio', { at: at(9) })),
  ],
  signingKeys: [
    { id: 'a', ...withoutKid(signingKey('a')) },
    { id: 'b', ...withoutKid(signingKey('b', { signsFrom: start, retiresAt: at(hour) })) },
  ],
  clientSessions: [
    ofApp(clientSession('desk', { clientId: 'tv', connectionId: 'acme', persistent: true }), {
      endedAt: at(5),
      endedBy: 'laptop-lost',
    }),
    ofApp(clientSession('phone', { selfContainedUntil: at(300) }), { endedAt: at(2), endedBy: 'app-lost' }),
    ofApp(clientSession('sofa', { accountId: 'bob', clientId: 'tv', kind: 'device' })),
  ],
  deliveries: [
    owed('delivered', { status: 'delivered', ...tried, lastOutcome: 'it was delivered' }),
    owed('desk', { signOutId: 'sign-out', fence: 0 }),
    owed('due'),
    owed('leased', { leaseUntil: at(40) }),
    owed('rejected', { status: 'rejected', refusals: 3, ...tried, lastOutcome: 'it was rejected' }),
  ],
  mails: [
    queued('held', { accountId: null, kind: 'new-address', leaseUntil: at(40) }),
    queued('not-yet', { nextAttemptAt: at(50), fence: 0 }),
    queued('refused', { accountId: 'bob', status: 'rejected', ...tried, lastOutcome: 'it refused' }),
    queued('waiting'),
    queued('went', { status: 'sent', sealed: '', ...tried, lastOutcome: 'it went' }),
  ],
  events: ['by-app', 'elsewhere', 'first'].flatMap((id) => events.filter((each) => each.id === id)),
  incidents: [
    { id: 'inc_1', openedAt: at(11), state: 'changed', revision: 1 },
    { id: 'inc_10', openedAt: at(11), state: 'of inc_10', revision: 0 },
  ],
  incidentMembers: [member('inc_1', 'Bert'), member('inc_1', 'bob'), member('inc_10', 'carol')],
  artifacts: [
    thing(session),
    thing(code, { consumedAt: at(1) }),
    thing(tombstone, { destroyed: true, payload: '{}' }),
    thing(deviceCode),
  ].sort((a, b) => (a.id < b.id ? -1 : 1)),
  failures: [{ id: 'guess', failures: 2, blockedUntil: at(15), failedAt: at(12) }],
  attempts: [{ id: 'minute', windowStart: start, attempts: 2, expiresAt: at(120) }],
};

function withoutKid({ kid: _kid, ...key }: ReturnType<typeof signingKey>): Omit<RowOf['signingKeys'], 'id'> {
  return key;
}

/** The things in it that tests ask for again. */
export const things = { session, code, tombstone, deviceCode };
