/** `curfew store …`: where everything is kept, moved from one place to another or brought up to date. Needs no keyring. */
import type { Command } from 'commander';

import { migrateStore, storeName } from '../../src/compose.ts';
import { type ExitCode, Refused } from '../terminal/outcome.ts';
import { tableLines } from '../terminal/table.ts';
import { configurationOf, type Shell, whatLacks } from './house.ts';
import { copy, type CopyOptions } from './store-copy.ts';

export function storeCommands(program: Command, shell: Shell): void {
  const store = program.command('store').description('where everything is kept');
  store
    .command('copy')
    .description('move an installation from one store to another, everybody signed in as they are; asks first')
    .requiredOption('--from <url>', 'the store it is in: sqlite:PATH or mongodb://…; nothing is written there')
    .requiredOption('--to <url>', 'the store it is to be in, empty, or with an unfinished copy of the same')
    .option('--from-password-file <file>', 'a file with the password of the MongoDB user in --from')
    .option('--to-password-file <file>', 'a file with the password of the MongoDB user in --to')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      '\nStop Curfew first. Cut off anywhere, it goes on when it is run again; until then, nothing can use the new store.',
    )
    .action((options: CopyOptions) => shell.alone(() => copy(shell, options)));
  store
    .command('migrate')
    .description('bring the configured store up to date: its schema, and the indexes that are missing')
    .action(() => shell.alone(() => migrate(shell)));
}

async function migrate({ terminal, configFile }: Shell): Promise<ExitCode> {
  const { config } = configurationOf(configFile);
  const { store } = config;
  if (store.engine === 'sqlite') {
    const lacking = await whatLacks(config);
    if (lacking?.part === 'store') throw new Refused(lacking.found, { fix: lacking.fix });
  }
  const migration = await migrateStore(store);
  const { engine, from, to } = migration;
  const { indexes, serverDeletesExpired } =
    migration.engine === 'mongodb' ? migration : { indexes: [], serverDeletesExpired: false };
  terminal.printJson({ engine, store: storeName(store), from, to, indexes, serverDeletesExpired });
  if (indexes.length > 0) {
    const columns = [
      { title: 'collection', of: ({ collection }: (typeof indexes)[number]) => collection },
      { title: 'index', of: ({ index }: (typeof indexes)[number]) => index },
      { title: 'status', of: ({ status }: (typeof indexes)[number]) => status, whole: true },
    ];
    const heading = (line: string): string => terminal.style('bold', line);
    terminal.print(...tableLines(columns, indexes, { width: terminal.width, heading }), '');
  }
  terminal.printFacts([
    ['store', storeName(store)],
    ['schema', from === to || from === 0 ? String(to) : `${to}, was ${from}`],
    ['what has expired', `is deleted by ${serverDeletesExpired ? 'the server itself' : "Curfew's sweeper"}`],
  ]);
  const made = indexes.filter(({ status }) => status === 'made').length;
  if (made === 0 && from === to) terminal.print('Nothing is to be done.');
  return 0;
}
