import { describe, expect, test } from 'vitest';
import { type AttemptResult, isTransportFailure, judgeAttempt, type Verdict } from '../../src/delivery/retry.ts';
import { at, delivery, hour } from '../support/records.ts';

const answered = (status: number, retryAfterSeconds?: number): AttemptResult => ({
  kind: 'answered',
  status,
  ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
});
const failed = (reason: 'refused-address' | 'timeout' | 'connection' | 'tls' | 'dns' | 'aborted'): AttemptResult => ({
  kind: 'failed',
  reason,
});

type Situation = { attempts?: number; refusals?: number; deadlineAt?: Date; now?: Date; random?: number };
const judge = (result: AttemptResult, situation: Situation = {}): Verdict => {
  const { now = at(0), random = 0.5, ...record } = situation;
  return judgeAttempt(delivery('one', record), result, now, () => random);
};
/** Seconds until the next attempt of a first failure, or of the `attempts`-th. */
const waitOf = (result: AttemptResult, situation: Situation = {}): number =>
  ((judge(result, situation).nextAttemptAt?.getTime() ?? NaN) - (situation.now ?? at(0)).getTime()) / 1000;

const almostOne = 0.999_999_9;

test.each([200, 204])('%i is hearing', (status) => {
  expect(judge(answered(status), { attempts: 3, refusals: 1 })).toEqual({
    status: 'delivered',
    attempts: 4,
    refusals: 0,
    nextAttemptAt: null,
    lastOutcome: `answered ${status}`,
  });
});

describe('what may pass is tried again until the deadline', () => {
  const passing: [string, AttemptResult][] = [
    ...[408, 429, 500, 502, 503, 504, 599].map((status): [string, AttemptResult] => [
      `answered ${status}`,
      answered(status),
    ]),
    ...(['timeout', 'connection', 'tls', 'dns', 'aborted'] as const).map((reason): [string, AttemptResult] => [
      reason,
      failed(reason),
    ]),
    ['fault', { kind: 'fault' }],
  ];

  test.each(passing)('%s', (lastOutcome, result) => {
    expect(judge(result, { attempts: 40 })).toMatchObject({
      status: 'pending',
      attempts: 41,
      refusals: 0,
      lastOutcome,
    });
    expect(judge(result, { attempts: 40, now: at(72 * hour) })).toEqual({
      status: 'abandoned',
      attempts: 41,
      refusals: 0,
      nextAttemptAt: null,
      lastOutcome,
    });
  });
});

describe('what will not pass gets two more tries', () => {
  const refusing: [string, AttemptResult][] = [
    ...[201, 202, 205, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 410, 413, 422, 451].map(
      (status): [string, AttemptResult] => [`answered ${status}`, answered(status)],
    ),
    ['refused-address', failed('refused-address')],
  ];

  test.each(refusing)('%s', (lastOutcome, result) => {
    expect(judge(result)).toMatchObject({ status: 'pending', attempts: 1, refusals: 1, lastOutcome });
    expect(judge(result, { attempts: 1, refusals: 1 })).toMatchObject({ status: 'pending', attempts: 2, refusals: 2 });
    expect(judge(result, { attempts: 2, refusals: 2 })).toEqual({
      status: 'rejected',
      attempts: 3,
      refusals: 3,
      nextAttemptAt: null,
      lastOutcome,
    });
  });

  test('only refusals in a row count', () => {
    expect(judge(answered(503), { attempts: 2, refusals: 2 }).refusals).toBe(0);
    expect(judge(failed('timeout'), { attempts: 2, refusals: 2 }).refusals).toBe(0);
  });

  test('past the deadline there are no more tries: abandoned, unless it was the last one', () => {
    const late = { now: at(72 * hour) };
    expect(judge(answered(404), { ...late, refusals: 1 })).toMatchObject({ status: 'abandoned', nextAttemptAt: null });
    expect(judge(answered(404), { ...late, refusals: 2 }).status).toBe('rejected');
  });
});

test('a Client that is gone ends it, and costs no attempt', () => {
  expect(judge({ kind: 'gone' }, { attempts: 2, refusals: 1 })).toEqual({
    status: 'abandoned',
    attempts: 2,
    refusals: 1,
    nextAttemptAt: null,
    lastOutcome: 'client gone',
  });
});

describe('the wait', () => {
  test.each([
    [0, 1],
    [1, 2],
    [2, 4],
    [5, 32],
    [11, 2048],
    [12, 3600],
    [13, 3600],
    [2000, 3600],
  ])('after %i earlier attempts is at most %i s, with full jitter', (attempts, ceiling) => {
    for (const result of [answered(500), failed('connection'), answered(404)]) {
      expect(waitOf(result, { attempts, random: almostOne })).toBeCloseTo(ceiling, 2);
      expect(waitOf(result, { attempts, random: 0.5 })).toBeCloseTo(ceiling / 2, 2);
      expect(waitOf(result, { attempts, random: 0 })).toBe(0.25);
    }
  });

  test('is never shorter than Retry-After, and never longer than an hour', () => {
    expect(waitOf(answered(429, 30))).toBe(30);
    expect(waitOf(answered(503, 30), { random: almostOne })).toBe(30);
    expect(waitOf(answered(503, 7200))).toBe(3600);
    expect(waitOf(answered(404, 30))).toBe(30);
  });

  test('is not hurried by Retry-After', () => {
    expect(waitOf(answered(429, 0), { random: 0 })).toBe(0.25);
    expect(waitOf(answered(429, 1), { attempts: 12, random: 0.5 })).toBe(1800);
  });

  test('ends at the deadline, for a last try', () => {
    expect(waitOf(answered(503, 3600), { deadlineAt: at(60) })).toBe(60);
    expect(waitOf(answered(503, 3600), { deadlineAt: at(60), now: at(59) })).toBe(1);
    expect(judge(answered(503, 3600), { deadlineAt: at(60), now: at(60) }).status).toBe('abandoned');
  });
});

test('only a Client that could not be reached counts for its circuit', () => {
  for (const reason of ['timeout', 'connection', 'tls', 'dns'] as const)
    expect(isTransportFailure(failed(reason))).toBe(true);
  for (const result of [failed('refused-address'), failed('aborted'), answered(500), answered(429)]) {
    expect(isTransportFailure(result)).toBe(false);
  }
  expect(isTransportFailure({ kind: 'gone' })).toBe(false);
  expect(isTransportFailure({ kind: 'fault' })).toBe(false);
});
