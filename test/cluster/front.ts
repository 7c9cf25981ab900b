/**
 * What stands in front of several processes, as unkind as it can be: every single request goes to the next process, over a
 * connection of its own, whatever cookie or token is in it. Where a process refuses the connection the next one is asked,
 * since nothing was sent yet, and it is left out until it says that it is ready; any other failure is passed on as one. It
 * keeps a list of what it passed on.
 */
import {
  createServer,
  type IncomingMessage,
  request as ask,
  type RequestOptions,
  type ServerResponse,
} from 'node:http';
import { buffer } from 'node:stream/consumers';
import { vi } from 'vitest';

/** `process` undefined: nobody was there to ask. */
export type PassedOn = {
  readonly process: number | undefined;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** What became of the connection, where that was the end of it. */
  readonly fault?: string | undefined;
};

export type Front = {
  /** Oldest first. A 502 is the front's own: the process went away with the request. */
  readonly passedOn: PassedOn[];
  /** While the work runs, every request goes to this process, and to nobody else if it refuses. */
  only<Result>(process: number, work: () => Promise<Result>): Promise<Result>;
  /** Passes nothing more to this process; resolves when it has answered what it was given. */
  withhold(process: number): Promise<void>;
  /** Passes to it again. */
  bringBack(process: number): void;
  close(): Promise<void>;
};

const PATIENCE_MS = 20_000;
const AWAY = 502;
const REFUSED = 'ECONNREFUSED';
/** Of one connection, and of no use on the other (RFC 9110 §7.6.1). */
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding'];

export async function openFront({
  port,
  processes,
}: {
  readonly port: number;
  /** The ports behind it. */
  readonly processes: readonly number[];
}): Promise<Front> {
  const passedOn: PassedOn[] = [];
  let turn = 0;
  let pinned: number | undefined;
  const away = new Set<number>();
  const withheld = new Set<number>();
  const busy = processes.map(() => 0);

  /** Whom to ask, in order. */
  const nextOnes = (): number[] => {
    if (pinned !== undefined) return [pinned];
    const first = turn++;
    return processes.map((_port, at) => (first + at) % processes.length);
  };
  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url: path = '/', headers } = request;
    const body = await buffer(request);
    let answered: Pick<PassedOn, 'process' | 'status' | 'fault'> = { process: undefined, status: AWAY };
    for (const process of nextOnes()) {
      const port = processes[process];
      if (withheld.has(process) || (away.has(process) && !(await isReady(port)))) continue;
      busy[process] = (busy[process] ?? 0) + 1;
      const outcome = await passTo({ port, method, path, headers }, body, response);
      busy[process] -= 1;
      if (outcome.fault === REFUSED) {
        away.add(process);
        continue;
      }
      away.delete(process);
      answered = { process, ...outcome };
      break;
    }
    passedOn.push({ method, path, ...answered });
    if (response.headersSent) return;
    response
      .writeHead(AWAY, { 'Content-Type': 'application/json' })
      .end(JSON.stringify({ error: `away (${answered.fault})` }));
  };
  const server = createServer((request, response) => {
    pass(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return {
    passedOn,
    async only(process, work) {
      if (pinned !== undefined) throw new Error('the front serves one process alone already');
      pinned = process;
      try {
        return await work();
      } finally {
        pinned = undefined;
      }
    },
    async withhold(process) {
      withheld.add(process);
      await vi.waitUntil(() => busy[process] === 0, { timeout: PATIENCE_MS, interval: 5 });
    },
    bringBack: (process) => void withheld.delete(process),
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function isReady(port: number | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const asking = ask({ host: '127.0.0.1', port, path: '/readyz', agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asking.once('error', () => resolve(false)).end();
  });
}

/** Resolves to the status that was answered; AWAY where the answer did not come, or not to its end. */
function passTo(
  options: RequestOptions,
  body: Buffer,
  response: ServerResponse,
): Promise<{ readonly status: number; readonly fault?: string | undefined }> {
  return new Promise((resolve) => {
    // No agent: a connection kept alive could be closed at the moment it is used, and then nobody knows what was heard.
    const asking = ask({ ...options, host: '127.0.0.1', agent: false }, (answer) => {
      const status = answer.statusCode ?? AWAY;
      const headers = Object.entries(answer.headers).filter(([name]) => !HOP_BY_HOP.includes(name));
      response.writeHead(status, Object.fromEntries(headers));
      answer.pipe(response);
      answer.once('close', () => {
        if (!answer.complete) response.destroy();
        resolve(answer.complete ? { status } : { status: AWAY, fault: 'cut short' });
      });
    });
    asking.once('error', ({ code }: NodeJS.ErrnoException) => resolve({ status: AWAY, fault: code }));
    asking.end(body);
  });
}
