/**
 * What the hash of an event covers: everything that is kept of it in clear, its place, and the hash of the event before.
 *
 * The encoding is a JSON array of texts, numbers and nulls, always of the same length: where one part ends and the next begins
 * cannot be mistaken, whatever is in them, and any language can write it. docs/audit.md says it for people; to change it is to
 * give it another name.
 */
import { createHash } from 'node:crypto';

import type { EventRecord } from '../store/journal.ts';
import type { Actor } from '../store/records.ts';

const ENCODING = 'curfew-audit-1';

/** What stands before the first event. */
export const BEGINNING = '';

/** An event as the chain covers it. What is sealed is covered by its commitment. */
export type Chained = Omit<EventRecord, 'sealed' | 'seq' | 'hash'> & { readonly seq: number };

/** SHA-256, base64url. `previous`: the hash of the event before, BEGINNING before the first. */
export function hashOf(previous: string, event: Chained): string {
  const { seq, id, at, kind, outcome, accountId, actor, facts, commitment } = event;
  const parts = [ENCODING, previous, seq, id, at.toISOString(), kind, outcome, accountId, actor.kind];
  const covered = JSON.stringify([...parts, whoOf(actor), facts, commitment]);
  return createHash('sha256').update(covered, 'utf8').digest('base64url');
}

function whoOf(actor: Actor): string | null {
  if (actor.kind === 'account') return actor.accountId;
  return actor.kind === 'client' ? actor.clientId : null;
}
