/**
 * Whether somebody is there, without a word to them.
 *
 * Purpose: resolve a host and connect to it, TLS included, as a call would, and hang up. Invariant: the rules of
 * outbound-http.ts hold here too: the address is judged at connect time. It refuses to know what would be sent.
 */
import { withoutBrackets } from './addresses.ts';
import { guardedConnector } from './outbound-http.ts';
import { failureFrom, type OutboundFailure } from './outbound-outcome.ts';

/** Resolves to null when the host of an http or https URL accepted a connection, otherwise to why not. Never rejects. */
export type Reach = (url: URL) => Promise<OutboundFailure | null>;

const TIMEOUT_MILLISECONDS = 5000;

export function createReach(options: { allow: readonly string[] }): Reach {
  const connect = guardedConnector(options, TIMEOUT_MILLISECONDS);
  return ({ hostname, host, protocol, port }) =>
    new Promise((resolve) => {
      connect({ hostname: withoutBrackets(hostname), host, protocol, port }, (...[error, socket]) => {
        socket?.destroy();
        resolve(error === null ? null : failureFrom(error, hostname));
      });
    });
}
