/**
 * The record of what happened, as something that can be shown to others: the room's one door beside the journal.
 *
 * Whoever has the public key can tell whether an exported record is complete, in order and unchanged from one place to another.
 * It cannot tell what was never written, and whoever holds the store and the keyring can write another record: docs/audit.md.
 */
import type { Clock } from '../platform/clock.ts';
import type { Keyring } from '../platform/keyring.ts';
import type { Log } from '../platform/log.ts';
import type { Store } from '../store/port.ts';
import { type AuditKey, openAuditKey } from './audit-key.ts';
import { type Chain, createChain } from './chain.ts';
import { type ChainWorker, createChainWorker } from './chain-worker.ts';
import { type Exported, type ExportOptions, exportRecord } from './export.ts';
import type { SignedPlace } from './follow.ts';
import type { PublicJwk } from './signed.ts';
import type { Verified } from './verify-file.ts';
import { verifyStore } from './verify-store.ts';

export type Audit = {
  readonly chain: Chain;
  readonly worker: ChainWorker;
  /** The key that an auditor is given. Makes the pair if there is none yet. */
  publicKey(): Promise<PublicJwk>;
  /** Chains what is left and signs where it ends, first. */
  export(options: ExportOptions): Promise<Exported>;
  /** Chains what is left first. */
  verify(options?: {
    readonly anchors?: readonly SignedPlace[];
    readonly progress?: (done: number, total: number) => void;
  }): Promise<Verified>;
};

export function createAudit({
  store,
  keyring,
  clock,
  log,
  issuer,
  keepDays,
  checkpointMinutes,
}: {
  readonly store: Pick<Store, 'journal' | 'catalogue' | 'accounts' | 'leases'>;
  readonly keyring: Pick<Keyring, 'seal' | 'unseal'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly issuer: string;
  readonly keepDays: number;
  readonly checkpointMinutes: number;
}): Audit {
  const { journal, catalogue, accounts, leases } = store;
  let opened: AuditKey | undefined;
  const key = async (): Promise<AuditKey> => (opened ??= await openAuditKey(catalogue, keyring));
  const chain = createChain({ store: journal, catalogue, keyring, key, clock, log, keepDays });
  return {
    chain,
    worker: createChainWorker({ chain, leases, clock, log, checkpointMinutes }),
    publicKey: async () => (await key()).jwk,
    export: async (options) =>
      exportRecord({ store: journal, chain, keyring, clock, issuer, key: await key() }, options),
    verify: async (options) =>
      verifyStore({ store: journal, accounts, chain, keyring, issuer, key: await key() }, options),
  };
}
