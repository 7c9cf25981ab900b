/** What an operator orders when opening an incident: read from the command line, and told back before it is done. */
import { InvalidArgumentError } from 'commander';

import { type Core, secretFileProblem } from '../../src/compose.ts';
import { Refused } from '../terminal/outcome.ts';
import { counted, harmless } from '../terminal/text.ts';
import type { Listed } from './account-list.ts';
import { conditionsJson, describeCohort, describeDuration } from './incident-facts.ts';

export type OpenOptions = Listed & {
  reason: string;
  everyone?: boolean;
  connection?: string;
  client?: string;
  createdBefore?: Date;
  createdAfter?: Date;
  signedInBefore?: Date;
  signedInAfter?: Date;
  requirePasswordReset?: boolean;
  disable?: boolean;
  notify?: boolean;
  rotateKeys?: boolean;
  rotateKeyring?: boolean;
  rotateClientSecrets?: string;
  accountsPerSecond?: string;
  mailsPerMinute?: string;
  dryRun?: boolean;
  yes?: boolean;
  wait?: number;
};

type Foresee = Core['incidents']['foresee'];
type Begin = Core['incidents']['begin'];
export type Order = Omit<Parameters<Begin>[0], 'id' | 'openedAt'>;
type Foreseen = Awaited<ReturnType<Foresee>>;

const LONGEST_REASON = 500;
const FASTEST = 1_000_000;

/** An instant as RFC 3339, or a day, which begins in UTC. */
export function when(typed: string): Date {
  const at = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/.test(typed) ? new Date(typed) : null;
  // A day that no month has is taken for one of the next by the parser.
  if (
    at !== null &&
    !Number.isNaN(at.getTime()) &&
    new Date(`${typed.slice(0, 10)}T00:00:00Z`).toISOString().startsWith(typed.slice(0, 10))
  ) {
    return at;
  }
  throw new InvalidArgumentError('It must be a day or an instant with its zone: 2031-05-04, or 2031-05-04T03:02:01Z.');
}

/** Throws Refused for what cannot be meant, before anything is opened. */
export function refuseUnfit(options: OpenOptions): void {
  const { everyone, accountFile, connection, client, reason } = options;
  const narrow = [accountFile, connection, client].some((each) => each !== undefined);
  const dated = [options.createdBefore, options.createdAfter, options.signedInBefore, options.signedInAfter];
  if (everyone === true && narrow) {
    throw new Refused('everyone, or only some?', {
      fix: 'leave out --everyone: conditions that are given together must all hold',
    });
  }
  if (everyone !== true && !narrow && dated.every((each) => each === undefined)) {
    throw new Refused('whom is it about?', {
      fix: 'give --everyone, or conditions: --account-file, --connection, --client, --created-before, --signed-in-after …',
    });
  }
  if (reason.trim() === '' || reason.length > LONGEST_REASON) {
    throw new Refused(`a reason has 1 to ${LONGEST_REASON} characters`, { fix: 'people read it on their receipts' });
  }
  if (options.skipUnknown === true && accountFile === undefined) {
    throw new Refused('--skip-unknown is about a list', { fix: 'leave it out, or name an --account-file' });
  }
}

/** Throws Refused for names nobody knows, and for what this installation cannot do. */
export async function orderFrom(core: Core, options: OpenOptions, listed: readonly string[] | null): Promise<Order> {
  const { connection, client, createdBefore, createdAfter, signedInBefore, signedInAfter, reason } = options;
  if (client !== undefined && (await core.clients.lookUpFormer(client)) === null) {
    throw new Refused(`there is no client ${JSON.stringify(client)}`, { fix: '`curfew client list` shows them' });
  }
  if (connection !== undefined && !(await isKnownConnection(core, connection))) {
    throw new Refused(`there is no connection ${JSON.stringify(connection)}`, {
      fix: 'name one that is configured, or was: `curfew connection list`',
    });
  }
  if (options.notify === true && core.mailer === null) {
    throw new Refused('no mail is configured, so nobody can be written to', {
      fix: 'set `mail` in the configuration, or leave out --notify',
    });
  }
  const secretsProblem =
    options.rotateClientSecrets === undefined ? null : secretFileProblem(options.rotateClientSecrets);
  if (secretsProblem !== null) {
    throw new Refused(`new secrets cannot be written: ${secretsProblem}`, {
      fix: 'name a file that only you can read, or one that is not there yet',
    });
  }
  return {
    reason,
    meant: {
      conditions: {
        connectionId: connection,
        clientId: client,
        createdBefore,
        createdAfter,
        signedInBefore,
        signedInAfter,
      },
      listed,
    },
    actions: {
      requirePasswordReset: options.requirePasswordReset ?? false,
      disable: options.disable ?? false,
      notify: options.notify ?? false,
      rotateSigningKeys: options.rotateKeys ?? false,
      rotateSealingKeys: options.rotateKeyring ?? false,
      clientSecretsFile: options.rotateClientSecrets ?? null,
    },
    pace: {
      accountsPerSecond: rate('--accounts-per-second', options.accountsPerSecond),
      mailsPerMinute: rate('--mails-per-minute', options.mailsPerMinute),
    },
  };
}

