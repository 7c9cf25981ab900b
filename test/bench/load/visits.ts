/** A quiet day: somebody signs in now and then, somebody's app refreshes, one after the other, and nobody queues. */
import { setTimeout as pause } from 'node:timers/promises';

import { median } from '../measure.ts';
import { basic, type Endpoint, expectOk } from './endpoint.ts';
import { signInFully } from './visitor.ts';

const BETWEEN_SIGN_INS_MS = 500;
const BETWEEN_REFRESHES_MS = 60;

export type Day = {
  readonly signInMs: number;
  readonly refreshMs: number;
  readonly signIns: number;
  readonly refreshes: number;
};

/** Until `over` aborts; `from` is the first of a hundred people who sign in. */
export async function quietDay(endpoint: Endpoint, { from, over }: { from: number; over: AbortSignal }): Promise<Day> {
  const signIns: number[] = [];
  const refreshes: number[] = [];
  let { refresh_token: token } = await signInFully(endpoint, from);
  const signingIn = async (): Promise<void> => {
    for (let nth = 1; !over.aborted; nth++) {
      const began = performance.now();
      await signInFully(endpoint, from + (nth % 100));
      signIns.push(performance.now() - began);
      await pause(BETWEEN_SIGN_INS_MS);
    }
  };
  const refreshing = async (): Promise<void> => {
    while (!over.aborted) {
      const began = performance.now();
      const form = `grant_type=refresh_token&refresh_token=${token}`;
      token = String(expectOk(await endpoint.post('/token', form, basic('app')))['refresh_token']);
      refreshes.push(performance.now() - began);
      await pause(BETWEEN_REFRESHES_MS);
    }
  };
  await Promise.all([signingIn(), refreshing()]);
  return {
    signInMs: median(signIns),
    refreshMs: median(refreshes),
    signIns: signIns.length,
    refreshes: refreshes.length,
  };
}
