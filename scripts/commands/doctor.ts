/**
 * `curfew doctor`: looks at everything that must be right, and says how to mend what is not. Where there is no installation
 * it makes none. The one it looks at it opens as any command does, so a database of an older version is brought up to
 * date and missing signing keys are made; and it writes a ping, to see that writing works.
 */
import type { Command } from 'commander';

import { KeyringProblem, StoreUnavailable, StoreUnusable } from '../../src/compose.ts';
import type { ExitCode } from '../terminal/outcome.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { areWell, type Finding, findingLines, findingsJson } from './findings.ts';
import { configurationOf, openCore, type Shell, whatLacks } from './house.ts';
import { checkBlocklist, checkIssuer } from './doctor-surroundings.ts';
import { checkClock, checkDeliveries, checkKeys, checkStore } from './doctor-house.ts';
import { checkKeyring } from './doctor-keyring.ts';
import { checkBackChannels } from './doctor-clients.ts';
import { checkConnections } from './doctor-connections.ts';
import { checkMail } from './doctor-mail.ts';

type Config = ReturnType<typeof configurationOf>['config'];

export function doctorCommand(program: Command, shell: Shell): void {
  program
    .command('doctor')
    .description('check configuration, keys, store, clock and who can be reached')
    .action(() => shell.alone(() => examine(shell)));
}

async function examine({ terminal, configFile }: Shell): Promise<ExitCode> {
  const { config, warnings, source } = configurationOf(configFile);
  const from = source.file ?? 'built-in development defaults';
  const findings: Finding[] = [
    { check: 'configuration', status: 'ok', found: from },
    ...warnings.map(({ path, problem, fix }): Finding => ({
      check: 'configuration',
      status: 'warning',
      found: `${path} ${problem}`,
      fix,
    })),
    ...(await examineHouse(config, terminal)),
    checkBlocklist(),
    await checkIssuer(config.issuer),
  ];
  const ok = areWell(findings);
  terminal.printJson({ ok, checks: findingsJson(findings) });
  terminal.print(...findingLines(findings, terminal));
  return ok ? 0 : 1;
}

/** Keyring and store, and then all that is in them. Nothing is created here: a first start does that. */
async function examineHouse(config: Config, terminal: Terminal): Promise<Finding[]> {
  let lacking: Awaited<ReturnType<typeof whatLacks>>;
  try {
    lacking = await whatLacks(config);
  } catch (fault) {
    return [whyClosed(fault)];
  }
  if (lacking?.part === 'store') {
    const fix = 'the first `curfew serve` makes one; or correct `store`';
    return [{ check: 'store', status: 'warning', found: `${lacking.found} yet`, fix }];
  }
  if (lacking !== null) return [{ check: lacking.part, status: 'problem', found: lacking.found, fix: lacking.fix }];
  let core: Awaited<ReturnType<typeof openCore>>;
  try {
    core = await openCore(config, terminal);
  } catch (fault) {
    return [whyClosed(fault)];
  }
  try {
    const keyring: Finding = {
      check: 'keyring',
      status: 'ok',
      found: `${config.keyringFile}, private to its owner, belongs to this store`,
    };
    const { finding: store, condition } = await checkStore(core);
    if (store.status === 'problem') return [keyring, store];
    const inside = [
      checkKeys(core),
      checkDeliveries(core),
      checkBackChannels(core),
      checkConnections(core),
      checkMail(core),
    ];
    return [...(await checkKeyring(core)), store, checkClock(core, condition), ...(await Promise.all(inside)).flat()];
  } finally {
    await core.close();
  }
}

function whyClosed(fault: unknown): Finding {
  if (fault instanceof KeyringProblem) {
    return { check: 'keyring', status: 'problem', found: fault.message, fix: fault.fix };
  }
  if (fault instanceof StoreUnusable) {
    const fix = 'restore it from a backup, or name the right one in `store`';
    return { check: 'store', status: 'problem', found: fault.message, fix };
  }
  if (fault instanceof StoreUnavailable) {
    const why = fault.cause instanceof Error ? `: ${fault.cause.message}` : '';
    return { check: 'store', status: 'problem', found: fault.message + why, fix: 'look at disk and permissions' };
  }
  throw fault;
}
