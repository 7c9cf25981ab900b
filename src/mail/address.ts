/**
 * What may be written on an envelope, looked at once more.
 *
 * Addresses were judged where people gave them; here nothing is believed. Invariant: what passes is exactly one plain
 * ASCII address, so that no list, no comment, no route and no line break can send a mail to somebody else (CVE-2023-7028).
 */

const PLAIN = /^[A-Za-z0-9#$&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63}$/;
const LONGEST = 254;

/** Whether a mail can be sent to it. */
export const isMailable = (text: string): boolean => text.length <= LONGEST && PLAIN.test(text) && !text.includes('..');

/** The address itself. Throws RangeError, which does not quote it, when it is not exactly one plain address. */
export function plainAddress(text: string): string {
  if (isMailable(text)) return text;
  throw new RangeError('this is not exactly one plain e-mail address');
}
