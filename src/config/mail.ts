/**
 * How mail is sent, as an operator writes it: `smtp://…`, `smtps://…` or `file:DIR`.
 *
 * Invariant: an address that is accepted holds no password (the file it stands in is copied and committed), and one that sends
 * in the clear says so, or leads to this very machine. It refuses to know how mail is sent.
 */
import { z } from 'zod';

import { parseEmail } from '../accounts/identifiers.ts';
import { rule } from './client-metadata.ts';
import { isLoopbackHost } from './loopback.ts';

/** Who mail comes from: a name that may be empty, and the address. */
export type MailAddress = { readonly name: string; readonly address: string };

/** Where mail goes to be sent. `tls` from the start, `starttls` or nothing at all, `none` in the clear. */
export type MailRoute =
  | { readonly by: 'folder'; readonly folder: string }
  | {
      readonly by: 'smtp';
      readonly host: string;
      readonly port: number;
      readonly security: 'tls' | 'starttls' | 'none';
      readonly user: string | undefined;
      readonly password: string | undefined;
    };

export type MailConfig = {
  readonly route: MailRoute;
  readonly from: MailAddress;
  readonly perMinute: number | undefined;
};

type Refusal = ReturnType<typeof rule>;
type Written = { readonly folder: string } | (Omit<MailRoute & { by: 'smtp' }, 'password'> & { folder?: undefined });

const EXAMPLE = 'for example smtp://curfew@mail.example.org:587, or file:./data/mail';
/** RFC 6409 §3.1 and RFC 8314 §3.3. */
const PORTS = { smtp: 587, smtps: 465 } as const;
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])$/;

/** Where mail goes, or why that cannot be told. */
export function parseMailUrl(text: string): Written | Refusal {
  const [, folder] = /^file:(.+)$/s.exec(text) ?? [];
  if (folder !== undefined) return { folder: folder.replace(/^\/\/(?=\/)/, '') };
  const url = URL.parse(text);
  const scheme = /^(smtps?):\/\//.exec(text)?.[1] as keyof typeof PORTS | undefined;
  if (url === null || scheme === undefined) return rule('must be smtp://, smtps:// or file: and a folder', EXAMPLE);
  if (url.password !== '' || /^[^/]*\/\/[^@/]*:[^@/]*@/.test(text)) {
    return rule(
      'holds a password',
      'put it in a file, name that in mail.passwordFile, and write smtp://user@host:port',
    );
  }
  if (!HOST.test(url.hostname) || !['', '/'].includes(url.pathname) || url.hash !== '') {
    return rule('is not a mail server’s address', EXAMPLE);
  }
  if (url.search !== '' && (url.search !== '?starttls=off' || scheme === 'smtps')) {
    return rule(
      'has an option that there is not',
      'there is one: ?starttls=off, for an smtp:// server that knows no TLS',
    );
  }
  const user = decoded(url.username);
  if (user === null) return rule('has a user name that cannot be read', 'write it percent-encoded: user%40example.org');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const clear = url.search !== '' || isLoopbackHost(host);
  if (url.search !== '' && user !== undefined && !isLoopbackHost(host)) {
    return rule('would send a password in the clear', 'leave out ?starttls=off, or the user');
  }
  const security = scheme === 'smtps' ? 'tls' : clear ? 'none' : 'starttls';
  return { by: 'smtp', host, port: url.port === '' ? PORTS[scheme] : Number(url.port), security, user };
}

/** `Name <address>` or the address alone. */
export function parseFrom(text: string): MailAddress | Refusal {
  const wrong = rule(
    'must be one address, or a name and one address',
    'for example "Curfew <no-reply@example.org>", the name without quotes, commas and the like',
  );
  const [, name = '', bracketed] = /^([^<>"\\,;:@\p{Cc}]{0,100})<([^<>]+)>$/u.exec(text) ?? [];
  const parsed = parseEmail(bracketed ?? text);
  return 'email' in parsed && (bracketed ?? text) === parsed.email
    ? { name: name.trim(), address: parsed.email }
    : wrong;
}

/** Whether it is a refusal. */
export const isRefusal = (parsed: Written | MailAddress | Refusal): parsed is Refusal => 'message' in parsed;

const judged =
  (parse: (text: string) => Written | MailAddress | Refusal) => (text: string, context: z.RefinementCtx) => {
    const parsed = parse(text);
    if (isRefusal(parsed)) context.addIssue({ code: 'custom', ...parsed });
  };

/** The `mail` of a configuration file. */
export const Mail = z
  .strictObject({
    url: z
      .string()
      .superRefine(judged(parseMailUrl))
      .describe(
        'smtp://USER@HOST:PORT (STARTTLS is required, except on loopback), smtps://USER@HOST:PORT, or file:FOLDER for development: one .eml file a mail, the folder relative to this file.',
      ),
    from: z
      .string()
      .superRefine(judged(parseFrom))
      .describe('Who mails come from: Name <address>, or the address alone. Failed deliveries are returned there.'),
    passwordFile: z
      .string()
      .min(1)
      .describe('The file with the password of the user in `url`, on one line.')
      .optional(),
    perMinute: z
      .int()
      .min(1)
      .max(100_000)
      .describe('Mails sent in a minute by one process at most. Default: as many as there are.')
      .optional(),
  })
  .describe('An SMTP server, or a folder.');

function decoded(user: string): string | undefined | null {
  if (user === '') return undefined;
  try {
    const text = decodeURIComponent(user);
    return /^[\x20-\x7e]+$/.test(text) ? text : null;
  } catch {
    return null;
  }
}
