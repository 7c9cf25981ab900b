/** Hands for the tests of the example apps: programs as child processes, a browser with a cookie jar, and patience. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';

const PATIENCE_MS = 10_000;
const ROOT = new URL('../../', import.meta.url).pathname;

/** Asks again and again, for a bounded time, until the answer is there. */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`still waiting until ${what}`);
    await pause(20);
  }
}

export async function getJson(url: string): Promise<Record<string, unknown>> {
  return (await (await fetch(url)).json()) as Record<string, unknown>;
}

export type Program = {
  name: string;
  url: string;
  output: () => string;
  log: () => string;
  stop: (signal?: NodeJS.Signals) => Promise<number | null>;
};

type Launched = { child: ChildProcess; exited: Promise<number | null> };

const running = new Set<Launched>();

export function launch(script: string, flags: Record<string, string>) {
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(process.execPath, [`${ROOT}examples/${script}/server.ts`, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (text.out += String(chunk)));
  child.stderr.on('data', (chunk) => (text.err += String(chunk)));
  const exited = once(child, 'close').then(([code]) => {
    running.delete(launched);
    return code as number | null;
  });
  const launched: Launched = { child, exited };
  running.add(launched);
  return { child, text, exited };
}

/** A program that has said it is ready, on a free port. */
export async function start(script: string, flags: Record<string, string>): Promise<Program> {
  const { child, text, exited } = launch(script, { port: '0', ...flags });
  const [, name = '', url = ''] = await until(`${script} is ready`, async () => {
    if (child.exitCode !== null) throw new Error(`${script} ended: ${text.err}`);
    return /^ready (.+) (http:\S+)\n/.exec(text.out) ?? undefined;
  });
  const stop = (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal);
    return exited;
  };
  return { name, url, output: () => text.out, log: () => text.err, stop };
}

export async function stopAll(): Promise<void> {
  const ended = [...running].map(({ child, exited }) => {
    child.kill('SIGKILL');
    return exited;
  });
  await Promise.all(ended);
}

export type Answer = { status: number; url: string; text: string; headers: Headers };
export type Browser = ReturnType<typeof openBrowser>;

/** Follows redirects and keeps cookies, for all of localhost as a browser does. */
export function openBrowser() {
  const jar = new Map<string, string>();

  async function once(url: string, form?: Record<string, string>): Promise<Response> {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value && !/expires=thu, 01 jan 1970/i.test(line)) jar.set(name, value);
      else jar.delete(name);
    }
    return response;
  }

  async function go(url: string, form?: Record<string, string>): Promise<Answer> {
    let response = await once(url, form);
    for (let hops = 0; response.headers.has('location') && hops < 10; hops += 1) {
      url = new URL(response.headers.get('location') ?? '', url).href;
      response = await once(url);
    }
    return { status: response.status, url, text: await response.text(), headers: response.headers };
  }

  return {
    get: (url: string) => go(url),
    post: (url: string, form: Record<string, string> = {}) => go(url, form),
    async session(player: Program) {
      const response = await once(`${player.url}/session`);
      return (await response.json()) as { signedIn: boolean; sub?: string; sid?: string };
    },
    cookieNames: () => [...jar.keys()],
  };
}
