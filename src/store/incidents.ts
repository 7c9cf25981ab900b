/**
 * Incidents, as the store keeps them: part of the port.
 *
 * An incident is a record that its room changes by compare-and-set, and a list of the Accounts it is about where that was
 * settled when it was opened. The ids of its Sign-outs and mails begin with its own and `-`, by which what became of them is
 * found again. Ids of incidents have letters, digits and `_` only.
 */
import type { DeliveryCounts, Page } from './port.ts';
import type { MailCounts } from './outbox.ts';
import type { DeliveryStatus } from './records.ts';

export type IncidentRecord = {
  readonly id: string;
  readonly openedAt: Date;
  /** JSON of the room that owns it: cohort, actions, how far each step has come. */
  readonly state: string;
  /** 0 when it is opened, one more with each change. */
  readonly revision: number;
};

/** What went out in the span of time that begins at `at`. */
export type Told = { readonly at: Date; readonly count: number };

export type IncidentRepository = {
  /** False when there is one of this id. */
  open(incident: Omit<IncidentRecord, 'revision'>): Promise<boolean>;
  /** Compare-and-set on `revision`: true for exactly one caller. */
  change(change: { readonly id: string; readonly revision: number; readonly state: string }): Promise<boolean>;
  find(id: string): Promise<IncidentRecord | null>;
  /** Newest first. */
  list(limit: number): Promise<readonly IncidentRecord[]>;
  /** Adding one twice is adding it once. */
  addMembers(id: string, accountIds: readonly string[]): Promise<void>;
  /** Account ids, ascending. */
  membersOf(id: string, page: Page): Promise<readonly string[]>;
  countMembers(id: string): Promise<number>;
  /** What became of its Sign-outs and mails so far. `spreading`: Sign-outs whose Deliveries are not all written yet. */
  progress(id: string): Promise<{
    readonly signOuts: number;
    readonly spreading: number;
    readonly deliveries: DeliveryCounts;
    readonly mails: MailCounts;
  }>;
  /** Deliveries of its Sign-outs by Client and status. By client, ascending. */
  deliveriesByClient(
    id: string,
  ): Promise<readonly { readonly clientId: string; readonly status: DeliveryStatus; readonly count: number }[]>;
  /** When Deliveries were delivered and mails sent, in spans of `seconds`, ascending; spans with none are left out. */
  timeline(
    id: string,
    seconds: number,
  ): Promise<{ readonly deliveries: readonly Told[]; readonly mails: readonly Told[] }>;
};
