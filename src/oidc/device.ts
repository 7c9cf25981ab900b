/**
 * What is remembered of a device so that its owner can recognise it: user agent and address, sealed; read back as the
 * words a person would use. It identifies nobody and proves nothing.
 */
import type { Keyring, SealBinding } from '../platform/keyring.ts';

export type DeviceTraits = { readonly userAgent: string; readonly address: string };

export type DeviceSeal = (id: string, traits: DeviceTraits) => string;

const MAX_USER_AGENT = 512;

/** How the device of this Client Session is sealed. */
export const deviceSealOf = (id: string): SealBinding => [
  'device',
  { collection: 'client_sessions', field: 'device', id },
];

export function deviceSealer(keyring: Keyring): { seal: DeviceSeal; unseal(id: string, sealed: string): DeviceTraits } {
  return {
    seal: (id, { userAgent, address }) =>
      keyring.seal(...deviceSealOf(id), JSON.stringify({ userAgent: userAgent.slice(0, MAX_USER_AGENT), address })),
    unseal: (id, sealed) => JSON.parse(keyring.unseal(...deviceSealOf(id), sealed)) as DeviceTraits,
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

/** The browser, or a program's own name where it gives one, and the system: names, which are the same in every language. */
export function partsOf({ userAgent }: DeviceTraits): {
  readonly program: string | null;
  readonly system: string | null;
} {
  const browser = BROWSERS.find(([pattern]) => pattern.test(userAgent))?.[1];
  const system = SYSTEMS.find(([pattern]) => pattern.test(userAgent))?.[1] ?? null;
  const product = /^[\w .-]{1,40}/.exec(userAgent)?.[0].trim();
  return { program: browser ?? (product || null), system };
}

/** Where a device is, as far as that can be told from its address. */
export function placeOf({ address }: DeviceTraits): 'unknown' | 'this-machine' | 'elsewhere' {
  if (address === '') return 'unknown';
  return /^(127\.|::1$)/.test(address) ? 'this-machine' : 'elsewhere';
}

/** "Firefox on Linux", in English: for what is kept, mailed or handed out. Pages say it in their own language. */
export function describeDevice(traits: DeviceTraits): string {
  const { program, system } = partsOf(traits);
  if (program === null) return 'Unknown device';
  return system === null ? program : `${program} on ${system}`;
}

/** Where a device is, in English. */
export function describePlace(traits: DeviceTraits): string {
  switch (placeOf(traits)) {
    case 'unknown':
      return 'Unknown place';
    case 'this-machine':
      return `this machine (${traits.address})`;
    case 'elsewhere':
      return traits.address;
  }
}
