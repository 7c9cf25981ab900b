/** The line on which cluster tests cut, hold and slow what a server says: it does that, and nothing else. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';

import { openWire, type Wire } from '../support/mongodb/wire.ts';

/** A server that says everything back, and a line to it. */
async function line(): Promise<{ wire: Wire; arrived: () => string }> {
  let arrived = '';
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket
      .on('error', () => {})
      .on('data', (chunk) => {
        arrived += String(chunk);
        socket.write(chunk);
      });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const wire = await openWire({ to: (server.address() as AddressInfo).port });
  onTestFinished(async () => {
    await wire.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { wire, arrived: () => arrived };
}

type Caller = { readonly socket: Socket; heard(): string; readonly over: Promise<unknown> };

async function call({ port }: Wire): Promise<Caller> {
  const socket = connect(port, '127.0.0.1');
  let heard = '';
  socket.on('data', (chunk) => (heard += String(chunk))).on('error', () => {});
  const over = new Promise((resolve) => socket.once('close', resolve));
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return { socket, heard: () => heard, over };
}

/** What goes through a second line after this was said on the first has had its time. */
async function roundTrip(wire: Wire): Promise<void> {
  const other = await call(wire);
  other.socket.write('!');
  await vi.waitUntil(() => other.heard() === '!');
  other.socket.end();
  await other.over;
}

test('what is said passes, both ways, and an end is passed on', async () => {
  const { wire } = await line();
  const caller = await call(wire);
  caller.socket.write('hello');
  await vi.waitUntil(() => caller.heard() === 'hello');
  caller.socket.end();
  await caller.over;
});

test('cut: who is connected is thrown out, nobody is let in, until it passes again', async () => {
  const { wire, arrived } = await line();
  const caller = await call(wire);
  await wire.cut();
  await caller.over;
  await expect(call(wire)).rejects.toThrow('ECONNREFUSED');
  await wire.pass();
  await roundTrip(wire);
  expect(arrived()).toBe('!');
});

test('stalled: old and new connections stand, nothing passes; then everything does', async () => {
  const { wire, arrived } = await line();
  const [before, beside] = [await call(wire), await line()];
  await wire.stall();
  const after = await call(wire);
  before.socket.write('one');
  after.socket.write('two');
  // Time enough for it to have come through, had it been let.
  for (let turn = 0; turn < 20; turn++) await roundTrip(beside.wire);
  expect([arrived(), before.heard(), after.heard()]).toEqual(['', '', '']);
  await wire.pass();
  await vi.waitUntil(() => before.heard() === 'one' && after.heard() === 'two');
});

test('slow: each answer comes that much later, whole and in order; and what was slow may be cut', async () => {
  const { wire, arrived } = await line();
  const caller = await call(wire);
  await wire.slow(300);
  const began = performance.now();
  caller.socket.write('slow ');
  await vi.waitUntil(() => arrived() === 'slow ');
  await wire.pass();
  caller.socket.write('fast');
  await vi.waitUntil(() => caller.heard() !== '');
  expect(performance.now() - began).toBeGreaterThan(290);
  await vi.waitUntil(() => caller.heard() === 'slow fast');

  await wire.slow(60_000);
  caller.socket.write('never');
  await vi.waitUntil(() => arrived().endsWith('never'));
  await wire.cut();
  await caller.over;
  expect(caller.heard()).toBe('slow fast');
});
