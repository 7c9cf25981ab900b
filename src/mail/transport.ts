/**
 * How a mail leaves: over SMTP, or into a folder.
 *
 * Invariant: an attempt ends within a bound and is told as one of few words; what the server said is never kept, it is
 * text from outside. A mail leaves in the clear only to this very machine, or where the operator wrote that it may. The
 * same mail has the same Message-ID each time, so that one that had to be sent again can be known. It refuses to know what a
 * mail is about, and what becomes of it after an attempt.
 */
import { createTransport as createMailer, type NodemailerError, type SendMailOptions } from 'nodemailer';

import type { MailAddress, MailRoute } from '../config/mail.ts';
import type { Clock } from '../platform/clock.ts';
import { plainAddress } from './address.ts';
import { folderTransport } from './folder.ts';
import type { SendResult } from './retry.ts';

/** A mail that is ready to go. */
export type Outgoing = {
  /** The queued mail's: the Message-ID is made of it. */
  readonly id: string;
  readonly queuedAt: Date;
  readonly to: string;
  readonly language: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
};

/** `detail` is for the log: safe to show, never kept. */
export type Sending = { readonly result: SendResult; readonly detail?: string };

export type Transport = {
  /** Never rejects. Cut off by `signal`: whether the mail left is then not known. */
  send(mail: Outgoing, signal: AbortSignal): Promise<Sending>;
  /** Whether a mail could be sent now, without sending any; null when it could, otherwise why not. Never rejects. */
  check(): Promise<string | null>;
};

/** The longest an attempt may take, in seconds; a lease has to outlast it. */
export const LONGEST_SEND_SECONDS = 60;

/** Milliseconds of waiting: for a connection and its greeting, for the next answer, for the whole attempt. */
export type Patience = { readonly connecting: number; readonly answering: number; readonly whole: number };
const PATIENCE: Patience = { connecting: 20_000, answering: 40_000, whole: LONGEST_SEND_SECONDS * 1000 };

export function createTransport(options: {
  readonly route: MailRoute;
  readonly from: MailAddress;
  readonly clock: Clock;
  readonly patience?: Patience;
}): Transport {
  const { route, from } = options;
  if (route.by === 'folder') return folderTransport({ folder: route.folder, compose: (mail) => compose(mail, from) });
  return smtpTransport({ ...options, route });
}

function smtpTransport({
  route: { host, port, security, user, password },
  from,
  clock,
  patience = PATIENCE,
}: {
  readonly route: MailRoute & { by: 'smtp' };
  readonly from: MailAddress;
  readonly clock: Clock;
  readonly patience?: Patience;
}): Transport {
  const transport = createMailer({
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    ...(user !== undefined && password !== undefined && { auth: { user, pass: password } }),
    connectionTimeout: patience.connecting,
    greetingTimeout: patience.connecting,
    dnsTimeout: patience.connecting,
    socketTimeout: patience.answering,
  });

  return {
    async send(mail, signal) {
      const cutting = new AbortController();
      const late = clock.setTimer(patience.whole, () => cutting.abort('late'));
      const cut = (): void => cutting.abort('cut');
      if (signal.aborted) cut();
      signal.addEventListener('abort', cut, { once: true });
      try {
        await transport.sendMail({ ...message(mail, from), signal: cutting.signal });
        return { result: { kind: 'accepted' } };
      } catch (fault) {
        if (cutting.signal.aborted) {
          return { result: { kind: 'failed', reason: cutting.signal.reason === 'cut' ? 'cut' : 'timeout' } };
        }
        return read(fault as NodemailerError);
      } finally {
        late.cancel();
        signal.removeEventListener('abort', cut);
      }
    },
    async check() {
      try {
        await transport.verify();
        return null;
      } catch (fault) {
        const { result, detail } = read(fault as NodemailerError);
        return detail ?? result.kind;
      }
    },
  };
}

/** What a failed attempt says about the mail. */
function read({ code, responseCode = 0, command = '', ...fault }: NodemailerError): Sending {
  const step = command.split(' ')[0] ?? '';
  const detail = [code, step, responseCode > 0 ? String(responseCode) : fault.originalCode].filter(Boolean).join(' ');
  const told = (result: SendResult): Sending => ({ result, detail });
  if (responseCode >= 400 && responseCode < 600) {
    if (step === 'AUTH') return told({ kind: 'turned-away', what: 'sign-in', code: responseCode });
    if (step === 'MAIL') return told({ kind: 'turned-away', what: 'sender', code: responseCode });
    if (step !== 'RCPT' && step !== 'DATA')
      return told({ kind: 'turned-away', what: 'connection', code: responseCode });
    // 503 is about the session's state, not about this mail (RFC 5321 §4.2.2).
    return told({ kind: responseCode < 500 || responseCode === 503 ? 'deferred' : 'refused', code: responseCode });
  }
  switch (code) {
    case 'ETIMEDOUT':
      return told({ kind: 'failed', reason: 'timeout' });
    case 'ETLS':
      return told({ kind: 'failed', reason: 'tls' });
    case 'ECONNECTION':
    case 'ESOCKET':
    case 'EDNS':
      return told({ kind: 'failed', reason: isCertificate(fault.originalCode) ? 'tls' : 'unreachable' });
    default:
      return told({ kind: 'failed', reason: 'protocol' });
  }
}

/** What Node calls it when it does not believe a certificate. */
const isCertificate = (code: string | undefined): boolean =>
  code !== undefined && /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|EPROTO)/.test(code);

/** The mail as bytes (RFC 5322). */
async function compose(mail: Outgoing, from: MailAddress): Promise<Buffer> {
  const composer = createMailer({ streamTransport: true, buffer: true, newline: 'windows' });
  return (await composer.sendMail(message(mail, from))).message as Buffer;
}

function message({ id, to, language, subject, text, html }: Outgoing, from: MailAddress): SendMailOptions {
  const recipient = plainAddress(to);
  const sender = plainAddress(from.address);
  return {
    messageId: `<${id}@${sender.split('@')[1]}>`,
    from: { name: from.name, address: sender },
    to: { name: '', address: recipient },
    envelope: { from: sender, to: [recipient] },
    subject,
    text,
    html,
    textEncoding: 'quoted-printable',
    headers: {
      // Nobody's absence is answered to a machine (RFC 3834 §5).
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
      'Content-Language': language,
    },
    xMailer: false,
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}
