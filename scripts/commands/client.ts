/** `curfew client …`: relying parties that are kept in the store. Those of the configuration are changed there, and only shown here. */
import type { Command } from 'commander';

import { type Core, randomSecret, REASONS } from '../../src/compose.ts';
import { type ExitCode, Refused } from '../terminal/outcome.ts';
import { counted } from '../terminal/text.ts';
import { seconds, waitSeconds } from './arguments.ts';
import { clientDrillCommand } from './client-drill.ts';
import { agree, type House, type Shell } from './house.ts';
import { metadataFrom, type NewClientOptions, settled } from './new-client.ts';
import { tellClients, USUAL_WAIT_SECONDS } from './telling.ts';

type Listed = NonNullable<Awaited<ReturnType<Core['clients']['lookUp']>>>;

const HOUR_SECONDS = 3600;
const YEAR_SECONDS = 365 * 24 * HOUR_SECONDS;

export function clientCommands(program: Command, shell: Shell): void {
  const client = program.command('client').description('apps that sign people in here');
  client
    .command('create')
    .description('register an app; its secret is shown once')
    .requiredOption('--id <id>', 'its client_id')
    .requiredOption('--name <name>', 'shown to people')
    .option('--redirect-uri <uri...>', 'where sign-ins return to, compared character by character')
    .option('--post-logout-redirect-uri <uri...>', 'where a sign-out it asks for may return to')
    .option('--backchannel-logout-uri <uri>', 'where it is told of sign-outs')
    .option('--session-required', 'tell it each session by its sid')
    .option('--public', 'it cannot keep a secret: PKCE instead')
    .option('--device', 'it signs in by a code typed on another device')
    .option('--first-party', 'ours: no consent page')
    .option('--introspects <ids...>', "client ids whose tokens it may introspect, or the word 'all'")
    .option('--metadata-file <file>', 'a JSON file with further client metadata')
    .action((options: NewClientOptions) => shell.inHouse((house) => create(house, options), { creates: true }));
  client
    .command('list')
    .description('every app')
    .action(() => shell.inHouse(list));
  client
    .command('show <id>')
    .description('one app')
    .action((id: string) => shell.inHouse((house) => show(house, id)));
  client
    .command('delete <id>')
    .description('remove an app and end all access through it; asks first')
    .option('--yes', 'do not ask')
    .option('--wait <seconds>', 'how long to go on telling it from here', waitSeconds, USUAL_WAIT_SECONDS)
    .action((id: string, options: { yes?: boolean; wait: number }) =>
      shell.inHouse((house) => remove(house, id, options)),
    );
  client
    .command('rotate-secret <id>')
    .description('give an app another secret, shown once; the old one stops working at once; asks at a terminal')
    .option('--yes', 'do not ask')
    .action((id: string, options: { yes?: boolean }) => shell.inHouse((house) => rotateSecret(house, id, options)));
  client
    .command('initial-access-token')
    .description('a token by which somebody may register apps themselves; shown once')
    .option(
      '--expires-in <seconds>',
      'how long it can be used',
      seconds({ least: 1, most: YEAR_SECONDS }),
      HOUR_SECONDS,
    )
    .action(({ expiresIn }: { expiresIn: number }) =>
      shell.inHouse((house) => issueInitialAccessToken(house, expiresIn)),
    );
  clientDrillCommand(client, shell);
}

async function create(house: House, options: NewClientOptions): Promise<ExitCode> {
  const { core, terminal } = house;
  const { id } = options;
  const present = await core.clients.lookUpFormer(id);
  if (present !== null) {
    const gone = (await core.clients.lookUp(id)) === null;
    const why = gone ? 'belonged to an app that was removed, and is not given again' : 'is taken';
    throw new Refused(`the client id ${id} ${why}`, { exitCode: 1, fix: 'choose another --id' });
  }
  const { metadata, secret, warnings } = await settled(core, metadataFrom(options));
  await core.clients.register(id, metadata, 'command');
  await core.journal.record({ kind: 'client.created', accountId: null, ...byOperator(id) });
  for (const { path, problem, fix } of warnings) terminal.note(`Note: ${path} ${problem}; ${fix}.`);
  await presentOnce(house, id, secret);
  return 0;
}

async function list({ core, terminal }: House): Promise<ExitCode> {
  await terminal.printList({
    pages: onePage(await core.clients.list()),
    columns: [
      { title: 'id', of: ({ metadata }) => metadata.client_id, whole: true },
      { title: 'name', of: ({ metadata }) => text(metadata['client_name']) },
      { title: 'kind', of: kindOf },
      { title: 'told at', of: ({ metadata }) => text(metadata['backchannel_logout_uri']) },
      { title: 'from', of: ({ source }) => source },
    ],
    json: clientJson,
    none: 'There are no apps yet: list them in the configuration, or `curfew client create`.',
  });
  return 0;
}

async function show({ core, terminal }: House, id: string): Promise<ExitCode> {
  const shown = clientJson(await clientNamed(core, id));
  terminal.printJson(shown);
  terminal.printFacts(factsOf(shown));
  return 0;
}

