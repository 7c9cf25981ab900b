/**
 * Mail into a folder, for development: one `.eml` file for each, to be read with any mail program.
 *
 * Invariant: a file is there whole or not at all, only its owner may read it, and the same mail is the same file however
 * often it is written. Names sort by the time a mail was queued at.
 */
import { access, constants, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { Outgoing, Sending, Transport } from './transport.ts';

export function folderTransport({
  folder,
  compose,
}: {
  readonly folder: string;
  readonly compose: (mail: Outgoing) => Promise<Buffer>;
}): Transport {
  return {
    async send(mail): Promise<Sending> {
      const name = `${mail.queuedAt.toISOString().replaceAll(/[-:]/g, '')}-${mail.id}.eml`;
      // Beside it, so that it takes its place in one step; hidden, so that no reader of the folder takes it for a mail.
      const draft = join(folder, `.${name}.${process.pid}`);
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const file = await open(draft, 'w', 0o600);
        try {
          await file.writeFile(await compose(mail));
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(draft, join(folder, name));
        return { result: { kind: 'accepted' } };
      } catch (fault) {
        await rm(draft, { force: true }).catch(() => {});
        return {
          result: { kind: 'failed', reason: 'folder' },
          detail: (fault as NodeJS.ErrnoException).code ?? 'fault',
        };
      }
    },
    async check() {
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await access(folder, constants.W_OK | constants.X_OK);
        return null;
      } catch (fault) {
        return `${folder} cannot be written to (${(fault as NodeJS.ErrnoException).code ?? 'fault'})`;
      }
    },
  };
}
