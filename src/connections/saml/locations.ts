/**
 * Addresses that an identity provider asks us to send people to.
 *
 * Purpose: tell an address a browser may be sent to from one that runs as script, leaks the message, or is not what it looks
 * like. Invariant: https, or http on this very machine; what is refused is refused as written, not repaired. It refuses to
 * know what is at the address.
 */
import { specialRange } from '../../platform/addresses.ts';

const LONGEST_LOCATION = 2048;
// As written: URL parsers drop tabs and line feeds, and take a backslash for a slash.
const PLAIN_URL = /^https?:\/\/[!-[\]-~]+$/;
const OUR_PARAMETERS = ['SAMLRequest', 'SAMLResponse', 'RelayState', 'SigAlg', 'Signature'];

export function isSafeLocation(location: string): boolean {
  if (location.length > LONGEST_LOCATION || !PLAIN_URL.test(location) || !URL.canParse(location)) return false;
  const { protocol, hostname, username, password, hash, searchParams } = new URL(location);
  const reachable = protocol === 'https:' || isLoopback(hostname);
  const clean = username === '' && password === '' && hash === '' && !location.endsWith('#');
  // A second one beside ours, and the provider would have to guess.
  return reachable && clean && !OUR_PARAMETERS.some((name) => searchParams.has(name));
}

/** By its very name (RFC 6761 §6.3) or address. */
function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
  return /^(.+\.)?localhost$/.test(host) || specialRange(host) === 'loopback';
}
