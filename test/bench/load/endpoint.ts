/** A server under load: kept-alive connections, and requests as an app's backend sends them. */
import { Pool } from 'undici';

import { SECRET } from '../house.ts';
import type { Usage } from '../measure.ts';

export const CONNECTIONS = 32;

export type Reply = {
  readonly status: number;
  readonly location: string | undefined;
  readonly cookies: readonly string[];
  readonly text: string;
};

/** Something that listens, and the process whose time it takes. */
export type Endpoint = {
  readonly origin: string;
  readonly usage: () => Promise<Usage>;
  get(path: string, headers?: Record<string, string>): Promise<Reply>;
  /** Posts a form. */
  post(path: string, form: string, headers?: Record<string, string>): Promise<Reply>;
  close(): Promise<void>;
};

export function connectTo(origin: string, usage: () => Promise<Usage>): Endpoint {
  const pool = new Pool(origin, { connections: CONNECTIONS, pipelining: 1, headersTimeout: 60_000 });
  const send = async (
    method: 'GET' | 'POST',
    path: string,
    headers: Record<string, string>,
    form: string | null,
  ): Promise<Reply> => {
    const { statusCode, headers: answered, body } = await pool.request({ method, path, headers, body: form });
    const cookies = answered['set-cookie'] ?? [];
    const { location } = answered;
    return {
      status: statusCode,
      location: Array.isArray(location) ? location[0] : location,
      cookies: Array.isArray(cookies) ? cookies : [cookies],
      text: await body.text(),
    };
  };
  return {
    origin,
    usage,
    get: (path, headers = {}) => send('GET', path, headers, null),
    post: (path, form, headers = {}) =>
      send('POST', path, { 'content-type': 'application/x-www-form-urlencoded', ...headers }, form),
    close: () => pool.destroy(),
  };
}

/** `client_secret_basic` (RFC 6749 §2.3.1). */
export function basic(clientId: string): { authorization: string } {
  const credentials = `${encodeURIComponent(clientId)}:${encodeURIComponent(SECRET)}`;
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}

/** The body of an answer that must be a success. */
export function expectOk({ status, text }: Reply): Record<string, unknown> {
  if (status !== 200) throw new Error(`answered ${status}: ${text.slice(0, 300)}`);
  return JSON.parse(text) as Record<string, unknown>;
}
