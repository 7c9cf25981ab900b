/**
 * `curfew audit …`: the record of what happened, for whoever has to trust it without trusting whoever keeps it.
 *
 * A file is verified with the public key and nothing else: no configuration is read and no store is opened, so that an auditor
 * can do it on another machine.
 */
import { createReadStream, readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';

import { type Command, InvalidArgumentError } from 'commander';

import {
  type Checker,
  randomId,
  readCheckpoints,
  readPublicKey,
  type Verified,
  verifyFile,
} from '../../src/compose.ts';
import { type ExitCode, Refused } from '../terminal/outcome.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { counted } from '../terminal/text.ts';
import type { House, Shell } from './house.ts';

type Export = { out?: string; since?: Date; reveal?: boolean };
type Verify = { key?: string; checkpoint?: string };

export function auditCommands(program: Command, shell: Shell): void {
  const audit = program.command('audit').description('the record of what happened');
  audit
    .command('export')
    .description('write the record as JSON lines, signed: all of it, or since a time')
    .option('--out <file>', 'into this file, which only its owner can read, instead of stdout')
    .option('--since <time>', 'only what happened since (RFC 3339: 2026-01-31T00:00:00Z)', timeOf)
    .option('--reveal', 'with what is sealed: addresses, browsers, names')
    .action((options: Export) => shell.inHouse((house) => exportRecord(house, options)));
  audit
    .command('verify [file]')
    .description('look for anything that is not as it was written: in a file (- for stdin), or in the store')
    .option('--key <file>', 'the public key, as `curfew audit key` prints it; needed for a file')
    .option('--checkpoint <file>', 'checkpoints that were kept elsewhere: lines of the log')
    .action((file: string | undefined, options: Verify) =>
      file === undefined
        ? shell.inHouse((house) => verifyStore(house, options))
        : shell.alone(() => verifyRecord(shell.terminal, file, options)),
    );
  audit
    .command('key')
    .description('the public key that records are verified with, as a JWK: what an auditor is given')
    .action(() =>
      shell.inHouse(async ({ core, terminal }) => {
        const jwk = await core.audit.publicKey();
        terminal.printJson(jwk);
        terminal.print(JSON.stringify(jwk));
        return 0;
      }),
    );
}

function timeOf(typed: string): Date {
  const instant = new Date(typed);
  if (!/^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(typed) || Number.isNaN(instant.getTime())) {
    throw new InvalidArgumentError('write it as 2026-01-31 or 2026-01-31T08:00:00Z.');
  }
  return instant;
}

async function exportRecord(
  { core, terminal, interrupts }: House,
  { out, since, reveal = false }: Export,
): Promise<ExitCode> {
  return interrupts.hold(async (signal) => {
    const { pages, following } = await core.audit.export({ since, reveal });
    const target = out === undefined ? toStream(terminal) : await toFile(out);
    try {
      for await (const { lines, done, total } of pages) {
        if (signal.aborted) break;
        await target.write(`${lines.join('\n')}\n`);
        if (out !== undefined) terminal.progress({ doing: 'Exporting', done, total, unit: 'events' });
      }
      terminal.progress(null);
      if (signal.aborted) {
        await target.discard();
        return 130;
      }
      await target.keep();
    } catch (fault) {
      terminal.progress(null);
      await target.discard();
      throw fault;
    }
    for (const { text } of following.faults) terminal.note(`curfew: ${text}`);
    if (following.found > 0) {
      terminal.note('  fix: it is exported as it is; `curfew audit verify` tells the same of the store');
      return 1;
    }
    if (out !== undefined) {
      const through = following.last.seq;
      terminal.printJson({ file: out, events: following.events, through, head: following.last.hash });
      terminal.print(`${counted(following.events, 'event')}, through ${through}, in ${out}.`);
    }
    return 0;
  });
}

type Target = { write(text: string): Promise<void>; keep(): Promise<void>; discard(): Promise<void> };

/** Under another name until all of it is on the disk: nobody finds half a record. */
async function toFile(path: string): Promise<Target> {
  const unfinished = `${path}.${randomId()}.part`;
  const file = await open(unfinished, 'wx', 0o600);
  return {
    write: (text) => file.writeFile(text),
    async keep() {
      await file.sync();
      await file.close();
      await rename(unfinished, path);
    },
    async discard() {
      await file.close().catch(() => undefined);
      await rm(unfinished, { force: true });
    },
  };
}

/** A reader that is slow is waited for, so that the record is not kept in memory. */
function toStream({ streams: { stdout } }: Terminal): Target {
  return {
    write: (text) =>
      new Promise((resolve) => {
        if (stdout.write(text)) resolve();
        else stdout.once('drain', resolve);
      }),
    keep: async () => undefined,
    discard: async () => undefined,
  };
}

async function verifyRecord(terminal: Terminal, file: string, { key, checkpoint }: Verify): Promise<ExitCode> {
  if (key === undefined) {
    throw new Refused('a file is verified with the public key, and none was given', {
      fix: 'have whoever keeps the record run `curfew audit key`, and give its output with --key FILE',
    });
  }
  const checker = keyIn(key);
  const anchors = anchorsIn(checkpoint, checker);
  const chunks = file === '-' ? terminal.streams.stdin : createReadStream(file);
  try {
    return tell(terminal, await verifyFile(chunks as AsyncIterable<Uint8Array>, { checker, anchors }));
  } catch (fault) {
    if (fault instanceof Error && 'code' in fault) throw new Refused(`${file} cannot be read: ${fault.message}`);
    throw fault;
  }
}

async function verifyStore({ core, terminal }: House, { key, checkpoint }: Verify): Promise<ExitCode> {
  const own = readPublicKey(JSON.stringify(await core.audit.publicKey()));
  if (typeof own === 'string') throw new Error(own);
  if (key !== undefined && keyIn(key).kid !== own.kid) {
    terminal.note(`curfew: the key of this store is ${own.kid}, and not the one in ${key}`);
    return 1;
  }
  const verified = await core.audit.verify({
    anchors: anchorsIn(checkpoint, own),
    progress: (done, total) => terminal.progress({ doing: 'Verifying', done, total, unit: 'events' }),
  });
  terminal.progress(null);
  return tell(terminal, verified);
}

function tell(terminal: Terminal, { ok, faults, found, ...verified }: Verified): ExitCode {
  const { events, from, through, head, lastCheckpoint, issuer, exportedAt, kid } = verified;
  terminal.printJson({
    verified: ok,
    events,
    from,
    through,
    head,
    lastCheckpoint,
    issuer,
    exportedAt,
    kid,
    found,
    faults,
  });
  if (!ok) {
    terminal.print(
      ...faults.map(({ line, text }) => (line === null ? text : `line ${line}: ${text}`)),
      ...(found > faults.length ? [`and ${found - faults.length} more`] : []),
    );
    terminal.note(`curfew: the record is not what was written: ${counted(found, 'fault')}`);
    return 1;
  }
  const signed = lastCheckpoint === null ? 'none yet' : `${lastCheckpoint.at}, of event ${lastCheckpoint.seq}`;
  terminal.print(
    events === 0
      ? 'Verified: there is no event in it.'
      : `Verified: ${counted(events, 'event')}, ${from} through ${through}, each as it was written.`,
    `Last checkpoint: ${signed}.`,
  );
  return 0;
}

function keyIn(file: string): Checker {
  const read = readPublicKey(textIn(file));
  if (typeof read === 'string')
    throw new Refused(`${file}: ${read}`, { fix: '`curfew audit key` prints the right one' });
  return read;
}

function anchorsIn(file: string | undefined, checker: Checker): ReturnType<typeof readCheckpoints>['places'] {
  if (file === undefined) return [];
  const { places, unsigned } = readCheckpoints(textIn(file), checker);
  if (unsigned > 0) {
    throw new Refused(`${file}: ${counted(unsigned, 'checkpoint')} in it not signed with this key`, { exitCode: 1 });
  }
  if (places.length === 0) throw new Refused(`${file}: there is no checkpoint in it`);
  return places;
}

function textIn(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (fault) {
    throw new Refused(`${file} cannot be read: ${fault instanceof Error ? fault.message : String(fault)}`);
  }
}
