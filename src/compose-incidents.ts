/**
 * The wiring of incidents: what an incident does to passwords, mails, keys and secrets, put together from the rooms that own
 * them. Part of compose, in a file of its own.
 */
import type { Accounts, AccountView } from './accounts/accounts.ts';
import type { Journal } from './audit/journal.ts';
import type { DemandedPasswords } from './authn/demanded-passwords.ts';
import { INCIDENT_RESET_SECONDS, type MailedLinks } from './authn/mailed-links.ts';
import type { Config } from './config.ts';
import { isMailable } from './mail/address.ts';
import { createIncidentLetters } from './mail/incident-letters.ts';
import type { Mailer } from './mail/outbox.ts';
import type { ClientDirectory } from './oidc/clients.ts';
import { SIGNING_ALGORITHMS, type SigningKeys } from './oidc/signing-keys.ts';
import { type Clock, sleep } from './platform/clock.ts';
import type { Log } from './platform/log.ts';
import { randomSecret } from './platform/random.ts';
import { appendSecret } from './platform/secret-file.ts';
import type { FanOut, Tellable } from './revocation/fan-out.ts';
import { cohortOf, type Meant, settle } from './revocation/incident/cohort.ts';
import { foresee } from './revocation/incident/foresee.ts';
import {
  type Actions,
  createIncidents,
  type Incident,
  type IncidentState,
  type Pace,
  plannedSteps,
  signOutIdOf,
} from './revocation/incident/incident.ts';
import { createIncidentRun } from './revocation/incident/run.ts';
import { RotationBusy, type Rotated, type SealingKeys } from './resealing/rotation.ts';
import type { Store } from './store/port.ts';

export type IncidentRooms = {
  readonly config: Config;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly accounts: Accounts;
  readonly demands: DemandedPasswords;
  readonly links: MailedLinks;
  readonly mailer: Mailer | null;
  readonly journal: Journal;
  readonly clients: ClientDirectory;
  readonly signingKeys: SigningKeys;
  readonly fanOut: FanOut;
  readonly tellable: (clientId: string) => Promise<Tellable>;
  readonly sealingKeys: Pick<SealingKeys, 'rotate'>;
};

