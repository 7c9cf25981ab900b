/**
 * One MongoDB database behind mongoose: connecting, the models, and the one way anything is asked of it.
 *
 * Invariant: a write's promise resolves only when a majority has it in its journal, a read comes from the primary, and
 * neither waits longer than a bound; whatever the driver reports leaves here as StoreUnavailable, so that nobody concludes
 * anything from it but "not now". It knows nothing of what the documents mean.
 */
import { type Model, Mongoose, type mongo } from 'mongoose';

import { systemClock } from '../../platform/clock.ts';
import { StoreUnavailable, StoreUnusable } from '../port.ts';
import type {
  ArtifactDocument,
  AttemptDocument,
  ClientSessionDocument,
  DeliveryDocument,
  EventDocument,
  FactDocument,
  FailureDocument,
  HouseDocument,
  IncidentDocument,
  IncidentMemberDocument,
  LeaseDocument,
  MailDocument,
  ScopeDocument,
  SignOutDocument,
  SigningKeyDocument,
} from './documents.ts';
import { COLLECTIONS } from './schemas.ts';

/** No question waits longer than this for its answer, the search for a primary included. What it asked may still happen. */
const ANSWER_MS = 5000;
/** A start waits longer: the servers may be starting too. */
const CONNECT_MS = 10_000;
/** A connection that has been silent for so long in the middle of an answer is given up. */
const SILENCE_MS = 60_000;
const CONNECTIONS = 50;
/** The server's word for a key that is there already. */
const DUPLICATE_KEY = 11_000;

/**
 * Nothing is made by the way (indexes are a migration's), nothing waits in a queue of mongoose's own, and an operator in a
 * filter is taken for a value unless this code says `trusted`.
 */
const mongoose = new Mongoose({
  autoCreate: false,
  autoIndex: false,
  bufferCommands: false,
  sanitizeFilter: true,
  strict: 'throw',
  strictQuery: 'throw',
});

/** Marks an operator in a filter as written here, and not come in with a value. */
export const trusted = <Operator extends object>(operator: Operator): Operator => mongoose.trusted(operator);

export type Models = {
  readonly scopes: Model<ScopeDocument>;
  readonly signOuts: Model<SignOutDocument>;
  readonly artifacts: Model<ArtifactDocument>;
  readonly clientSessions: Model<ClientSessionDocument>;
  readonly deliveries: Model<DeliveryDocument>;
  readonly mails: Model<MailDocument>;
  readonly events: Model<EventDocument>;
  readonly signingKeys: Model<SigningKeyDocument>;
  readonly failures: Model<FailureDocument>;
  readonly attempts: Model<AttemptDocument>;
  readonly incidents: Model<IncidentDocument>;
  readonly incidentMembers: Model<IncidentMemberDocument>;
  readonly leases: Model<LeaseDocument>;
  readonly facts: Model<FactDocument>;
  readonly house: Model<HouseDocument>;
};

export type Database = {
  readonly models: Models;
  readonly name: string;
  /** The driver's own view of the database: for migrations and inspections. */
  readonly driver: mongo.Db;
  /** Asks; a fault of the database, or none of its answer in time, is thrown as StoreUnavailable. */
  ask<Result>(doing: string, work: (models: Models) => Promise<Result>): Promise<Result>;
  /** The same without a bound, for what may well take long and nobody waits for with a page in hand. */
  askPatiently<Result>(doing: string, work: (models: Models) => Promise<Result>): Promise<Result>;
  /** Resolves when what was asked before has its answer; every later question is refused. */
  close(): Promise<void>;
};

export type MongoAddress = {
  /** Without a password. */
  readonly url: string;
  readonly password?: string | undefined;
};

