/**
 * The operator's command. Each command family is a file beside this one, which knows what they have in common: global
 * options, exit codes, and that nobody is ever shown a stack instead of a message.
 */
import { readFileSync } from 'node:fs';

import { Command, CommanderError, Option } from 'commander';

import { systemClock } from '../../src/compose.ts';
import { serve } from '../../src/server.ts';
import { accountCommands } from './account.ts';
import { auditCommands } from './audit.ts';
import { clientCommands } from './client.ts';
import { connectionCommands } from './connection.ts';
import { deliveryCommands } from './delivery.ts';
import { doctorCommand } from './doctor.ts';
import { drillCommands } from './drill.ts';
import { explainFault, openHouse, type Shell } from './house.ts';
import { incidentCommands } from './incident.ts';
import { keyringCommands } from './keyring.ts';
import { keysCommands } from './keys.ts';
import { mailCommands } from './mail.ts';
import { signOutCommand } from './sign-out.ts';
import { storeCommands } from './store.ts';
import type { ExitCode, Interrupts } from '../terminal/outcome.ts';
import { createTerminal, PROGRESS, type Streams } from '../terminal/terminal.ts';

type Globals = {
  config?: string;
  json?: boolean;
  progress: (typeof PROGRESS)[number];
  color: boolean;
  debug?: boolean;
};

const EXIT_CODES = `
Exit codes: 0 done · 1 failed · 2 wrong usage or configuration · 3 done, deliveries still pending · 130 interrupted
A name nobody knows is wrong usage; a name that is taken, an account that was deleted or a weak password is a failure.`;

/** Runs one command line, without the two words in front of it. Never rejects. */
export async function run(typed: readonly string[], streams: Streams, interrupts: Interrupts): Promise<ExitCode> {
  let exitCode: ExitCode = 0;
  const program = new Command('curfew');
  const shell = createShell(program, streams, interrupts, (code) => (exitCode = code));
  program
    .description('A self-hosted identity provider in which one press signs a person out everywhere.')
    .option('--config <file>', 'configuration file (default: $CURFEW_CONFIG, else development defaults)')
    .option('--json', 'results as JSON on stdout, and nothing else there')
    .addOption(
      new Option('--progress <how>', 'of long work: a bar on a terminal, JSON lines on stderr, nothing')
        .choices(PROGRESS)
        .default('auto'),
    )
    .option('--no-color', 'no colours')
    .option('--debug', 'where a failure came from')
    .version(version())
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void streams.stdout.write(text),
      writeErr: (text) => void streams.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'curfew: ')),
    })
    .showHelpAfterError('  fix: see the same command with --help')
    .addHelpText('after', EXIT_CODES)
    .exitOverride()
    .hook('preAction', (_program, command) => {
      if (command.name() !== 'serve') interrupts.listen();
    });
  program
    .command('serve')
    .description('run the server')
    .action(() => shell.alone(async () => (await serve({ configFile: shell.configFile })) as ExitCode));
  accountCommands(program, shell);
  clientCommands(program, shell);
  connectionCommands(program, shell);
  signOutCommand(program, shell);
  incidentCommands(program, shell);
  deliveryCommands(program, shell);
  mailCommands(program, shell);
  keyringCommands(program, shell);
  keysCommands(program, shell);
  auditCommands(program, shell);
  storeCommands(program, shell);
  doctorCommand(program, shell);
  drillCommands(program, shell);
  try {
    await program.parseAsync(typed, { from: 'user' });
    return exitCode;
  } catch (fault) {
    if (fault instanceof CommanderError) return fault.exitCode === 0 ? 0 : 2;
    const { lines, code } = explainFault(fault, { debug: program.opts<Globals>().debug === true });
    shell.terminal.note(...lines);
    return code;
  }
}

/** Global options are known only once the line is parsed, which is when a command begins. */
function createShell(
  program: Command,
  streams: Streams,
  interrupts: Interrupts,
  ended: (exitCode: ExitCode) => void,
): Shell {
  let terminal: Shell['terminal'] | undefined;
  const shell: Shell = {
    interrupts,
    get terminal() {
      const { json = false, color, progress } = program.opts<Globals>();
      return (terminal ??= createTerminal(streams, { json, color, progress, now: systemClock.now }));
    },
    get configFile() {
      return program.opts<Globals>().config;
    },
    inHouse: async (work, options) => ended(await openHouse(shell, work, options)),
    alone: async (work) => ended(await work()),
  };
  return shell;
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
