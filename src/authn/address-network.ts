/**
 * Who counts as one caller on the network.
 *
 * Purpose: the part of an address that one household or one machine cannot change at will. Invariant: every input has an
 * answer, so nothing escapes being counted by being unreadable (CVE-2024-47070). It refuses to know how the address was
 * learnt: which forwarded header may be believed is decided in web.
 */
import { isIPv4, isIPv6 } from 'node:net';

/** All addresses that could not be read share this one. */
const UNREADABLE = 'unreadable';

/**
 * The network an attempt is counted under: an IPv4 address as it is, an IPv4-mapped one (RFC 4291 §2.5.5.2) as that IPv4
 * address, any other IPv6 address by its /64, since a single subscriber holds all of it (RFC 6177).
 */
export function networkOf(address: string | undefined): string {
  if (address === undefined) return UNREADABLE;
  if (isIPv4(address)) return address;
  // A zone (`fe80::1%eth0`) is this machine's own word.
  const groups = groupsOf(address.replace(/%.*$/, ''));
  if (groups === null) return UNREADABLE;
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped)
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 0xff])
      .join('.');
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

// The eight 16-bit groups of an IPv6 address in any of its spellings (RFC 4291 §2.2).
function groupsOf(address: string): number[] | null {
  if (!isIPv6(address)) return null;
  const hexadecimal = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((group) => group.toString(16)).join(':'),
  );
  const [head = [], tail = []] = hexadecimal
    .split('::')
    .map((half) => (half === '' ? [] : half.split(':').map((group) => Number.parseInt(group, 16))));
  const missing = hexadecimal.includes('::') ? 8 - head.length - tail.length : 0;
  return [...head, ...Array.from({ length: missing }, () => 0), ...tail];
}
