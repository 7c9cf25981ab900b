/**
 * As much of a mail's format as it takes to show one (RFC 5322, MIME): headers in any charset words, and the text and HTML of
 * a message with alternatives. Whatever it does not understand it leaves out; nothing in a file makes it fail.
 */

export type Message = {
  readonly subject: string;
  readonly from: string;
  readonly to: string;
  readonly date: string;
  readonly text: string;
  readonly html: string | undefined;
};

type Part = { readonly headers: ReadonlyMap<string, string>; readonly body: string };

/** Reads a message from its bytes, as latin1: one character for each byte. */
export function readMessage(bytes: string): Message {
  const part = split(bytes);
  const header = (name: string): string => words(part.headers.get(name) ?? '');
  const parts = leaves(part, 0);
  const first = (type: string): string | undefined => {
    const found = parts.find((each) => typeOf(each) === type);
    return found && decode(found);
  };
  return {
    subject: header('subject'),
    from: header('from'),
    to: header('to'),
    date: header('date'),
    text: first('text/plain') ?? '',
    html: first('text/html'),
  };
}

const DEEPEST = 5;

function leaves(part: Part, depth: number): Part[] {
  const boundary = /boundary="?([^";]+)"?/i.exec(part.headers.get('content-type') ?? '')?.[1];
  if (boundary === undefined || depth > DEEPEST) return [part];
  const [, ...inside] = `\r\n${part.body}`.split(`\r\n--${boundary}`);
  return inside
    .filter((each) => !each.startsWith('--'))
    .flatMap((each) => leaves(split(each.replace(/^[ \t]*\r\n/, '')), depth + 1));
}

function split(bytes: string): Part {
  const normal = bytes.replaceAll(/\r?\n/g, '\r\n');
  const end = normal.indexOf('\r\n\r\n');
  const head = end < 0 ? normal : normal.slice(0, end);
  const lines = head.replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    if (colon > 0 && !headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  return { headers, body: end < 0 ? '' : normal.slice(end + 4) };
}

const typeOf = ({ headers }: Part): string =>
  (headers.get('content-type') ?? 'text/plain').split(';')[0]?.trim().toLowerCase() ?? '';

function decode({ headers, body }: Part): string {
  const charset = /charset="?([^";\s]+)"?/i.exec(headers.get('content-type') ?? '')?.[1];
  switch (headers.get('content-transfer-encoding')?.toLowerCase()) {
    case 'base64':
      return inCharset(Buffer.from(body, 'base64'), charset);
    case 'quoted-printable':
      return inCharset(quotedPrintable(body.replaceAll(/=[ \t]*\r\n/g, '')), charset);
    default:
      return inCharset(Buffer.from(body, 'latin1'), charset);
  }
}

const quotedPrintable = (text: string): Buffer =>
  Buffer.from(
    text.replaceAll(/=([0-9A-F]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );

function inCharset(bytes: Buffer, charset = 'utf-8'): string {
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return bytes.toString('latin1');
  }
}

/** Encoded words (RFC 2047). */
function words(value: string): string {
  return value
    .replaceAll(/\?=\s+=\?/g, '?==?')
    .replaceAll(/=\?([^?]+)\?([BQ])\?([^?]*)\?=/gi, (_all, charset: string, how: string, text: string) =>
      inCharset(
        how.toUpperCase() === 'B' ? Buffer.from(text, 'base64') : quotedPrintable(text.replaceAll('_', ' ')),
        charset,
      ),
    );
}
