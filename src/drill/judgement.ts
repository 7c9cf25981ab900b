/**
 * What an answer to a probe is worth, as a table.
 *
 * | answer         | to a token that must be refused      | to the good one                        |
 * |----------------|--------------------------------------|----------------------------------------|
 * | 200, 204       | accepted                             | as it should be (Back-Channel §2.8)    |
 * | other 2xx      | accepted                             | refused: a Delivery is not taken as heard |
 * | 3xx            | redirected                           | redirected                             |
 * | 400            | as it should be                      | refused                                |
 * | other 4xx      | as it should be, but an odd status   | refused                                |
 * | 5xx            | fell over                            | fell over                              |
 * | none           | no answer                            | no answer                              |
 *
 * Pure: it knows neither network nor Clients, and never sees anything of an answer but its status.
 */

/** What was wrong with an answer. `not-tried`: nothing was sent, because it could not have told anything. */
export type Flaw = 'accepted' | 'refused' | 'redirected' | 'fell-over' | 'no-answer' | 'cacheable' | 'not-tried';

/** A status, or the reason why there was none. */
export type Heard =
  { readonly status: number; readonly noStore: boolean } | { readonly nothing: string; readonly detail: string };

export type Judged = {
  readonly flaw: Flaw | null;
  /** Refused as it must be, by another status than 400. */
  readonly oddStatus: boolean;
};

const WELL: Judged = { flaw: null, oddStatus: false };
const flawed = (flaw: Flaw): Judged => ({ flaw, oddStatus: false });

/** To what must be refused. */
export function judgeRefusal(heard: Heard): Judged {
  if ('nothing' in heard) return flawed('no-answer');
  const { status } = heard;
  if (status === 400) return WELL;
  if (status > 400 && status < 500) return { flaw: null, oddStatus: true };
  if (status >= 500) return flawed('fell-over');
  return flawed(status >= 300 ? 'redirected' : 'accepted');
}

/** To what must be accepted. */
export function judgeAcceptance(heard: Heard): Judged {
  if ('nothing' in heard) return flawed('no-answer');
  const { status } = heard;
  if (status === 200 || status === 204) return WELL;
  if (status >= 500) return flawed('fell-over');
  return flawed(status >= 300 && status < 400 ? 'redirected' : 'refused');
}

/** `answered 400`, or the word for why there was no answer. */
export const answeredText = (heard: Heard): string => ('nothing' in heard ? heard.nothing : `answered ${heard.status}`);