async function isKnownConnection(core: Core, connectionId: string): Promise<boolean> {
  if (core.connections.settingsOf(connectionId) !== null) return true;
  return (await core.store.catalogue.findConnection(connectionId)) !== null;
}

function rate(option: string, typed: string | undefined): number | null {
  if (typed === undefined) return null;
  const value = /^\d{1,7}$/.test(typed) ? Number(typed) : NaN;
  if (value >= 1 && value <= FASTEST) return value;
  throw new Refused(`${option} must be a whole number, 1 to ${FASTEST}`, { fix: 'leave it out for no bound' });
}

/** What would be done, in lines for whoever decides. */
export async function foretold(core: Core, order: Order, foreseen: Foreseen): Promise<string[]> {
  const { actions, pace, meant } = order;
  const { accounts, clients, notices, mails, estimate } = foreseen;
  const cohort = { conditions: meant.conditions, listed: meant.listed?.length ?? null };
  const mute = clients.filter((client) => client.notices === null);
  const { configured, replaceable } = await core.incidents.clientsWithSecrets();
  return [
    `${counted(accounts, 'account')}: ${describeCohort(cohort)}.`,
    'Access ends on every device: browser sessions, tokens, codes, pending sign-ins, links that were mailed and browsers that were trusted.',
    `  ${counted(clients.length, 'app')} where they are signed in, ${counted(notices, 'notice')} to deliver${estimate.telling > 1 ? `, about ${describeDuration(estimate.telling)}` : ''}.`,
    ...(mute.length === 0
      ? []
      : [`  Not told, and refused when they come back: ${mute.map(({ clientId }) => clientId).join(', ')}.`]),
    ...(actions.requirePasswordReset ? ['Present passwords let nobody in any more.'] : []),
    ...(actions.disable ? ['The accounts are disabled: nobody gets in until they are enabled again.'] : []),
    ...(estimate.containing > 1
      ? [
          `  Account by account, about ${describeDuration(estimate.containing)}${pace.accountsPerSecond === null ? '' : ` at ${pace.accountsPerSecond} a second`}.`,
        ]
      : []),
    ...(actions.rotateSigningKeys
      ? ['Tokens are signed with new keys at once; apps that keep the key set fetch it again.']
      : []),
    ...(actions.clientSecretsFile === null
      ? []
      : [
          `${counted(replaceable.length, 'app')} get new secrets, appended to ${actions.clientSecretsFile}; each is cut off until it has its own.`,
          ...(configured.length === 0
            ? []
            : [`  To be replaced by hand, because the configuration has them: ${configured.join(', ')}.`]),
        ]),
    ...(actions.rotateSealingKeys ? await resealingLines(core) : []),
    ...(actions.notify
      ? [
          `Up to ${counted(mails, 'mail')}, ${estimate.writing === null ? 'as fast as the mail server takes them' : `over about ${describeDuration(estimate.writing)}`}.`,
        ]
      : []),
    `The reason that people read: ${order.reason}`,
  ].map(harmless);
}

export const foretoldJson = ({ reason, meant, actions, pace }: Order, foreseen: Foreseen) => ({
  id: null,
  status: 'dry-run',
  dryRun: true,
  reason,
  cohort: conditionsJson({ conditions: meant.conditions, listed: meant.listed?.length ?? null }),
  actions,
  pace,
  done: 0,
  total: foreseen.accounts,
  failed: 0,
  clients: foreseen.clients,
  notices: foreseen.notices,
  mails: foreseen.mails,
  estimateSeconds: foreseen.estimate,
});

async function resealingLines({ config, sealingKeys }: Core): Promise<string[]> {
  const staged = (await sealingKeys.status()).keys.some(({ state }) => state === 'staged');
  return [
    'Everything in the store is sealed anew, with a new key.',
    ...(config.store.engine === 'sqlite' || staged
      ? []
      : [
          '  Other machines cannot open it until they have the keyring file. With more than one machine leave --rotate-keyring out,',
          '  and do it afterwards: curfew keyring rotate --stage, copy the file, curfew keyring rotate.',
        ]),
  ];
}
