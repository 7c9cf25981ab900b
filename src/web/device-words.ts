/** What a device and its place are called, in the language of the page. */
import { type DeviceTraits, partsOf, placeOf } from '../oidc/device.ts';
import type { Texts } from '../languages/en.ts';

/** "Firefox on Linux"; a program's own name where it gives one; "Unknown device" where it gives none. */
export function deviceWords(traits: DeviceTraits, { device }: Texts): string {
  const { program, system } = partsOf(traits);
  if (program === null) return device.unknown;
  return system === null ? program : device.on(program, system);
}

/** Where a device is, as far as it is known: the address. */
export function placeWords(traits: DeviceTraits, { device }: Texts): string {
  switch (placeOf(traits)) {
    case 'unknown':
      return device.unknownPlace;
    case 'this-machine':
      return device.thisMachine(traits.address);
    case 'elsewhere':
      return traits.address;
  }
}
