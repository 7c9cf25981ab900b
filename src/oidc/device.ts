/**
 * What is remembered of a device so that its owner can recognise it: user agent and address, sealed; read back as the
 * words a person would use. It identifies nobody and proves nothing.
 */
import type { Keyring } from '../platform/keyring.ts';

export type DeviceTraits = { readonly userAgent: string; readonly address: string };

export type DeviceSeal = (id: string, traits: DeviceTraits) => string;

const MAX_USER_AGENT = 512;

export function deviceSealer(keyring: Keyring): { seal: DeviceSeal; unseal(id: string, sealed: string): DeviceTraits } {
  const context = (id: string) => ({ collection: 'client_sessions', field: 'device', id });
  return {
    seal: (id, { userAgent, address }) =>
      keyring.seal('device', context(id), JSON.stringify({ userAgent: userAgent.slice(0, MAX_USER_AGENT), address })),
    unseal: (id, sealed) => JSON.parse(keyring.unseal('device', context(id), sealed)) as DeviceTraits,
  };
}

/** The address a request came from, behind as many proxies as are trusted. */
export function addressOf(ctx: { readonly ip: string }): string {
  return ctx.ip.replace(/^::ffff:/, '');
}

const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/\bEdgA?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/\b(?:Chrome|CriOS|HeadlessChrome)\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
];
const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid TV\b|\bBRAVIA\b|\bAFT[A-Z]/, 'Android TV'],
  [/\bAndroid\b/, 'Android'],
  [/\bTizen\b/, 'Samsung TV'],
  [/\bWeb0S\b|\bwebOS\b/, 'LG TV'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b|\bMacintosh\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
];

/** "Firefox on Linux"; a program's own name where it gives one; "Unknown device" where it gives none. */
export function describeDevice({ userAgent }: DeviceTraits): string {
  const browser = BROWSERS.find(([pattern]) => pattern.test(userAgent))?.[1];
  const system = SYSTEMS.find(([pattern]) => pattern.test(userAgent))?.[1];
  if (browser !== undefined) return system === undefined ? browser : `${browser} on ${system}`;
  const product = /^[\w .-]{1,40}/.exec(userAgent)?.[0].trim();
  if (product) return system === undefined ? product : `${product} on ${system}`;
  return 'Unknown device';
}

/** Where a device is, as far as it is known: the address. */
export function describePlace({ address }: DeviceTraits): string {
  if (address === '') return 'Unknown place';
  return /^(127\.|::1$)/.test(address) ? `this machine (${address})` : address;
}
