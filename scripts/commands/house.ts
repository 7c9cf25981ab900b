/**
 * What every command stands on: the configuration, the house without its pages, the terminal.
 *
 * A command works on the store itself, so it needs no server; what it writes binds every running process with the next
 * request, because each of them asks the store. Whatever goes wrong becomes one message with a fix and an exit code here,
 * and nowhere else.
 */
import { existsSync } from 'node:fs';

import {
  composeCore,
  type Core,
  createLog,
  formatProblems,
  KeyringProblem,
  readConfig,
  storeIsThere,
  storeName,
  StoreUnavailable,
  StoreUnusable,
} from '../../src/compose.ts';
import { type ExitCode, Interrupted, type Interrupts, Refused } from '../terminal/outcome.ts';
import { askYes } from '../terminal/questions.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { harmless } from '../terminal/text.ts';

export type House = { readonly core: Core; readonly terminal: Terminal; readonly interrupts: Interrupts };

/** What a command family is given to run its commands with. */
export type Shell = {
  readonly terminal: Terminal;
  readonly interrupts: Interrupts;
  readonly configFile: string | undefined;
  /**
   * Opens the house, works in it, closes it. Only over an installation that is there: in a wrong folder, or with the
   * wrong configuration, a command would succeed at nothing and leave a new one behind. `creates`: may be the first.
   */
  inHouse(work: (house: House) => Promise<ExitCode>, options?: { readonly creates?: boolean }): Promise<void>;
  /** Work that opens what it needs by itself. */
  alone(work: () => Promise<ExitCode>): Promise<void>;
};

/** The configuration is wrong; the text tells everything that is. */
class ConfigurationRefused extends Error {
  override readonly name = 'ConfigurationRefused';
}

/** What is missing of an installation, each of which opening it would make; null when it is all there. */
export async function whatLacks({
  store,
  keyringFile,
}: Pick<Parameters<typeof composeCore>[0], 'store' | 'keyringFile'>): Promise<{
  readonly part: 'store' | 'keyring';
  readonly found: string;
  readonly fix: string;
} | null> {
  const path = storeName(store);
  if (!(await storeIsThere(store))) {
    const fix =
      'name the configuration of the installation you mean with --config; `curfew serve` makes one where there is none';
    const found = store.engine === 'sqlite' ? `there is no database at ${path}` : `nobody has started at ${path}`;
    return { part: 'store', found, fix };
  }
  if (!existsSync(keyringFile)) {
    const fix = 'put the keyring back from where you keep it apart from the database, or correct `keyringFile`';
    return { part: 'keyring', found: `there is no keyring at ${keyringFile} to open the database ${path} with`, fix };
  }
  return null;
}

/** Reads the configuration or throws ConfigurationRefused. */
export function configurationOf(configFile: string | undefined) {
  const reading = readConfig({ file: configFile });
  if (!reading.ok) throw new ConfigurationRefused(formatProblems(reading.problems, reading.source));
  return reading;
}

/** Opens the core over a configuration; its log lines go to stderr, above any status line. */
export async function openCore(config: Parameters<typeof composeCore>[0], terminal: Terminal): Promise<Core> {
  const log = createLog({
    level: 'warn',
    destination: { write: (line) => terminal.note(line.replace(/\n$/, '')) },
  });
  const core = await composeCore(config, log);
  // However long it works: what is sealed here goes by what the store says now.
  core.sealingKeyWatch.start();
  return core;
}

export async function openHouse(
  { terminal, interrupts, configFile }: Pick<Shell, 'terminal' | 'interrupts' | 'configFile'>,
  work: (house: House) => Promise<ExitCode>,
  { creates = false }: { readonly creates?: boolean } = {},
): Promise<ExitCode> {
  const { config } = configurationOf(configFile);
  const lacking = creates ? null : await whatLacks(config);
  if (lacking !== null) throw new Refused(lacking.found, { fix: lacking.fix });
  const core = await openCore(config, terminal);
  try {
    return await work({ core, terminal, interrupts });
  } finally {
    terminal.progress(null);
    await core.close();
  }
}

/**
 * A yes to what is about to happen, from `--yes` or from whoever sits at the terminal. Where there is nobody to ask, what
 * ends somebody's access throws Refused; what only replaces a credential of the operator's choosing (`byScript`) goes on,
 * since a script that names it means it. Throws Declined when the answer is no.
 */
export async function agree(
  terminal: Terminal,
  {
    yes,
    about,
    question,
    byScript = 'refused',
  }: {
    readonly yes: boolean;
    readonly about: readonly string[];
    readonly question: string;
    readonly byScript?: 'refused' | 'goes-on';
  },
): Promise<void> {
  if (yes || (!terminal.interactive && byScript === 'goes-on')) return;
  if (!terminal.interactive) {
    throw new Refused('this needs a yes, and there is no terminal to ask at', { fix: 'add --yes' });
  }
  terminal.note(...about);
  if (!(await askYes(terminal, harmless(question)))) throw new Declined('Nothing was changed.');
}

/** The answer was no. */
class Declined extends Error {
  override readonly name = 'Declined';
}

/** What went wrong, in lines for stderr, and the exit code. Unforeseen faults show their stack only with `debug`. */
export function explainFault(
  fault: unknown,
  { debug }: { readonly debug: boolean },
): { lines: string[]; code: ExitCode } {
  const { lines, code } = explain(fault);
  return { lines: debug && fault instanceof Error ? [...lines, fault.stack ?? ''] : lines, code };
}

function explain(fault: unknown): { lines: string[]; code: ExitCode } {
  const told = (message: string, fix?: string): string[] => [
    `curfew: ${message}`,
    ...(fix === undefined ? [] : [`  fix: ${fix}`]),
  ];
  if (fault instanceof ConfigurationRefused) return { lines: [fault.message], code: 2 };
  if (fault instanceof Refused) return { lines: told(fault.message, fault.fix), code: fault.exitCode };
  if (fault instanceof Declined) return { lines: [fault.message], code: 1 };
  if (fault instanceof Interrupted) return { lines: [fault.message], code: 130 };
  if (fault instanceof KeyringProblem) return { lines: told(fault.message, fault.fix), code: 2 };
  if (fault instanceof StoreUnusable) return { lines: told(fault.message), code: 2 };
  if (fault instanceof StoreUnavailable) {
    const why = fault.cause instanceof Error ? ` (${fault.cause.message})` : '';
    const fix = 'nothing more was changed; try again, and see `curfew doctor` if it stays so';
    return { lines: told(`${fault.message}${why}`, fix), code: 1 };
  }
  const message = fault instanceof Error ? fault.message : String(fault);
  return { lines: told(message, 'run it again with --debug to see where'), code: 1 };
}
