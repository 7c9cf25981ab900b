/**
 * What the media server keeps on disk, in files that never mix: who it is (`server.json`, made once, untouched by any
 * sign-out), what it may do (`attachment.json`, a secret, gone when access ends), and who it was to its issuer
 * (`last-id-token.json`, which opens nothing and outlives its access).
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Attachment } from '../shared/device.ts';
import { log } from '../shared/log.ts';

export type Title = { title: string; year: number };
export type Identity = { id: string; name: string; library: Title[] };

const FIRST_LIBRARY: Title[] = [
  { title: 'A Trip to the Moon', year: 1902 },
  { title: 'The Cabinet of Dr. Caligari', year: 1920 },
  { title: 'Häxan', year: 1922 },
  { title: 'Sherlock Jr.', year: 1924 },
  { title: 'The Adventures of Prince Achmed', year: 1926 },
  { title: 'Metropolis', year: 1927 },
];

/** The identity kept in this folder, or a new one. A damaged file is a fault: a new identity would be another server. */
export function loadIdentity({ folder, name }: { folder: string; name: string }): Identity {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'server.json');
  const text = readIfPresent(path);
  if (text === undefined) {
    const identity = { id: randomUUID(), name, library: FIRST_LIBRARY };
    replaceFile(path, identity);
    return identity;
  }
  const identity = parse<Identity>(text);
  if (typeof identity?.id !== 'string' || typeof identity.name !== 'string' || !Array.isArray(identity.library)) {
    throw new Error(`${path} is damaged: repair it, or remove it to become a new media server`);
  }
  return { id: identity.id, name: identity.name, library: identity.library };
}

/** The attachment to one issuer as one client: with any other its refresh token has no business. */
export function attachmentFile({ folder, ...holder }: { folder: string; issuer: string; clientId: string }) {
  const path = join(folder, 'attachment.json');
  return {
    load: (): Attachment | undefined => {
      const text = readIfPresent(path);
      if (text === undefined) return undefined;
      const kept = parse<Attachment & typeof holder>(text);
      if (kept?.issuer !== holder.issuer || kept.clientId !== holder.clientId) return undefined;
      if (typeof kept.refreshToken === 'string' && typeof kept.owner?.sub === 'string') {
        return { refreshToken: kept.refreshToken, owner: { sub: kept.owner.sub, name: kept.owner.name } };
      }
      // Nothing is lost for good: its owner approves one code.
      log('attachment.damaged');
      return undefined;
    },
    keep: (attachment: Attachment | undefined): void => {
      if (attachment) replaceFile(path, { ...holder, ...attachment });
      else rmSync(path, { force: true });
    },
  };
}

/** The last ID Token of one issuer for one client: anybody else's business is not what it says. */
export function idTokenFile({ folder, ...holder }: { folder: string; issuer: string; clientId: string }) {
  const path = join(folder, 'last-id-token.json');
  return {
    load: (): string | undefined => {
      const kept = parse<{ idToken: string } & typeof holder>(readIfPresent(path) ?? '');
      const ours = kept?.issuer === holder.issuer && kept.clientId === holder.clientId;
      return ours && typeof kept.idToken === 'string' ? kept.idToken : undefined;
    },
    keep: (idToken: string | undefined): void => {
      if (idToken === undefined) rmSync(path, { force: true });
      else replaceFile(path, { ...holder, idToken });
    },
  };
}

/** All or nothing, and never readable by others, not even for a moment. */
function replaceFile(path: string, content: unknown): void {
  const draft = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = openSync(draft, 'wx', 0o600);
    try {
      writeSync(file, `${JSON.stringify(content, undefined, 2)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parse<T>(text: string): Partial<T> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Partial<T>) : undefined;
  } catch {
    return undefined;
  }
}
