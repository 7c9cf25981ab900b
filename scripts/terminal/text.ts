/** Text on its way to a terminal: what others wrote is shown, and never obeyed. */

/**
 * The text without control characters and without marks that turn the direction of what follows: a Client's name is
 * written by whoever registered it, and must not move an operator's cursor or forge a line.
 */
export function harmless(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}

const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Cells the text takes on a terminal, near enough: East Asian wide characters and pictographs take two. */
export function cells(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

/** The text cut to `width` cells, with an ellipsis where something was left out. */
export function clip(text: string, width: number): string {
  if (cells(text) <= width) return text;
  let kept = '';
  let taken = 0;
  for (const { segment } of graphemes.segment(text)) {
    const more = WIDE.test(segment) ? 2 : 1;
    if (taken + more > width - 1) break;
    kept += segment;
    taken += more;
  }
  return `${kept}…`;
}

/** The text filled up with blanks to `width` cells. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, width - cells(text)));
  return align === 'left' ? text + blanks : blanks + text;
}

/** `1 app`, `2 apps`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
