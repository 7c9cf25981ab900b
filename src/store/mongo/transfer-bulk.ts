/** Many documents at once, as fast as the server takes them. */
import type { Model } from 'mongoose';

import { trusted } from './database.ts';

/** Without the second, what does not fit the schema would be left out in silence. */
export const IN_ANY_ORDER = { ordered: false, throwOnValidationError: true } as const;

/**
 * Puts these in the place of whatever has their ids. Not in one step: cut off in between, it has to be done again, as it may
 * be. To replace them one by one costs five times as much, and so does having each checked against the schema that it was
 * made for.
 */
export async function replaceAll<Document extends { readonly _id: string }>(
  model: Model<Document>,
  documents: readonly Document[],
): Promise<void> {
  await model.deleteMany({ _id: trusted({ $in: documents.map(({ _id }) => _id) }) } as object);
  await model.insertMany(documents, { ...IN_ANY_ORDER, lean: true });
}
