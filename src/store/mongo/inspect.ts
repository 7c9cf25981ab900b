/** How a MongoDB store is: looked at, not changed. */
import type { Model } from 'mongoose';

import type { StoreCondition } from '../port.ts';
import type { Database } from './database.ts';
import { missingIndexes, SCHEMA_VERSION } from './migrate.ts';

/** Reads every collection once to find what was recorded last. */
export async function inspect(database: Database): Promise<StoreCondition> {
  const missing = await missingIndexes(database);
  const newest = await database.askPatiently('inspect', async (models) => {
    const { scopes, signOuts, signingKeys, clientSessions, deliveries, mails, events } = models;
    return Promise.all([
      latest(signOuts, 'at'),
      latest(scopes, 'pending.at'),
      latest(scopes, 'account.createdAt'),
      latest(scopes, 'account.passwordChangedAt'),
      latest(scopes, 'client.createdAt'),
      latest(signingKeys, 'createdAt'),
      latest(clientSessions, 'lastUsedAt'),
      latest(deliveries, 'createdAt'),
      latest(deliveries, 'lastAttemptAt'),
      latest(mails, 'createdAt'),
      latest(mails, 'lastAttemptAt'),
      latest(events, 'at'),
    ]);
  });
  const instants = newest.flatMap((each) => (each === null ? [] : [each.getTime()]));
  return {
    schema: SCHEMA_VERSION,
    faults: missing.map((index) => `the index ${index} is missing`),
    remedy: 'run `npx curfew store migrate`',
    clockThere: await clockThere(database),
    newestRecordAt: instants.length === 0 ? null : new Date(Math.max(...instants)),
  };
}

/** Every server tells its time when it is greeted. */
async function clockThere(database: Database): Promise<Date> {
  const greeting = await database.askPatiently('read the clock', () => database.driver.command({ hello: 1 }));
  return greeting['localTime'] as Date;
}

async function latest<Document>(model: Model<Document>, field: string): Promise<Date | null> {
  const [found] = await model.aggregate<{ at: Date | Date[] | null }>([
    { $group: { _id: null, at: { $max: `$${field}` } } },
  ]);
  const at = found?.at ?? null;
  // A field of array elements gives an array for each document, the largest of which begins with the largest element.
  return Array.isArray(at) ? (at[0] ?? null) : at;
}
