/**
 * Deliveries kept in memory, with the leases and fences of a real engine. A store that a test can take down: while it
 * is down every call fails as an engine does; a call that was held back is answered when the test says so.
 */
import { type DeliveryRepository, StoreUnavailable } from '../../src/store/port.ts';
import type { DeliveryRecord, DeliveryStatus } from '../../src/store/records.ts';

type Row = DeliveryRecord & { readonly fence: number; readonly leaseUntil: Date | null };
/** A lease that ends later than this was given before the clock was set back. */
const LONGEST_LEASE_MS = 120_000;

type Method = keyof DeliveryRepository;

export type MemoryDeliveries = DeliveryRepository & {
  /** Inserting twice is inserting once. */
  owe(...deliveries: readonly DeliveryRecord[]): void;
  /** Whether anybody holds a lease that has not ended at `now`. */
  leased(id: string, now: Date): boolean;
  /** From now on these methods, or all, fail. */
  takeDown(...methods: readonly Method[]): void;
  bringBack(): void;
  /** The next call of this method waits, before anything happens, until the returned function is called. */
  holdNext(method: Method): () => void;
  /** How often a method was called, failed calls included. */
  calls(method: Method): number;
  all(): readonly DeliveryRecord[];
};

export function memoryDeliveries(): MemoryDeliveries {
  const rows = new Map<string, Row>();
  const held = new Map<Method, Promise<void>>();
  const calls = new Map<Method, number>();
  let down: (method: Method) => boolean = () => false;

  async function enter(method: Method): Promise<void> {
    calls.set(method, (calls.get(method) ?? 0) + 1);
    const hold = held.get(method);
    held.delete(method);
    await hold;
    if (down(method)) throw new StoreUnavailable(method, { cause: new Error('disk I/O error') });
  }

  const isFree = (row: Row, now: Date): boolean =>
    row.leaseUntil === null || row.leaseUntil <= now || row.leaseUntil.getTime() > now.getTime() + LONGEST_LEASE_MS;
  const isDue = (row: Row, now: Date): boolean =>
    row.status === 'pending' && row.nextAttemptAt !== null && row.nextAttemptAt <= now && isFree(row, now);
  const recordOf = ({ fence: _fence, leaseUntil: _leaseUntil, ...record }: Row): DeliveryRecord => record;
  const byId = (a: Row, b: Row): number => (a.id < b.id ? -1 : 1);

  return {
    async clientsDue(now) {
      await enter('clientsDue');
      return [...new Set([...rows.values()].filter((row) => isDue(row, now)).map((row) => row.clientId))];
    },
    async claim({ clientId, now, leaseUntil, limit }) {
      await enter('claim');
      const due = [...rows.values()].filter((row) => row.clientId === clientId && isDue(row, now));
      due.sort((a, b) => (a.nextAttemptAt?.getTime() ?? 0) - (b.nextAttemptAt?.getTime() ?? 0));
      return due.slice(0, limit).map((row) => {
        const leased = { ...row, fence: row.fence + 1, leaseUntil };
        rows.set(row.id, leased);
        return leased;
      });
    },
    async settle({ id, fence, ...outcome }) {
      await enter('settle');
      const row = rows.get(id);
      if (row === undefined || row.fence !== fence || row.leaseUntil === null || row.status !== 'pending') return false;
      rows.set(id, { ...row, ...outcome, leaseUntil: null });
      return true;
    },
    async release(leases) {
      await enter('release');
      for (const { id, fence } of leases) {
        const row = rows.get(id);
        if (row?.fence === fence) rows.set(id, { ...row, leaseUntil: null });
      }
    },
    async nextDueAt() {
      await enter('nextDueAt');
      const pending = [...rows.values()].filter((row) => row.status === 'pending');
      const instants = pending.map((row) =>
        Math.max(row.nextAttemptAt?.getTime() ?? 0, row.leaseUntil?.getTime() ?? 0),
      );
      return instants.length === 0 ? null : new Date(Math.min(...instants));
    },
    async find(id) {
      await enter('find');
      const row = rows.get(id);
      return row === undefined ? null : recordOf(row);
    },
    async list({ status, clientId, signOutId, accountId, page }) {
      await enter('list');
      return [...rows.values()]
        .filter((row) => status === undefined || row.status === status)
        .filter((row) => clientId === undefined || row.clientId === clientId)
        .filter((row) => signOutId === undefined || row.signOutId === signOutId)
        .filter((row) => accountId === undefined || row.accountId === accountId)
        .filter((row) => page.after === undefined || row.id > page.after)
        .toSorted(byId)
        .slice(0, page.limit)
        .map(recordOf);
    },
    async counts({ signOutId }) {
      await enter('counts');
      const counts: Record<DeliveryStatus, number> = { pending: 0, delivered: 0, rejected: 0, abandoned: 0 };
      for (const row of rows.values())
        if (signOutId === undefined || row.signOutId === signOutId) counts[row.status] += 1;
      return counts;
    },
    async revive({ ids, clientId, now, deadlineAt, limit = Infinity }) {
      await enter('revive');
      let revived = 0;
      for (const row of rows.values()) {
        if (revived >= limit) break;
        if (row.status !== 'rejected' && row.status !== 'abandoned') continue;
        if (ids !== undefined && !ids.includes(row.id)) continue;
        if (clientId !== undefined && row.clientId !== clientId) continue;
        rows.set(row.id, { ...row, status: 'pending', refusals: 0, nextAttemptAt: now, deadlineAt, leaseUntil: null });
        revived += 1;
      }
      return revived;
    },

    owe(...deliveries) {
      for (const delivery of deliveries) {
        if (!rows.has(delivery.id)) rows.set(delivery.id, { ...delivery, fence: 0, leaseUntil: null });
      }
    },
    leased(id, now) {
      const row = rows.get(id);
      return row !== undefined && !isFree(row, now);
    },
    takeDown(...methods) {
      down = (method) => methods.length === 0 || methods.includes(method);
    },
    bringBack() {
      down = () => false;
    },
    holdNext(method) {
      const { promise, resolve } = Promise.withResolvers<void>();
      held.set(method, promise);
      return resolve;
    },
    calls: (method) => calls.get(method) ?? 0,
    all: () => [...rows.values()].map(recordOf),
  };
}
