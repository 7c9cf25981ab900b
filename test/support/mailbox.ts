/** Mail as people get it: from the folder that a world sends it to, read as a mail program reads it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';

import type { World } from './world.ts';

/** The configuration of a world that sends mail. */
export const MAIL = { mail: { url: 'file:./mail', from: 'Curfew <no-reply@example.test>' } };

export type Received = {
  /** Of its file. */
  readonly name: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** The path and query of the one link that leads to this page. */
  link(path: string): string;
};

export type Mailbox = {
  /** Everything that was sent so far, once nothing is under way any more. */
  all(): Promise<readonly Received[]>;
  /** What came to this address since the last look. */
  fresh(to: string): Promise<readonly Received[]>;
  /** The only mail that came to this address since the last look. */
  one(to: string): Promise<Received>;
};

export function mailbox(world: World): Mailbox {
  const folder = join(world.folder, 'mail');
  const seen = new Set<string>();
  const all = async (): Promise<readonly Received[]> => {
    await world.server.settled();
    await world.core.mails?.runUntilIdle();
    if (!existsSync(folder)) return [];
    const names = readdirSync(folder).filter((name) => name.endsWith('.eml'));
    return names.toSorted().map((name) => read(name, readFileSync(join(folder, name), 'utf8')));
  };
  const fresh = async (to: string): Promise<readonly Received[]> => {
    const mails = (await all()).filter((mail) => mail.to.toLowerCase() === to.toLowerCase() && !seen.has(mail.name));
    for (const { name } of mails) seen.add(name);
    return mails;
  };
  return {
    all,
    fresh,
    async one(to) {
      const mails = await fresh(to);
      expect(mails.map(({ subject }) => subject)).toHaveLength(1);
      return mails[0] as Received;
    },
  };
}

function read(name: string, message: string): Received {
  const [head = ''] = message.split('\r\n\r\n', 1);
  const header = (name: string): string =>
    new RegExp(`^${name}: (.*(?:\\r\\n[ \\t].*)*)`, 'im').exec(head)?.[1]?.replaceAll(/\r\n[ \t]+/g, ' ') ?? '';
  const boundary = /boundary="([^"]+)"/.exec(header('Content-Type'))?.[1] ?? '';
  const part = message.split(`--${boundary}`).find((each) => /content-type: text\/plain/i.test(each)) ?? '';
  const text = unquoted(part.slice(part.indexOf('\r\n\r\n') + 4));
  return {
    name,
    to: header('To'),
    subject: header('Subject'),
    text,
    link(path) {
      const links = [...text.matchAll(/https?:\/\/\S+/g)].map(([link]) => new URL(link));
      const found = new Set(links.filter(({ pathname }) => pathname === path).map(({ href }) => href));
      expect([path, found.size]).toEqual([path, 1]);
      const [href = ''] = found;
      return href;
    },
  };
}

/** Quoted-printable (RFC 2045 §6.7). */
function unquoted(text: string): string {
  const bytes = text
    .replaceAll(/=\r\n/g, '')
    .replaceAll(/=([0-9A-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