export function composeIncidents(rooms: IncidentRooms) {
  const { config, store, clock, log, accounts, mailer, journal, clients, signingKeys } = rooms;
  const incidents = createIncidents(store.incidents);
  const letters = mailer === null ? null : createIncidentLetters({ ...rooms, mailer, ...resetLinks(rooms) });
  const run = createIncidentRun<AccountView>({
    store,
    incidents,
    clock,
    log,
    spread: () => rooms.fanOut.wake(),
    needs: {
      demandPasswords: rooms.demands.demand,
      passwordsDemandedAt: rooms.demands.demandedAt,
      view: (record) => {
        const viewed = accounts.view(record);
        // Whatever a provider once said that no mail can be sent to is none.
        return isMailable(viewed.email) ? viewed : { ...viewed, email: '' };
      },
      write: letters === null ? null : letters.write,
      recordContained: (incident, accountIds) =>
        journal.recordAll(
          accountIds.map((accountId) => ({
            id: `contained:${signOutIdOf(incident, accountId)}`,
            kind: 'account.contained',
            accountId,
            actor: { kind: 'operator' },
            facts: { incident },
          })),
        ),
      recordStep: ({ id }, { name, done, skipped, failed }) =>
        journal.record({
          kind: 'incident.step-done',
          accountId: null,
          actor: { kind: 'operator' },
          facts: { incident: id, step: name, done, skipped, failed },
        }),
      rotateSigningKeys: async () => {
        await signingKeys.rotate({ algorithms: SIGNING_ALGORITHMS, immediately: true });
        await journal.record({ kind: 'signing-keys.rotated', accountId: null, actor: { kind: 'operator' } });
      },
      async rotateSealingKeys({ signal, report }) {
        const rotated = await onceFree(clock, signal, () => rooms.sealingKeys.rotate({ signal, report }));
        if (rotated === null) return { finished: false, left: 0 };
        return { finished: rotated.finished, left: rotated.left.reduce((sum, each) => sum + each.values, 0) };
      },
      clientsWithSecrets: async () => (await withSecrets(clients)).replaceable,
      async replaceClientSecret(clientId, file) {
        const client = await clients.lookUp(clientId);
        if (client === null || client.source === 'configuration') return;
        const secret = randomSecret();
        // On the disk first: a secret that counts and that nobody knows would shut the app out for good.
        appendSecret(file, JSON.stringify({ client_id: clientId, client_secret: secret }));
        await clients.register(clientId, { ...client.metadata, client_secret: secret }, client.source);
        await journal.record({
          kind: 'client.secret-rotated',
          accountId: null,
          actor: { kind: 'operator' },
          facts: { client: clientId },
        });
      },
    },
  });
  return {
    ...incidents,
    carryOn: run.carryOn,
    foresee: (
      meant: Meant,
      about: { readonly actions: Actions; readonly pace: Pace; readonly seen: (accounts: number) => void },
    ) => foresee(store, meant, { ...about, mailsPerMinute: config.mail?.perMinute ?? null, tellable: rooms.tellable }),
    /** Writes down what is to be done, and to whom. From here on it can be carried out by anybody, and nothing is yet. */
    async begin(
      {
        id,
        openedAt,
        reason,
        meant,
        actions,
        pace,
      }: {
        readonly id: string;
        readonly openedAt: Date;
        readonly reason: string;
        readonly meant: Meant;
        readonly actions: Actions;
        readonly pace: Pace;
      },
      seen: (accounts: number) => void,
    ): Promise<Incident> {
      const total = await settle(store, { incidentId: id, meant, openedAt }, seen);
      const { replaceable, configured } =
        actions.clientSecretsFile === null ? { replaceable: [], configured: [] } : await withSecrets(clients);
      const cohort = cohortOf(meant);
      const state: IncidentState = {
        reason,
        actor: { kind: 'operator' },
        cohort,
        actions,
        pace,
        total,
        steps: plannedSteps(cohort, actions, { accounts: total, clients: replaceable.length }),
        failures: [],
        samples: [],
        check: null,
        byHand: configured.map((client) => `another secret for ${client}, which the configuration has`),
        finishedAt: null,
        run: null,
        beatAt: null,
      };
      if (!(await incidents.open(id, openedAt, state))) throw new Error(`there is an incident ${id} already`);
      return { ...state, id, openedAt, revision: 0 };
    },
    clientsWithSecrets: () => withSecrets(clients),
  };
}

/** What a process that was killed had begun is free again half a minute later. */
const FREE_WITHIN_MS = 60_000;
const ASK_AGAIN_MS = 2000;

/** Rotates as soon as nobody else does; null when `signal` aborts before. */
async function onceFree(clock: Clock, signal: AbortSignal, rotate: () => Promise<Rotated>): Promise<Rotated | null> {
  for (let waited = 0; !signal.aborted; waited += ASK_AGAIN_MS) {
    try {
      return await rotate();
    } catch (fault) {
      if (!(fault instanceof RotationBusy) || waited >= FREE_WITHIN_MS) throw fault;
      await sleep(clock, ASK_AGAIN_MS, signal);
    }
  }
  return null;
}

/** Clients that prove themselves by a secret: those that can be given another here, and those of the configuration. */
async function withSecrets(
  clients: ClientDirectory,
): Promise<{ readonly replaceable: readonly string[]; readonly configured: readonly string[] }> {
  const all = (await clients.list()).filter(({ metadata }) => metadata['client_secret'] !== undefined);
  const idsOf = (configured: boolean): string[] =>
    all
      .filter(({ source }) => (source === 'configuration') === configured)
      .map(({ metadata }) => metadata.client_id)
      .sort();
  return { replaceable: idsOf(false), configured: idsOf(true) };
}

const resetLinks = ({ config: { issuer }, links }: IncidentRooms) => ({
  issuer,
  resetSeconds: INCIDENT_RESET_SECONDS,
  mintReset: ({ id: accountId, email, passwordChangedAt }: Pick<AccountView, 'id' | 'email' | 'passwordChangedAt'>) =>
    links.mint({
      accountId,
      purpose: { kind: 'reset-password', email, passwordChangedAt: passwordChangedAt?.toISOString() ?? null },
      seconds: INCIDENT_RESET_SECONDS,
    }),
});
