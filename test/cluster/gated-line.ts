/**
 * A line from one process to MongoDB on which a single command can be held: before the server hears it, or when the server
 * has done it and its answer is still out. What happens inside a process can so be stopped at a chosen step from outside,
 * without a word in the process itself, and something else be let happen meanwhile, its death included: what is held then
 * is never done.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import mongoose, { type mongo } from 'mongoose';

import type { Line } from './cluster.ts';

/** As the server reads it: the batches of inserts and updates are in the body. */
export type Command = { readonly name: string; readonly collection: string; readonly body: mongo.Document };

export type Side = 'before' | 'after';

export type Gate = {
  /** Resolves when the command is held; never, if none comes that fits. */
  readonly reached: Promise<Command>;
  open(): void;
};

export type GatedLine = Line & {
  /** Holds the first command from now that fits; several gates may wait at once. */
  hold(fits: (command: Command) => boolean, side?: Side): Gate;
};

const HEADER_BYTES = 16;
const OP_MSG = 2013;

type Armed = {
  readonly fits: (command: Command) => boolean;
  readonly side: Side;
  readonly reached: PromiseWithResolvers<Command>;
  readonly opened: PromiseWithResolvers<void>;
};

export async function openGatedLine({ to }: { readonly to: number }): Promise<GatedLine> {
  const armed = new Set<Armed>();
  const held = new Set<Armed>();
  const sockets = new Set<Socket>();
  /** The gate that holds this command, if one does. */
  const gateFor = (command: Command): Armed | undefined => {
    for (const gate of armed) {
      if (!gate.fits(command)) continue;
      armed.delete(gate);
      held.add(gate);
      return gate;
    }
    return undefined;
  };
  const server = createServer((client) => {
    const upstream = connect({ port: to, host: '127.0.0.1' });
    /** The id of the question whose answer is to be held. */
    let awaited: { readonly id: number; readonly gate: Armed; readonly command: Command } | undefined;
    const asking = inOrder(async (message) => {
      const command = armed.size > 0 && message.readInt32LE(12) === OP_MSG ? commandOf(message) : undefined;
      const gate = command && gateFor(command);
      if (command !== undefined && gate?.side === 'before') {
        gate.reached.resolve(command);
        await gate.opened.promise;
      } else if (command !== undefined && gate !== undefined) {
        awaited = { id: message.readInt32LE(4), gate, command };
      }
      upstream.write(message);
    });
    const answering = inOrder(async (message) => {
      if (awaited?.id === message.readInt32LE(8)) {
        awaited.gate.reached.resolve(awaited.command);
        await awaited.gate.opened.promise;
        awaited = undefined;
      }
      client.write(message);
    });
    client.on('data', asking);
    upstream.on('data', answering);
    for (const [side, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(side);
      side.on('error', () => {}).on('close', () => sockets.delete(side) && other.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    hold(fits, side = 'before') {
      const [reached, opened] = [Promise.withResolvers<Command>(), Promise.withResolvers<void>()];
      const gate: Armed = { fits, side, reached, opened };
      armed.add(gate);
      return {
        reached: reached.promise,
        open() {
          armed.delete(gate);
          opened.resolve();
        },
      };
    },
    async close() {
      for (const gate of held) gate.opened.resolve();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Takes a stream of messages apart, however it was cut into pieces, and works on one after the other. */
function inOrder(work: (message: Buffer) => Promise<void>): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  let working = Promise.resolve();
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= HEADER_BYTES && rest.length >= rest.readInt32LE(0)) {
      const message = rest.subarray(0, rest.readInt32LE(0));
      rest = rest.subarray(message.length);
      working = working.then(() => work(message));
    }
  };
}

/** OP_MSG: a body, which the driver sends first, and sequences of documents that belong into it under their names. */
function commandOf(message: Buffer): Command {
  const read = (from: number): mongo.Document =>
    mongoose.mongo.BSON.deserialize(message.subarray(from, from + message.readInt32LE(from)), { promoteBuffers: true });
  // After the header come four bytes of flags, which say whether a checksum is at the end.
  const end = message.length - ((message.readUInt32LE(HEADER_BYTES) & 1) === 0 ? 0 : 4);
  let at = HEADER_BYTES + 5;
  const body = read(at);
  for (at += message.readInt32LE(at); at < end;) {
    const next = at + 1 + message.readInt32LE(at + 1);
    const nameEnds = message.indexOf(0, at + 5);
    const documents: mongo.Document[] = [];
    for (let from = nameEnds + 1; from < next; from += message.readInt32LE(from)) documents.push(read(from));
    body[message.toString('utf8', at + 5, nameEnds)] = documents;
    at = next;
  }
  const [[name, collection] = ['', '']] = Object.entries(body);
  return { name, collection: String(collection), body };
}
