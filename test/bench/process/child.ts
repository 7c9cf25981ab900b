/**
 * A process of its own for whatever is measured, so that its processor time is its own. It does one thing after the
 * other as its parent asks, and imports nothing before it is asked to.
 */
import type { Place } from '../house.ts';
import { ownUsage } from '../measure.ts';
import type { Told } from './containment.ts';
import type { Slicing } from './slicing.ts';

const tasks = {
  usage: async () => ownUsage(),
  serveCurfew: async (order: {
    place: Place;
    port: number;
    cheapHashing: boolean;
    people: number;
    configuration?: Record<string, unknown>;
  }) => (await import('./curfew.ts')).serveCurfew(order),
  serveWatched: async (order: {
    place: Place;
    port: number;
    cheapHashing: boolean;
    configuration: Record<string, unknown>;
  }) => (await import('./serving.ts')).serveWatched(order),
  welcome: async (order: { from: number; count: number }) => (await import('./serving.ts')).welcome(order),
  watchLoop: async () => (await import('./serving.ts')).watchLoop(),
  watched: async () => (await import('./serving.ts')).watched(),
  fill: async (order: {
    place: Place;
    configuration: Record<string, unknown>;
    accounts: number;
    clients: string[];
    devices: number;
  }) => (await import('./population.ts')).fill(order),
  verdict: async (order: { place: Place; reason: string; list: string[] | null; told: Told }) =>
    (await import('./containment.ts')).verdict(order),
  serveMapProvider: async (order: { port: number }) => (await import('./map-provider.ts')).serveMapProvider(order),
  serveKoa: async (order: { port: number }) => (await import('./koa.ts')).serveKoa(order),
  sign: async (order: Slicing & { alg: 'ES256' | 'EdDSA' | 'RS256' }) => (await import('./signing.ts')).sign(order),
  hash: async (order: { seconds: number }) => (await import('./hashing.ts')).hash(order),
  upsert: async (order: Slicing & { folder: string }) => (await import('./upserts.ts')).upsert(order),
  saveAndFind: async (order: Slicing & { place: Place }) => (await import('./artifacts.ts')).saveAndFind(order),
  commitSignOuts: async (order: { place: Place; artifacts: number[]; grants: number[]; times: number }) =>
    (await import('./sign-outs.ts')).commitSignOuts(order),
  signOutEveryone: async (order: { place: Place; sessions: number }) =>
    (await import('./sign-outs.ts')).signOutEveryone(order),
  oweDeliveries: async (order: { place: Place; uris: string[]; perClient: number }) =>
    (await import('./deliveries.ts')).oweDeliveries(order),
  deliver: async () => (await import('./deliveries.ts')).deliver(),
  postRaw: async (order: { uris: string[]; seconds: number }) => (await import('./deliveries.ts')).postRaw(order),
};

export type Tasks = typeof tasks;
export type Order<Kind extends keyof Tasks> = Parameters<Tasks[Kind]>[0];
export type Answer<Kind extends keyof Tasks> = Awaited<ReturnType<Tasks[Kind]>>;
export type Asked = { readonly id: number; readonly kind: keyof Tasks; readonly order: unknown };
export type Answered = { readonly id: number; readonly answer?: unknown; readonly fault?: string };

process.on('message', ({ id, kind, order }: Asked) => {
  const task = tasks[kind] as (order: unknown) => Promise<unknown>;
  const say = (answered: Answered): void => void process.send?.(answered);
  task(order).then(
    (answer) => say({ id, answer }),
    (fault: unknown) => say({ id, fault: fault instanceof Error ? (fault.stack ?? fault.message) : String(fault) }),
  );
});
// Its parent is done with it: also the moment at which a profile is written.
process.on('disconnect', () => process.exit(0));
