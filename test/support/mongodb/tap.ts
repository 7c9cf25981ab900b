/**
 * A line to a MongoDB server on which every command can be read before the server has it, and held: what a driver adds or
 * leaves out is there to be seen, and a process can be stopped between any two of its steps. Bytes are passed on unchanged.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import mongoose, { type mongo } from 'mongoose';

/** One command, its batches put back where the driver took them from. */
export type Command = { readonly name: string; readonly body: mongo.Document };

export type Tap = {
  /** The same database as in the server's own URL, over this line. */
  readonly url: string;
  /** What was asked since the last time, in order; what a driver says on its own account is left out. */
  take(): readonly Command[];
  /** Asked about each command before it is passed on: it waits for as long as the answer is pending. */
  gate: (command: Command) => Promise<void> | undefined;
  /** Everybody on the line is cut off, as if their process had died. */
  cut(): Promise<void>;
};

/** Said to know a server, to be let in and to tidy up: nobody waits for it in a request. */
const OF_THE_DRIVER = new Set(['hello', 'ismaster', 'ping', 'endsessions', 'saslstart', 'saslcontinue']);

const HEADER_BYTES = 16;
const OP_MSG = 2013;
const CHECKSUM_FLAG = 1;

/** Opens a line to the first host of this URL. Throws where nothing could be read on it: over TLS. */
export async function openTap(url: string): Promise<Tap> {
  const [, before = '', host = '', port = '27017', after = ''] =
    /^(mongodb:\/\/(?:[^@/]*@)?)([^:,/?]+)(?::(\d+))?[^/?]*(.*)$/.exec(url) ?? [];
  if (host === '' || /[?&](tls|ssl)=true/i.test(after)) throw new Error('what goes to this server cannot be read');
  const seen: Command[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ host, port: Number(port) });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy()).on('close', () => sockets.delete(from) && to.destroy());
    }
    upstream.pipe(client);
    let passed: Promise<void> = Promise.resolve();
    const take = messagesOf((message) => {
      passed = passed.then(async () => {
        const command = message.readInt32LE(12) === OP_MSG ? commandOf(message) : undefined;
        if (command !== undefined && !OF_THE_DRIVER.has(command.name.toLowerCase())) {
          await tap.gate(command);
          seen.push(command);
        }
        if (!upstream.destroyed) upstream.write(message);
      });
    });
    client.on('data', take);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const there = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const options = after.replace(/([?&])replicaSet=[^&]*&?/, '$1');
  const tap: Tap = {
    url: `${before}${there}${options}${options.includes('?') ? '&' : '?'}directConnection=true`,
    take: () => seen.splice(0),
    gate: () => undefined,
    async cut() {
      for (const socket of sockets) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
  return tap;
}

/** Takes a stream of messages apart, however it was cut into pieces. */
function messagesOf(hear: (message: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= HEADER_BYTES && rest.length >= rest.readInt32LE(0)) {
      const message = rest.subarray(0, rest.readInt32LE(0));
      rest = rest.subarray(message.length);
      hear(message);
    }
  };
}

/** OP_MSG: one body, and sequences of documents that belong into it under their names. */
function commandOf(message: Buffer): Command {
  const { BSON } = mongoose.mongo;
  const read = (from: number): mongo.Document =>
    BSON.deserialize(message.subarray(from, from + message.readInt32LE(from)), { promoteBuffers: true });
  const end = message.length - (message.readUInt32LE(HEADER_BYTES) & CHECKSUM_FLAG ? 4 : 0);
  const body: mongo.Document = {};
  for (let at = HEADER_BYTES + 4; at < end;) {
    const kind = message[at++];
    const size = message.readInt32LE(at);
    if (kind === 0) Object.assign(body, read(at));
    else {
      const named = message.indexOf(0, at + 4);
      const documents: mongo.Document[] = [];
      for (let next = named + 1; next < at + size; next += message.readInt32LE(next)) documents.push(read(next));
      body[message.toString('utf8', at + 4, named)] = documents;
    }
    at += size;
  }
  const [name = ''] = Object.keys(body);
  return { name, body };
}
