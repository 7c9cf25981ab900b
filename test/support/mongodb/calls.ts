/**
 * Every method of the port with the arguments by which the house asks it, about rows of a filled store (filled.ts). A method
 * that is added to the port and not to this table does not compile.
 */
import type { Store } from '../../../src/store/port.ts';
import { SEALED_COLLECTIONS, type SealedCollection } from '../../../src/store/seals.ts';
import {
  account,
  artifact,
  at,
  client,
  clientSession,
  connection,
  credential,
  day,
  delivery,
  event,
  hour,
  identifiers,
  identity,
  mail,
  signingKey,
  signOutOf,
  start,
  year,
} from '../records.ts';
import { everyone, happened, heldMail, leased, livingSession, pendingSignOut, recorded, rowId } from './filled.ts';

/** Copying has tests of its own (mongo-transfer.test.ts). */
type Room = Exclude<keyof Store, 'ping' | 'inspect' | 'sweep' | 'close' | 'transfer'>;
type ArgumentsOf<Asked> = Asked extends (...given: infer Given) => unknown ? Readonly<Given> : never;
type Table = {
  readonly [Name in Room]: {
    readonly [Method in keyof Required<Store[Name]>]: readonly ArgumentsOf<Required<Store[Name]>[Method]>[];
  };
} & { readonly store: { readonly [Method in 'ping' | 'inspect' | 'sweep']: readonly unknown[][] } };

/** A Sign-out of everyone that is under way, as the fan-out sees it: whoever lives is still to be ended. */
const underWay = { ...everyone, id: 'under-way', epochBefore: 1 };
const claim = (clientId: string, limit: number) => ({ clientId, now: start, leaseUntil: at(60), limit });
const page = { after: rowId(1, 'living'), limit: 20 };
const told = {
  status: 'delivered',
  attempts: 1,
  refusals: 0,
  nextAttemptAt: null,
  lastAttemptAt: start,
  lastOutcome: 'answered 200',
} as const;

const renaming = (accountId: string, name: string) => ({
  accountId,
  expected: { sealedUsername: `sealed:username:${accountId}`, sealedEmail: `sealed:email:${accountId}` },
  sealedUsername: 'another',
  sealedEmail: 'another',
  emailVerifiedAt: at(1),
  identifiers: identifiers(name),
});

const endOfChain = (rows: number) => ({ seq: rows / 2, hash: `hash:${happened(rows / 2 - 1).id}` });

const hexOf = (token: string): string => Buffer.from(artifact(token).key).toString('hex');
/** In the middle of what there is. */
const after = (collection: SealedCollection): string => (collection === 'artifacts' ? '80' : 'connection-2');