async function remove(
  house: House,
  id: string,
  { yes = false, wait }: { readonly yes?: boolean; readonly wait: number },
): Promise<ExitCode> {
  const { core, terminal } = house;
  const client = await changeable(core, id);
  const scope = { kind: 'client', clientId: id } as const;
  const [{ accounts }, notices] = await Promise.all([core.signOuts.preview(scope), core.fanOut.foresee(scope)]);
  await agree(terminal, {
    yes,
    about: [
      `${text(client.metadata['client_name'])} (${id}) will be removed, and its id never be given again.`,
      `The access of ${counted(accounts, 'account')} through it ends; ${counted(notices, 'notice')} to deliver.`,
    ],
    question: `Delete ${id}?`,
  });
  const actor = { kind: 'operator' } as const;
  const signOut = await core.signOuts.prepare({ scope, reason: REASONS.clientRemoved, actor });
  if ((await core.store.catalogue.deleteClient(id, signOut)) === 'unknown') {
    throw new Refused(`the client ${id} was removed meanwhile`, { exitCode: 1 });
  }
  core.signOuts.written();
  await core.journal.record({ kind: 'client.deleted', accountId: null, ...byOperator(id) });
  const { exitCode, receipt } = await tellClients(house, signOut.id, wait);
  terminal.printJson({ client_id: id, status: 'deleted', signOut: receipt?.id ?? signOut.id });
  terminal.print(`${id} was removed, and all access through it has ended.`);
  return exitCode;
}

async function rotateSecret(house: House, id: string, { yes = false }: { readonly yes?: boolean }): Promise<ExitCode> {
  const { core, terminal } = house;
  const { metadata, source } = await changeable(core, id);
  if (metadata['client_secret'] === undefined) {
    throw new Refused(
      `the client ${id} has no secret: it proves itself by ${text(metadata['token_endpoint_auth_method'])}`,
      {
        fix: 'nothing needs to be rotated here',
      },
    );
  }
  await agree(terminal, {
    yes,
    about: [
      `${text(metadata['client_name'])} (${id}) will get a new secret, and the old one stops working at once:`,
      'the app is cut off until it has the new one.',
    ],
    question: `Rotate the secret of ${id}?`,
    byScript: 'goes-on',
  });
  const secret = randomSecret();
  await core.clients.register(id, { ...metadata, client_secret: secret }, source);
  await core.journal.record({ kind: 'client.secret-rotated', accountId: null, ...byOperator(id) });
  await presentOnce(house, id, secret);
  return 0;
}

async function issueInitialAccessToken({ core, terminal }: House, expiresInSeconds: number): Promise<ExitCode> {
  const issuedAt = core.clock.now();
  const token = await core.issueInitialAccessToken({ expiresInSeconds });
  const expiresAt = new Date(issuedAt.getTime() + expiresInSeconds * 1000).toISOString();
  terminal.printJson({ initial_access_token: token, expiresAt });
  terminal.printFacts([
    ['token', token],
    ['expires', expiresAt],
    ['register at', `${core.config.issuer}/reg`],
  ]);
  terminal.note('Hand it over safely: it is not shown again.');
  return 0;
}

const byOperator = (client: string) => ({ actor: { kind: 'operator' }, facts: { client } }) as const;

/** A client with the secret it was just given, which nobody can be shown later. */
async function presentOnce({ core, terminal }: House, id: string, secret: string | undefined): Promise<void> {
  const shown = clientJson(await clientNamed(core, id));
  const all = secret === undefined ? shown : { ...shown, client_secret: secret };
  terminal.printJson(all);
  terminal.printFacts(factsOf(all));
  if (secret !== undefined) terminal.note('Put the secret where the app reads it: it is not shown again.');
}

async function clientNamed({ clients }: Core, id: string): Promise<Listed> {
  const client = await clients.lookUp(id);
  if (client !== null) return client;
  throw new Refused(`there is no client ${JSON.stringify(id)}`, { fix: '`curfew client list` shows them' });
}

async function changeable(core: Core, id: string): Promise<Listed> {
  const client = await clientNamed(core, id);
  if (client.source !== 'configuration') return client;
  throw new Refused(`the client ${id} belongs to the configuration, where no command changes it`, {
    fix: 'change the configuration file and start the server again',
  });
}

/** The metadata as scripts read it; what is kept in place of a secret is nobody's business. */
function clientJson({ metadata: { client_secret: _kept, ...metadata }, source }: Listed) {
  return { ...metadata, source };
}

function factsOf(shown: Record<string, unknown>): [string, string][] {
  return Object.entries(shown).flatMap(([name, value]): [string, string][] => {
    const empty = value === undefined || (Array.isArray(value) && value.length === 0);
    return empty ? [] : [[name, Array.isArray(value) ? value.map(text).join(' ') : text(value)]];
  });
}

function kindOf({ metadata }: Listed): string {
  const grants = metadata['grant_types'];
  const device = Array.isArray(grants) && grants.some((grant) => String(grant).endsWith(':device_code'));
  const open = metadata['token_endpoint_auth_method'] === 'none' ? 'public' : 'confidential';
  return [open, ...(device ? ['device'] : []), ...(metadata['first_party'] === true ? ['first-party'] : [])].join(', ');
}

function text(value: unknown): string {
  if (value === undefined || value === null) return '–';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

async function* onePage<Row>(rows: readonly Row[]): AsyncGenerator<readonly Row[]> {
  yield rows;
}
