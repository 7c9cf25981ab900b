/**
 * Which addresses are the world's, and which are ours.
 *
 * Purpose: tell an address that anyone may be called at from one that only an operator may open (loopback, private
 * networks, cloud metadata …), in every notation that leads there. Invariant: an address that no rule knows is refused,
 * not allowed. It refuses to know who calls and why.
 */
import { BlockList, isIP, isIPv4 } from 'node:net';
import { domainToASCII } from 'node:url';

// IANA special-purpose registries (RFC 6890 and updates), multicast, and the metadata services of clouds that use a
// public-looking address. The first name that matches is the one told.
const IPV4_RANGES: [name: string, ranges: string[]][] = [
  ['cloud metadata', ['169.254.169.254/32', '168.63.129.16/32', '100.100.100.200/32', '192.0.0.192/32']],
  ['loopback', ['127.0.0.0/8']],
  ['unspecified', ['0.0.0.0/8']],
  ['private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16']],
  ['carrier-grade NAT', ['100.64.0.0/10']],
  ['link-local', ['169.254.0.0/16']],
  ['multicast', ['224.0.0.0/4']],
  [
    'reserved',
    [
      '192.0.0.0/24',
      '192.0.2.0/24',
      '192.88.99.0/24',
      '198.18.0.0/15',
      '198.51.100.0/24',
      '203.0.113.0/24',
      '240.0.0.0/4',
    ],
  ],
];
const IPV6_RANGES: [name: string, ranges: string[]][] = [
  ['cloud metadata', ['fd00:ec2::254/128', 'fd20:ce::254/128']],
  ['loopback', ['::1/128']],
  ['unspecified', ['::/128']],
  ['private', ['fc00::/7', 'fec0::/10', '64:ff9b:1::/48']],
  ['link-local', ['fe80::/10']],
  ['multicast', ['ff00::/8']],
  ['reserved', ['2001::/23', '2001:db8::/32', '3fff::/20']],
];
// Everything else in IPv6 is unassigned, or a form nobody calls on purpose (IPv4-compatible ::a.b.c.d among them).
const IPV6_WORLD = ['2000::/3', '64:ff9b::/96', '::ffff:0:0/96'];

const SPECIAL = new Map<string, BlockList>();
for (const [name, ranges] of [...IPV4_RANGES, ...IPV6_RANGES]) {
  const list = SPECIAL.get(name) ?? new BlockList();
  SPECIAL.set(name, list);
  for (const range of ranges) {
    add(list, range);
    if (!range.includes(':')) for (const form of carriedInIpv6(range)) add(list, form);
  }
}
const WORLD = new BlockList();
for (const range of IPV6_WORLD) add(WORLD, range);

/**
 * The name of the special range `address` (IPv4 or IPv6, as resolved) lies in, or `undefined` for one of the world's.
 * IPv4-mapped, NAT64 (RFC 6052) and 6to4 (RFC 3056) addresses are judged by the IPv4 address they carry. What is no
 * address at all is `reserved`.
 */
export function specialRange(address: string): string | undefined {
  const family = isIP(address);
  if (family === 0) return 'reserved';
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  for (const [name, list] of SPECIAL) if (list.check(address, kind)) return name;
  return family === 4 || WORLD.check(address, kind) ? undefined : 'reserved';
}

/** One entry of `outbound.allow`, understood. */
export type AllowEntry = { kind: 'host'; host: string } | { kind: 'range'; range: string };

/**
 * Reads an entry: a host name, an address, or a CIDR. Returns `undefined` for anything else: a URL, a port, a wildcard.
 * An address is the range that holds only it.
 */
export function parseAllowEntry(entry: string): AllowEntry | undefined {
  const text = entry.trim().replace(/^\[(.*)\]$/, '$1');
  const family = isIP(text);
  if (family !== 0)
    return text.includes('%') ? undefined : { kind: 'range', range: `${text}/${family === 4 ? 32 : 128}` };
  const [, base = '', digits = ''] = /^([0-9a-f.:]+)\/(\d{1,3})$/i.exec(text) ?? [];
  if (base !== '') {
    const longest = { 0: -1, 4: 32, 6: 128 }[isIP(base)] ?? -1;
    return Number(digits) <= longest ? { kind: 'range', range: text } : undefined;
  }
  // Checked before conversion, which drops whatever follows the host of a URL.
  if (/[\s/:@?#%\\*[\]]/.test(text)) return undefined;
  const host = hostName(text);
  // An all-numeric last label would be read as an IPv4 address by the URL parser, never as this name.
  if (!/^(?=.{1,253}$)[a-z0-9_]([\w-]{0,61}\w)?(\.[a-z0-9_]([\w-]{0,61}\w)?)*$/.test(host)) return undefined;
  return /(^|\.)(\d+|0x[0-9a-f]*)$/.test(host) ? undefined : { kind: 'host', host };
}

/** What an operator opened. */
export type Allowed = {
  /** The name itself is listed: whatever it resolves to may be called. */
  host(hostname: string): boolean;
  /** The address lies in a listed range. */
  address(address: string): boolean;
};

/** Compiles `outbound.allow`. Entries that do not parse are a `TypeError`: configuration has refused them before. */
export function allowed(entries: readonly string[]): Allowed {
  const hosts = new Set<string>();
  const ranges = new BlockList();
  for (const entry of entries) {
    const parsed = parseAllowEntry(entry);
    if (!parsed) throw new TypeError('outbound.allow holds an entry that is neither a host name nor a CIDR');
    if (parsed.kind === 'host') hosts.add(parsed.host);
    else add(ranges, parsed.range);
  }
  return {
    host: (hostname) => hosts.has(hostName(hostname)),
    address: (address) => isIP(address) !== 0 && ranges.check(address, isIPv4(address) ? 'ipv4' : 'ipv6'),
  };
}

/** A URL's `hostname` without the brackets of an IPv6 address. */
export const withoutBrackets = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, '$1');

const hostName = (text: string): string => domainToASCII(text).toLowerCase().replace(/\.$/, '');

function add(list: BlockList, range: string): void {
  const [base = '', prefix = ''] = range.split('/');
  list.addSubnet(base, Number(prefix), isIPv4(base) ? 'ipv4' : 'ipv6');
}

function carriedInIpv6(range: string): string[] {
  const [base = '', prefix = ''] = range.split('/');
  const [a = 0, b = 0, c = 0, d = 0] = base.split('.').map(Number);
  const high = ((a << 8) | b).toString(16);
  const low = ((c << 8) | d).toString(16);
  const bits = Number(prefix);
  return [`::ffff:${base}/${96 + bits}`, `64:ff9b::${base}/${96 + bits}`, `2002:${high}:${low}::/${16 + bits}`];
}
