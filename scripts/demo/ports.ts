/** Ports nobody listens on: each its own wish if that is free, otherwise the next one that is. */
import { createServer } from 'node:net';

const HIGHEST = 65_535;

/**
 * One port for each wish. A wish that is taken is given the next free port after all the wishes, so that the others keep
 * theirs.
 */
export async function freePorts(wishes: readonly number[]): Promise<number[]> {
  const ports: number[] = [];
  let next = Math.max(...wishes) + 1;
  for (const wish of wishes) {
    let port = wish;
    while (!(await isFree(port))) {
      port = next;
      next += 1;
      if (port > HIGHEST) throw new Error('no free port is left');
    }
    ports.push(port);
  }
  return ports;
}

/** Free in every family that `localhost` may mean here: a browser tries them all. */
async function isFree(port: number): Promise<boolean> {
  return (await canListen('127.0.0.1', port)) && (await canListen('::1', port));
}

function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    // A machine without IPv6 has nobody listening there either.
    probe.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'EADDRINUSE' && code !== 'EACCES'));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
