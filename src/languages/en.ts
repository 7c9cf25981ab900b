/** English: the language that everything is written in first. What it can say, every other language must. */
import * as account from './en/account.ts';
import * as apps from './en/apps.ts';
import * as devices from './en/devices.ts';
import * as errors from './en/errors.ts';
import * as mailed from './en/mailed.ts';
import * as signingIn from './en/signing-in.ts';

export const en = { ...account, ...apps, ...devices, ...errors, ...mailed, ...signingIn };

/** What a language must be able to say. One that lacks a text, or a part of one, is a type error. */
export type Texts = typeof en;
