/**
 * What must be true of `mail` as a whole, and the file it names.
 *
 * Invariant: who signs in to a mail server has a password from a file, and nobody else has one. It refuses to know how a file is
 * read.
 */
import { resolve } from 'node:path';

import type { ConfigProblem } from '../config.ts';
import type { ReadSecret } from './check-clients.ts';
import { isRefusal, Mail, type MailConfig, type MailRoute, parseFrom, parseMailUrl } from './mail.ts';

/** The mail as the house sends it. What the schema alone refuses is left to the schema's own messages. */
export function checkMail(
  written: unknown,
  { base, readSecret }: { readonly base: string; readonly readSecret: ReadSecret },
): { readonly config: MailConfig | null; readonly problems: ConfigProblem[] } {
  const parsed = Mail.safeParse(written);
  if (!parsed.success) return { config: null, problems: [] };
  const { url, from, passwordFile, perMinute } = parsed.data;
  const route = parseMailUrl(url);
  const sender = parseFrom(from);
  if (isRefusal(route) || isRefusal(sender)) return { config: null, problems: [] };
  const refused = (problem: string, fix: string) => ({
    config: null,
    problems: [{ path: 'mail.passwordFile', problem, fix }],
  });
  const as = (sure: MailRoute) => ({ config: { route: sure, from: sender, perMinute }, problems: [] });
  if (route.folder !== undefined) {
    if (passwordFile !== undefined) return refused('is set, and a folder has no password', 'leave it out');
    return as({ by: 'folder', folder: resolve(base, route.folder) });
  }
  if (route.user === undefined) {
    if (passwordFile === undefined) return as({ ...route, password: undefined });
    return refused('is set, and mail.url names no user', 'write smtp://USER@host:port, or leave it out');
  }
  if (passwordFile === undefined) {
    return refused('is missing, and mail.url names a user', 'name the file with the password, or leave the user out');
  }
  const read = readSecret(passwordFile);
  if ('problem' in read) return refused(read.problem, read.fix);
  return as({ ...route, password: read.secret });
}
