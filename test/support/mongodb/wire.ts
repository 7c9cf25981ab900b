/**
 * A line to a server that can be cut, held and slowed: a TCP proxy on 127.0.0.1. What is said over it is never looked at.
 * For MongoDB give it a URL with `directConnection=true`, or the driver goes on to the addresses the server names.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export type Wire = {
  readonly port: number;
  /** Everything passes at once; what was held goes on its way. */
  pass(): Promise<void>;
  /** Every connection is destroyed and no new one is let in, as if the server had died. */
  cut(): Promise<void>;
  /** Connections are accepted and nothing passes, in either direction, as if the network were gone. */
  stall(): Promise<void>;
  /** Everything passes; each answer comes that much later. */
  slow(milliseconds: number): Promise<void>;
  close(): Promise<void>;
};

/** A line to this port of 127.0.0.1. It passes everything until it is told otherwise. */
export async function openWire({ to }: { readonly to: number }): Promise<Wire> {
  let state: { readonly stalled: boolean; readonly delay: number } = { stalled: false, delay: 0 };
  let server: Server | undefined;
  let port = 0;
  const calls = new Set<Call>();

  const listen = async (): Promise<void> => {
    if (server !== undefined) return;
    // Half-open, so that the end of one direction is passed on as that and nothing more.
    server = createServer({ allowHalfOpen: true }, (client) => {
      const call = openCall({ client, to, delay: () => state.delay, over: () => calls.delete(call) });
      calls.add(call);
      if (state.stalled) call.hold();
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  };
  const turn = async (next: typeof state): Promise<void> => {
    state = next;
    await listen();
    for (const call of calls) {
      if (state.stalled) call.hold();
      else call.pass();
    }
  };
  const cut = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    for (const call of calls) call.destroy();
    if (closing === undefined) return;
    closing.close();
    await once(closing, 'close');
  };
  await listen();
  return {
    port,
    pass: () => turn({ stalled: false, delay: 0 }),
    cut,
    stall: () => turn({ stalled: true, delay: 0 }),
    slow: (milliseconds) => turn({ stalled: false, delay: milliseconds }),
    close: cut,
  };
}

type Call = { hold(): void; pass(): void; destroy(): void };

/** One client's connection and the server's side of it. */
function openCall({
  client,
  to,
  delay,
  over,
}: {
  readonly client: Socket;
  readonly to: number;
  readonly delay: () => number;
  readonly over: () => void;
}): Call {
  const upstream = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true });
  const timers = new Set<NodeJS.Timeout>();
  const destroy = (): void => {
    for (const timer of timers) clearTimeout(timer);
    client.destroy();
    upstream.destroy();
    over();
  };
  // An answer never overtakes the one before it, whatever the delay has become since.
  let latest = 0;
  const later = (act: () => void): void => {
    latest = Math.max(latest, performance.now() + delay());
    const wait = latest - performance.now();
    if (wait <= 0 && timers.size === 0) return act();
    const timer = setTimeout(() => {
      timers.delete(timer);
      act();
    }, wait);
    timers.add(timer);
  };
  client.on('data', (chunk) => upstream.write(chunk)).on('end', () => upstream.end());
  upstream.on('data', (chunk) => later(() => client.write(chunk))).on('end', () => later(() => client.end()));
  let open = 2;
  for (const side of [client, upstream]) side.on('error', destroy).on('close', () => --open === 0 && over());
  return {
    hold() {
      client.pause();
      upstream.pause();
    },
    pass() {
      client.resume();
      upstream.resume();
    },
    destroy,
  };
}