/** Several lists of arguments are several ways to ask. */
const tableFor = (rows: number): Table => ({
  accounts: {
    insert: [
      [account('new-person'), identifiers('new-person')],
      [account('another-person'), identifiers('person-7')],
    ],
    find: [['person-7'], ['nobody']],
    findByIdentifier: [[identifiers('person-7').email], ['nobody']],
    list: [[{ limit: 20 }], [{ after: 'person-5', limit: 20 }]],
    count: [[]],
    setPassword: [
      [
        {
          accountId: 'person-8',
          hash: 'another',
          changedAt: at(1),
          signOut: signOutOf('of-a-password', 'account:person-8'),
        },
      ],
      [{ accountId: 'person-7', hash: 'another', changedAt: at(1), expected: 'not that' }],
    ],
    setStatus: [
      [{ accountId: 'person-9', status: 'disabled', signOut: signOutOf('of-a-status', 'account:person-9') }],
      [{ accountId: 'nobody', status: 'deleted' }],
    ],
    identify: [
      [renaming('person-12', 'renamed')],
      [renaming('person-7', 'person-8')],
      [{ ...renaming('person-7', 'renamed'), expected: { sealedUsername: 'not that', sealedEmail: 'nor that' } }],
    ],
    requirePasswordReset: [
      [{ accountId: 'person-13', at: at(1), signOut: signOutOf('of-a-reset', 'account:person-13') }],
      [{ accountId: 'nobody', at: at(1) }],
    ],
    setLocale: [[{ accountId: 'person-14', locale: 'pt-BR' }]],
    noteSignIn: [[{ accountId: 'person-14', at: at(1) }], [{ accountId: 'nobody', at: at(1) }]],
    credentialsOf: [['person-7'], ['nobody']],
    findCredential: [['credential-7'], ['none']],
    addCredential: [
      [credential('new-credential', 'person-15'), { most: 3 }],
      [credential('credential-7', 'person-16'), { most: 3 }],
      [credential('another-credential', 'person-17'), { most: 1 }],
    ],
    changeCredential: [
      [{ id: 'credential-18', accountId: 'person-18', revision: 0, sealed: 'another', usedAt: at(1) }],
      [{ id: 'credential-7', accountId: 'person-8', revision: 0, sealed: 'another', usedAt: null }],
    ],
    removeCredential: [[{ accountId: 'person-19', id: 'credential-19' }], [{ accountId: 'person-7', id: 'none' }]],
    findByIdentity: [['subject-7'], ['none']],
    identitiesOf: [['person-7'], ['nobody']],
    linkIdentity: [[identity('new-subject', 'person-8')], [identity('subject-7', 'person-8')]],
    unlinkIdentity: [[{ accountId: 'person-11', subject: 'subject-11' }], [{ accountId: 'person-7', subject: 'none' }]],
    touchIdentity: [[{ subject: 'subject-7', usedAt: at(1), sealedIdentity: 'sealed' }]],
    throttle: [['failure-7']],
    addFailure: [
      [{ key: 'failure-8', now: start, delaySeconds: () => 1 }],
      [{ key: 'new-failure', now: start, delaySeconds: () => 1 }],
    ],
    clearFailures: [['failure-9']],
    countAttempt: [
      [{ key: 'attempt-7', windowStart: start, expiresAt: at(60) }],
      [{ key: 'attempt-8', windowStart: at(60), expiresAt: at(120) }],
      [{ key: 'new-attempt', windowStart: start, expiresAt: at(60) }],
    ],
  },
  catalogue: {
    saveClient: [[client('client-7')], [client('new-client')]],
    reinstateClient: [['client-7']],
    findClient: [['client-7'], ['none']],
    listClients: [[{ after: 'client-5', limit: 20 }]],
    deleteClient: [['client-8', signOutOf('of-a-client', 'client:client-8')]],
    saveConnection: [[connection('connection-4')], [connection('new-connection')]],
    findConnection: [['connection-1'], ['none']],
    listConnections: [[]],
    deleteConnection: [['connection-6', signOutOf('of-a-connection', 'connection:connection-6')]],
    addSigningKey: [[signingKey('key-0')], [signingKey('new-key')]],
    retireSigningKey: [['key-0', at(day)]],
    removeSigningKey: [['key-2']],
    listSigningKeys: [[]],
    settle: [
      ['fact-7', 'otherwise'],
      ['new-fact', 'so'],
    ],
    changeFact: [
      [{ fact: 'fact-8', from: 'settled', to: 'otherwise' }],
      [{ fact: 'fact-7', from: null, to: 'otherwise' }],
    ],
    fact: [['fact-7'], ['none']],
  },
  artifacts: {
    save: [
      [artifact('token-7', { stamps: livingSession(7, rows).stamps }), livingSession(7, rows)],
      [artifact('new-token'), clientSession('new-grant')],
      [artifact('late-token'), clientSession(rowId(7, 'ended'))],
    ],
    insert: [
      [artifact('token-8'), start],
      [artifact('token-9'), at(day)],
      [artifact('other-token'), start],
    ],
    find: [
      [artifact('token-7').key, start],
      [artifact('none').key, start],
    ],
    findByUid: [['Session', 'browser-7', start]],
    findByUserCode: [['code-7', start]],
    consume: [[artifact('token-10').key, start]],
    destroy: [[artifact('token-11').key]],
    sessionsOf: [['person-7', start]],
  },
  revocations: {
    epochs: [[['everyone', 'account:person-7', 'client:app-1', 'session:raised-7', `grant:${rowId(7, 'living')}`]]],
    stand: [[livingSession(7, rows).stamps]],
    movedBySignOut: [[livingSession(7, rows).stamps]],
    signedOutAt: [['client:client-7']],
    revokeGrant: [
      ['revoked-7', at(1)],
      ['new-grant', at(1)],
    ],
    signOut: [[signOutOf('new-sign-out', 'account:person-10')], [pendingSignOut(7)]],
    findSignOut: [['pending-7'], ['complete-7'], ['none']],
    listSignOuts: [[20]],
    pendingSignOuts: [[100]],
    leaseSignOut: [[{ signOut: recorded(pendingSignOut(7)), holder: 'this', now: start, leaseUntil: at(15) }]],
    sessionsToEnd: [
      [underWay, page],
      ...(
        [
          { kind: 'client', clientId: 'app-1' },
          { kind: 'connection', connectionId: 'connection-2' },
          { kind: 'account', accountId: 'person-7' },
          { kind: 'identity', accountId: 'person-7', connectionId: 'connection-2', subject: 'subject-7' },
          { kind: 'upstream', accountId: 'person-7', connectionId: 'connection-2', upstreamSession: 'there-7' },
          { kind: 'account-except', accountId: 'person-7', sessionUid: 'browser-7' },
          { kind: 'device', accountId: 'person-7', grantId: rowId(7, 'living') },
          { kind: 'browser', accountId: 'person-7', sessionUid: 'browser-7' },
        ] as const
      ).map((scope) => [{ ...underWay, scope }, { limit: 20 }] as const),
    ],
    fanOut: [
      [
        {
          signOut: recorded(pendingSignOut(9)),
          ended: [rowId(20, 'living'), rowId(21, 'living'), rowId(22, 'living')],
          deliveries: [delivery(rowId(7, 'pending')), delivery('new-delivery', { status: 'delivered' })],
        },
      ],
    ],
    completeSignOut: [[recorded(pendingSignOut(8))]],
    findClientSession: [[rowId(7, 'living')]],
    clientSessionsOf: [['person-7'], ['person-7', { after: rowId(2, 'living'), limit: 2 }]],
    endedBy: [['everyone', { after: rowId(1, 'ended'), limit: 20 }]],
    touchClientSession: [
      [{ grantId: rowId(7, 'living'), lastUsedAt: at(7) }],
      [{ grantId: rowId(7, 'ended'), lastUsedAt: at(7), selfContainedUntil: at(60) }],
    ],
    reach: [[{ kind: 'everyone' }], [{ kind: 'account-except', accountId: 'person-7', sessionUid: 'browser-7' }]],
    ended: [['everyone']],
  },
  deliveries: {
    clientsDue: [[start]],
    claim: [[claim('app-0', 5)], [claim('nobody', 5)]],
    settle: [[{ ...leased, ...told }]],
    release: [[[leased, { id: rowId(8, 'pending'), fence: 7 }]]],
    nextDueAt: [[]],
    find: [[rowId(7, 'pending')]],
    list: (
      [
        {},
        { status: 'rejected' },
        { clientId: 'app-1' },
        { signOutId: 'everyone' },
        { signOutId: 'complete-1' },
        { accountId: 'person-7' },
        { status: 'abandoned', clientId: 'app-2' },
        { status: 'rejected', signOutId: 'everyone' },
      ] as const
    ).map((filter) => [{ ...filter, page: { after: rowId(2, 'abandoned'), limit: 20 } }] as const),
    counts: [[{}], [{ signOutId: 'complete-1' }]],
    revive: (
      [{ limit: 5 }, { clientId: 'app-3', limit: 5 }, { ids: [rowId(10, 'rejected'), rowId(11, 'abandoned')] }] as const
    ).map((which) => [{ ...which, now: start, deadlineAt: at(day) }] as const),
  },
  outbox: {
    enqueue: [[[mail('new-mail'), mail(rowId(7, 'pending'))]]],
    claim: [[{ now: start, leaseUntil: at(60), limit: 5 }]],
    settle: [
      [
        {
          ...heldMail,
          status: 'sent',
          attempts: 1,
          nextAttemptAt: null,
          lastAttemptAt: start,
          lastOutcome: 'accepted',
        },
      ],
    ],
    release: [[[heldMail, { id: rowId(8, 'pending'), fence: 7 }]]],
    nextDueAt: [[]],
    find: [[rowId(7, 'pending')]],
    list: (
      [{}, { status: 'rejected' }, { accountId: 'person-7' }, { status: 'sent', accountId: 'person-7' }] as const
    ).map((filter) => [{ ...filter, page: { after: rowId(2, 'abandoned'), limit: 20 } }] as const),
    counts: [[]],
    revive: ([{}, { ids: [rowId(10, 'rejected'), rowId(11, 'abandoned')] }] as const).map(
      (which) => [{ ...which, now: start, deadlineAt: at(day), limit: 5 }] as const,
    ),
  },
  journal: {
    append: [[[event('new-event'), happened(7)]]],
    eventsOf: [
      ['person-2', { limit: 20 }],
      // Most of what happened to this person is later.
      ['person-2', { after: happened(rows / 4 + 2), limit: 20 }],
      ['nobody', { limit: 20 }],
      ['person-2', { limit: 20, kinds: ['password.changed', 'account.signed-in'] }],
    ],
    forget: [['person-3'], ['nobody']],
    unchained: [[20]],
    commit: [[[{ id: happened(rows - 1).id, from: happened(rows - 1).sealed, sealed: 'anew', commitment: 'to-it' }]]],
    head: [[]],
    chain: [
      [{ after: endOfChain(rows), events: [{ id: happened(rows / 2).id, hash: 'hash' }] }],
      [{ after: null, events: [{ id: happened(rows / 2).id, hash: 'hash' }] }],
    ],
    chained: [[{ after: 0, limit: 20 }], [{ after: rows / 4, limit: 20 }]],
    prune: [[{ through: 10, limit: 5 }]],
  },
  cohorts: {
    matching: [
      [{}, { after: 'person-5', limit: 20 }],
      [{ clientId: 'app-1' }, { after: 'person-3', limit: 20 }],
      [{ connectionId: 'linked-elsewhere' }, { limit: 20 }],
      [{ connectionId: 'connection-2' }, { after: 'person-3', limit: 20 }],
      [
        {
          clientId: 'app-2',
          connectionId: 'corp',
          createdBefore: at(1),
          createdAfter: at(-1),
          signedInBefore: at(1),
        },
        { among: ['person-2', 'person-7', 'person-12'], limit: 20 },
      ],
      [{ signedInAfter: at(-1) }, { limit: 20 }],
    ],
    count: [[{}], [{ clientId: 'app-2', connectionId: 'connection-2' }]],
    contain: [
      [
        [
          {
            accountId: 'person-21',
            signOut: signOutOf('inc_1-person-21', 'account:person-21'),
            passwordResetRequiredAt: at(1),
            disable: true,
          },
          { accountId: 'person-22', signOut: null, passwordResetRequiredAt: at(1), disable: false },
          { accountId: 'nobody', signOut: null, passwordResetRequiredAt: null, disable: true },
        ],
      ],
    ],
    reach: [['everyone'], [['person-7', 'person-8', 'nobody']]],
  },
  incidents: {
    open: [[{ id: 'inc_new', openedAt: at(1), state: '{}' }], [{ id: 'inc_7', openedAt: at(1), state: '{}' }]],
    change: [[{ id: 'inc_8', revision: 0, state: '{"of":8}' }], [{ id: 'inc_7', revision: 7, state: '{}' }]],
    find: [['inc_7'], ['none']],
    list: [[20]],
    addMembers: [['inc_7', ['person-7', 'new-person']]],
    membersOf: [['inc_0', { after: 'person-5', limit: 20 }]],
    countMembers: [['inc_0']],
    // What is there by these names looks like an incident's.
    progress: [['complete'], ['0007']],
    deliveriesByClient: [['complete']],
    timeline: [['complete', 60]],
  },
  leases: {
    hold: [
      [{ name: 'lease-7', holder: 'somebody-else', now: start, leaseUntil: at(60) }],
      [{ name: 'new-lease', holder: 'this', now: start, leaseUntil: at(60) }],
    ],
    release: [[{ name: 'lease-8', holder: 'holder-8' }]],
  },
  seals: {
    rows: SEALED_COLLECTIONS.flatMap((collection) => [
      [collection, { limit: 20 }],
      [collection, { after: { id: after(collection), accountId: 'person-5' }, limit: 20 }],
    ]),
    count: SEALED_COLLECTIONS.map((collection) => [collection] as const),
    replace: (
      [
        ['accounts', 'person-20', 'sealedEmail', 'sealed:email:person-20'],
        ['identities', 'subject-20', 'sealedIdentity', 'sealed:identity:subject-20'],
        ['credentials', 'credential-20', 'sealed', 'sealed:credential:credential-20'],
        ['signingKeys', 'key-1', 'sealedJwk', 'not that'],
        ['artifacts', hexOf('token-20'), 'payload', artifact('token-20').payload],
      ] as const
    ).map(([collection, id, field, from]) => [collection, [{ id, accountId: 'person-20', field, from, to: 'anew' }]]),
  },
  store: {
    ping: [[]],
    inspect: [[]],
    sweep: [
      [{ now: start, limit: 50 }],
      // Everything is old by then, and most of it may not go.
      [{ now: at(3 * year + hour), limit: 50 }],
    ],
  },
});

export type Call = {
  /** As `room.method`. */
  readonly method: string;
  readonly given: readonly unknown[];
  /** Asks with these arguments or with others. */
  ask(store: Store, given?: readonly unknown[]): Promise<unknown>;
};

/** Every way to ask, for a store that was filled with so many rows. */
export function callsFor(rows: number): readonly Call[] {
  return Object.entries(tableFor(rows)).flatMap(([room, methods]) =>
    Object.entries(methods as Record<string, readonly (readonly unknown[])[]>).flatMap(([method, ways]) =>
      ways.map((given): Call => {
        return {
          method: room === 'store' ? method : `${room}.${method}`,
          given,
          async ask(store, instead = given) {
            const asked = room === 'store' ? store : store[room as Room];
            return (asked as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>)[method]?.(
              ...instead,
            );
          },
        };
      }),
    ),
  );
}