/** Connects. Throws StoreUnusable where a person must act (a wrong password), StoreUnavailable where waiting may help. */
export async function connect({ url, password }: MongoAddress): Promise<Database> {
  const connection = mongoose.createConnection(withPassword(url, password), {
    appName: 'curfew',
    maxPoolSize: CONNECTIONS,
    connectTimeoutMS: CONNECT_MS,
    serverSelectionTimeoutMS: CONNECT_MS,
    waitQueueTimeoutMS: ANSWER_MS,
    socketTimeoutMS: SILENCE_MS,
    promoteBuffers: true,
    readPreference: 'primary',
    writeConcern: { w: 'majority', journal: true },
    retryWrites: true,
    retryReads: true,
  });
  try {
    await connection.asPromise();
    const greeting = await connection.db?.command({ hello: 1 });
    // Addressed alone, one member of a set answers whether it is the primary or not.
    if (/[?&]directconnection=true/i.test(url) && greeting?.['setName'] !== undefined) {
      throw new StoreUnusable(
        `${url} is one member of the replica set ${String(greeting['setName'])}, addressed by itself: it would answer when it is not the primary any more. Leave directConnection out of \`store\`, and name the set in replicaSet.`,
      );
    }
  } catch (cause) {
    await connection.close(true).catch(() => undefined);
    throw cause instanceof StoreUnusable ? cause : connectFault(url, cause);
  }
  const driver = connection.db;
  if (driver === undefined) throw new StoreUnavailable('connect to the database');
  const model = <Document>(collection: keyof Models): Model<Document> => {
    const { name, schema } = COLLECTIONS[collection];
    return connection.model(collection, schema, name) as unknown as Model<Document>;
  };
  const models: Models = {
    scopes: model('scopes'),
    signOuts: model('signOuts'),
    artifacts: model('artifacts'),
    clientSessions: model('clientSessions'),
    deliveries: model('deliveries'),
    mails: model('mails'),
    events: model('events'),
    signingKeys: model('signingKeys'),
    failures: model('failures'),
    attempts: model('attempts'),
    incidents: model('incidents'),
    incidentMembers: model('incidentMembers'),
    leases: model('leases'),
    facts: model('facts'),
    house: model('house'),
  };

  const asked = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;
  const askPatiently: Database['askPatiently'] = async (doing, work) => {
    if (closing !== undefined) throw new StoreUnavailable(`${doing}: it is closed`);
    const answer = work(models);
    asked.add(answer);
    try {
      return await answer;
    } catch (fault) {
      throw isDatabaseFault(fault) ? new StoreUnavailable(doing, { cause: fault }) : fault;
    } finally {
      asked.delete(answer);
    }
  };
  return {
    models,
    name: driver.databaseName,
    driver,
    ask: (doing, work) => withinBound(doing, askPatiently(doing, work)),
    askPatiently,
    close() {
      closing ??= Promise.allSettled(asked).then(() => connection.close());
      return closing;
    },
  };
}

/** The driver bounds single steps; a person waits for all of them together. */
function withinBound<Result>(doing: string, answer: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const late = systemClock.setTimer(ANSWER_MS, () =>
      reject(new StoreUnavailable(`${doing}: no answer within ${ANSWER_MS / 1000} s`)),
    );
    answer.then(resolve, reject).finally(() => late.cancel());
  });
}

/** Whether a key of this kind was there already. */
export function isDuplicateKey(fault: unknown): boolean {
  return isDatabaseFault(fault) && fault.code === DUPLICATE_KEY;
}

/** Driver and mongoose name all their errors so; what a mistake of ours throws has another name. */
function isDatabaseFault(fault: unknown): fault is Error & { readonly code?: number } {
  return fault instanceof Error && /^(Mongo|BSON)/.test(fault.name);
}

/** User name and password are percent-encoded in a connection string; ours comes from a file as it is. */
function withPassword(url: string, password: string | undefined): string {
  return password === undefined ? url : url.replace('@', `:${encodeURIComponent(password)}@`);
}

/** What went wrong while a database was looked over for the first time: rights that are missing are a person's to mend. */
export function openingFault(url: string, fault: unknown): unknown {
  return fault instanceof StoreUnavailable && isRefusedEntry(fault.cause) ? connectFault(url, fault.cause) : fault;
}

// 18: authentication failed. 13: not authorised. Waiting mends neither.
function isRefusedEntry(fault: unknown): boolean {
  return fault instanceof Error && 'code' in fault && (fault.code === 18 || fault.code === 13);
}

function connectFault(url: string, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  if (isRefusedEntry(cause)) {
    return new StoreUnusable(
      `${url} refuses to let Curfew in: ${why}. Check the user in \`store\` and storePasswordFile.`,
      {
        cause,
      },
    );
  }
  if (cause instanceof Error && cause.name === 'MongoParseError') {
    return new StoreUnusable(`${url} is not an address that MongoDB understands: ${why}`, { cause });
  }
  return new StoreUnavailable(`connect to ${url} (${why})`, { cause });
}
