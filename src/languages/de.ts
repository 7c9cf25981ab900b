/** German, formal. */
import * as account from './de/account.ts';
import * as apps from './de/apps.ts';
import * as devices from './de/devices.ts';
import * as errors from './de/errors.ts';
import * as mailed from './de/mailed.ts';
import * as signingIn from './de/signing-in.ts';
import type { Texts } from './en.ts';

export const de: Texts = { ...account, ...apps, ...devices, ...errors, ...mailed, ...signingIn };
