import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { addMilliseconds, addSeconds, sleep, systemClock } from '../../src/platform/clock.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-11-23T10:00:00Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

test('the system clock tells the machine’s time', () => {
  expect(systemClock.now()).toEqual(new Date('2026-11-23T10:00:00Z'));
  vi.setSystemTime(new Date('2026-11-23T11:00:00Z'));
  expect(systemClock.now()).toEqual(new Date('2026-11-23T11:00:00Z'));
});

test('instants are moved without changing the one that was given', () => {
  const instant = new Date('2026-11-23T10:00:00Z');
  expect(addSeconds(instant, 90)).toEqual(new Date('2026-11-23T10:01:30Z'));
  expect(addSeconds(instant, -0.5)).toEqual(new Date('2026-11-23T09:59:59.500Z'));
  expect(addMilliseconds(instant, 1)).toEqual(new Date('2026-11-23T10:00:00.001Z'));
  expect(instant).toEqual(new Date('2026-11-23T10:00:00Z'));
});

test('a timer runs once, after its time, and not at all when cancelled', () => {
  const run = vi.fn();
  const never = vi.fn();
  systemClock.setTimer(1000, run);
  const cancelled = systemClock.setTimer(1000, never);
  vi.advanceTimersByTime(999);
  expect(run).not.toHaveBeenCalled();
  cancelled.cancel();
  cancelled.cancel();
  vi.advanceTimersByTime(5000);
  expect(run).toHaveBeenCalledOnce();
  expect(never).not.toHaveBeenCalled();
});

test('a timer longer than Node can hold neither fires at once nor early', () => {
  const run = vi.fn();
  const fortyDays = 40 * 24 * 3600 * 1000;
  systemClock.setTimer(fortyDays, run);
  vi.advanceTimersByTime(fortyDays - 1);
  expect(run).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(run).toHaveBeenCalledOnce();
});

test('a long timer can be cancelled in its second lap', () => {
  const run = vi.fn();
  const timer = systemClock.setTimer(2 ** 32, run);
  vi.advanceTimersByTime(2 ** 31 + 10);
  timer.cancel();
  vi.advanceTimersByTime(2 ** 33);
  expect(run).not.toHaveBeenCalled();
});

test('a background timer does not keep the process alive, another does', () => {
  vi.useRealTimers();
  const real = globalThis.setTimeout;
  const handles: NodeJS.Timeout[] = [];
  const spy = vi.spyOn(globalThis, 'setTimeout').mockImplementation(((run: () => void, ms: number) => {
    const handle = real(run, ms);
    handles.push(handle);
    return handle;
  }) as typeof setTimeout);
  const timers = [systemClock.setTimer(60_000, () => {}, { background: true }), systemClock.setTimer(60_000, () => {})];
  spy.mockRestore();
  expect(handles.map((handle) => handle.hasRef())).toEqual([false, true]);
  for (const timer of timers) timer.cancel();
});

test('repeated runs never overlap: the next is timed when the last has ended', async () => {
  let finish = (): void => {};
  const run = vi.fn(() => new Promise<void>((resolve) => (finish = resolve)));
  const timer = systemClock.every(1000, run);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(run).toHaveBeenCalledOnce();
  finish();
  await vi.advanceTimersByTimeAsync(999);
  expect(run).toHaveBeenCalledOnce();
  await vi.advanceTimersByTimeAsync(1);
  expect(run).toHaveBeenCalledTimes(2);
  timer.cancel();
  finish();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(run).toHaveBeenCalledTimes(2);
});

test('a repeated run may cancel its own repetition', () => {
  let runs = 0;
  const timer = systemClock.every(10, () => {
    runs += 1;
    timer.cancel();
  });
  vi.advanceTimersByTime(1000);
  expect(runs).toBe(1);
});

test('sleep ends when its time has come, or when it is told to', async () => {
  const woken: string[] = [];
  const controller = new AbortController();
  void sleep(systemClock, 1000).then(() => woken.push('slept'));
  void sleep(systemClock, 60_000, controller.signal).then(() => woken.push('woken'));
  await vi.advanceTimersByTimeAsync(999);
  expect(woken).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(woken).toEqual(['slept']);
  controller.abort();
  await vi.advanceTimersByTimeAsync(0);
  expect(woken).toEqual(['slept', 'woken']);
  expect(vi.getTimerCount()).toBe(0);
  await sleep(systemClock, 60_000, AbortSignal.abort());
});
