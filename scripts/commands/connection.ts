/** `curfew connection …`: upstream identity providers, as configured and as they answer. */
import type { Command } from 'commander';

import type { Core } from '../../src/compose.ts';
import { type ExitCode, Refused } from '../terminal/outcome.ts';
import { proof, showConnection } from './connection-show.ts';
import { areWell, findingLines, findingsJson } from './findings.ts';
import type { House, Shell } from './house.ts';

type Settings = Core['config']['connections'][number];

export function connectionCommands(program: Command, shell: Shell): void {
  const connection = program.command('connection').description('upstream identity providers that vouch for people');
  connection
    .command('list')
    .description('every connection of the configuration')
    .action(() => shell.inHouse(list));
  connection
    .command('show <id>')
    .description('one connection: what is asked of it, and what its provider is told')
    .action((id: string) => shell.inHouse((house) => showConnection(house, named(house, id))));
  connection
    .command('test <id>')
    .description('what can be found out about a provider without a person; fails where nobody can sign in')
    .action((id: string) => shell.inHouse((house) => test(house, named(house, id))));
  connection
    .command('refresh <id>')
    .description('fetches the metadata of a SAML provider again, and says which certificates have changed')
    .action((id: string) => shell.inHouse((house) => refresh(house, named(house, id))));
}

function named({ core }: House, id: string): Settings {
  const found = core.config.connections.find((each) => each.id === id);
  if (found !== undefined) return found;
  throw new Refused(`there is no connection ${JSON.stringify(id)}`, {
    fix: 'see `curfew connection list`',
    exitCode: 2,
  });
}

async function list({ core, terminal }: House): Promise<ExitCode> {
  await terminal.printList({
    pages: (async function* () {
      yield core.config.connections;
    })(),
    columns: [
      { title: 'id', of: ({ id }) => id, whole: true },
      { title: 'type', of: ({ type }) => type, whole: true },
      { title: 'name', of: ({ name }) => name },
      { title: 'domains', of: ({ domains }) => domains.join(', ') },
      { title: 'new people', of: ({ createAccounts }) => (createAccounts ? 'are given accounts' : 'must be linked') },
      { title: 'fresh sign-in', of: ({ reauthentication }) => proof(reauthentication) },
    ],
    json: ({ id, type, name, domains, createAccounts, trustEmail, reauthentication }) => {
      return { id, type, name, domains, createAccounts, trustEmail, reauthentication };
    },
    none: 'There are none: add them under `connections` in the configuration.',
  });
  return 0;
}

async function test({ core, terminal }: House, { id }: Settings): Promise<ExitCode> {
  const findings = await core.connections.test(id);
  const ok = areWell(findings);
  terminal.printJson({ id, ok, checks: findingsJson(findings) });
  terminal.print(...findingLines(findings, terminal));
  return ok ? 0 : 1;
}

async function refresh({ core, terminal }: House, settings: Settings): Promise<ExitCode> {
  if (settings.type !== 'saml' || settings.metadataUrl === undefined) {
    throw new Refused(`${settings.id} has nothing to refresh`, {
      fix: 'only SAML connections with a metadataUrl have; OpenID Connect providers are asked every ten minutes',
      exitCode: 2,
    });
  }
  const refreshed = await core.connections.samlStates.refresh(settings);
  await core.journal.record({
    kind: 'connection.refreshed',
    accountId: null,
    actor: { kind: 'operator' },
    outcome: refreshed.kind,
    facts: { connection: settings.id },
  });
  switch (refreshed.kind) {
    case 'changed':
      terminal.printJson({ id: settings.id, changed: true, added: refreshed.added, removed: refreshed.removed });
      terminal.print(
        ...refreshed.added.map((print) => `now trusted: ${print}`),
        ...refreshed.removed.map((print) => `trusted no more: ${print}`),
      );
      return 0;
    case 'same':
    case 'file':
      terminal.printJson({ id: settings.id, changed: false, added: [], removed: [] });
      terminal.print('Its certificates are the same.');
      return 0;
    case 'failed':
      throw new Refused(`the metadata ${refreshed.why}`, {
        exitCode: 1,
        fix: refreshed.usesOthers
          ? `${refreshed.fix}. Those that were fetched before are used meanwhile`
          : refreshed.fix,
      });
  }
}
