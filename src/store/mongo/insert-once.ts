/** Inserting what may be there already: twice is once, and whatever is there stays as it is. */
import type { Model } from 'mongoose';

import { isDuplicateKey } from './database.ts';
import { IN_ANY_ORDER } from './transfer-bulk.ts';

/** Resolves to how many were not there. */
export async function insertOnce<Document extends { readonly _id: string }>(
  model: Model<Document>,
  documents: readonly Document[],
): Promise<number> {
  if (documents.length === 0) return 0;
  try {
    await model.insertMany(documents, IN_ANY_ORDER);
    return documents.length;
  } catch (fault) {
    // Unordered: all the others were written; and what is there twice was all that went wrong.
    const refused = isDuplicateKey(fault) ? duplicatesOnly(fault) : undefined;
    if (refused === undefined) throw fault;
    return documents.length - refused;
  }
}

/** How many were there already; nothing when something else went wrong, too. */
function duplicatesOnly(fault: unknown): number | undefined {
  const { writeErrors = [] } = fault as { writeErrors?: readonly { readonly code?: number }[] };
  return writeErrors.every(({ code }) => code === 11_000) ? writeErrors.length : undefined;
}
