import { expect, test } from 'vitest';
import { afterFailure, type Circuit, circuitState, closedCircuit } from '../../src/delivery/circuit.ts';
import { at } from '../support/records.ts';

const afterFailures = (count: number, now: Date): Circuit => {
  let circuit = closedCircuit;
  for (let failure = 0; failure < count; failure += 1) circuit = afterFailure(circuit, now);
  return circuit;
};

test('four failures in a row leave it closed, the fifth opens it for a second', () => {
  expect(circuitState(afterFailures(4, at(0)), at(0))).toBe('closed');
  const opened = afterFailures(5, at(0));
  expect(circuitState(opened, at(0))).toBe('open');
  expect(circuitState(opened, at(0.999))).toBe('open');
  expect(circuitState(opened, at(1))).toBe('half-open');
});

test('each failure of the one let through opens it for twice as long, up to a minute', () => {
  let circuit = afterFailures(5, at(0));
  let now = at(1);
  const seconds: number[] = [];
  for (let probe = 0; probe < 8; probe += 1) {
    expect(circuitState(circuit, now)).toBe('half-open');
    circuit = afterFailure(circuit, now);
    const openUntil = circuit.openUntil ?? now;
    seconds.push((openUntil.getTime() - now.getTime()) / 1000);
    now = openUntil;
  }
  expect(seconds).toEqual([2, 4, 8, 16, 32, 60, 60, 60]);
});

test('a failure that comes late, while it is open, does not open it for longer', () => {
  const opened = afterFailures(5, at(0));
  expect(afterFailure(opened, at(0.5))).toEqual(opened);
});

test('a clock that was set back does not keep it open', () => {
  expect(circuitState(afterFailures(5, at(0)), at(-3600))).toBe('half-open');
});
