/**
 * Rotating the keyring: a new key in its file, the fact that makes it the one that seals, everything sealed anew, and the keys
 * that nothing needs any more taken out of the file.
 *
 * Invariant: each step is done before the next one relies on it, so that a rotation that was killed anywhere is begun again by
 * the same call and goes on; and no key leaves the file while a value is known that was sealed with it. It refuses to know how
 * long anybody was asked before.
 */
import { addMilliseconds, sleep } from '../platform/clock.ts';
import {
  type Keyring,
  type KeyringFile,
  KeyringProblem,
  loadKeyring,
  openKeyring,
  retireKeys,
  rotateKeyring,
  type SealingKey,
} from '../platform/keyring.ts';
import type { Journal } from '../audit/journal.ts';
import type { CatalogueRepository } from '../store/port.ts';
import type { LeaseRepository } from '../store/leases.ts';
import {
  countVersions,
  type Left,
  type Needs,
  resealAll,
  type Resealed,
  sampleVersions,
  type Walking,
} from './reseal.ts';
import { NOTICED_MS, readSealingKey, SEALING_KEY, sealingKeyText } from './sealing-key.ts';

/** A fact: which key a rotation is about to make the only one, or has. */
const ROTATION = 'keyring-rotation';
const LEASE = 'keyring-rotation';
const LEASE_MS = 30_000;
const RENEW_MS = 5000;

/** A key of the file. `old` keys open what they have sealed; a `staged` one is newer than the one that seals. */
export type FileKey = {
  readonly version: number;
  readonly state: 'old' | 'sealing' | 'staged';
  readonly createdAt: Date;
};

export type SealingStatus = {
  /** The version that seals, whether or not the file here has it. */
  readonly sealing: number;
  /** False where the file here lacks that key: then this machine seals with an older one. */
  readonly held: boolean;
  readonly keys: readonly FileKey[];
  /** A rotation was begun and has not come to its end. */
  readonly unfinished: boolean;
};

export type Rotated = Resealed & {
  /** The version that seals now. */
  readonly version: number;
  /** Versions that left the file. */
  readonly removed: readonly number[];
};

export type RotationStep = 'waiting' | 'sealing';
export type Rotating = {
  readonly signal: AbortSignal;
  readonly report: (progress: { readonly step: RotationStep; readonly done: number; readonly total: number }) => void;
  /** Old keys stay in the file even when nothing needs them. */
  readonly keepOld?: boolean;
};

/** Another process rotates, or was killed doing so less than half a minute ago. */
export class RotationBusy extends Error {
  override readonly name = 'RotationBusy';
}

export type SealingKeys = {
  status(): Promise<SealingStatus>;
  /** How many values each key has sealed: looks at all of them. */
  count(walking: Walking): Promise<ReadonlyMap<number, number>>;
  /** Versions that some value needs and the keyring lacks, as far as a quick look tells. */
  missing(): Promise<readonly number[]>;
  /**
   * Adds a key to the file that does not seal yet, unless there is one. Resolves to its version. Throws KeyringProblem,
   * RotationBusy.
   */
  stage(): Promise<{ readonly version: number; readonly made: boolean }>;
  /**
   * Makes a new key, or takes the staged one, and seals everything with it; goes on with a rotation that was cut off.
   * Throws KeyringProblem, RotationBusy, StoreUnavailable.
   */
  rotate(rotating: Rotating): Promise<Rotated>;
};

export function createSealingKeys({
  catalogue,
  leases,
  journal,
  keyringFile,
  holder,
  noticedMs = NOTICED_MS,
  ...needs
}: Needs & {
  readonly catalogue: CatalogueRepository;
  readonly leases: LeaseRepository;
  readonly journal: Pick<Journal, 'record'>;
  readonly keyring: Keyring;
  /** Its path. */
  readonly keyringFile: string;
  /** Tells this process from every other. */
  readonly holder: string;
  /** By then every process seals with what the fact names. */
  readonly noticedMs?: number;
}): SealingKeys {
  const { clock, keyring, seals } = needs;

  /** The file as it is now, and the key that is to seal; where no fact says so, the newest. */
  const look = async (): Promise<{
    readonly file: KeyringFile;
    readonly sealing: SealingKey;
    readonly held: boolean;
    readonly fact: string | null;
  }> => {
    const fact = await catalogue.fact(SEALING_KEY);
    const file = loadKeyring(keyringFile);
    const sealing = readSealingKey(fact) ?? keyOf(file, newestOf(file));
    return { file, sealing, held: holds(file, sealing), fact };
  };

  /** As `look`, over a file that has that key, and with the fact there. */
  const lookToChange = async () => {
    const { file, sealing, held, fact } = await look();
    if (!held) {
      throw new KeyringProblem({
        kind: 'behind',
        path: keyringFile,
        message: `the keyring ${keyringFile} lacks key ${sealing.version}, which seals now`,
        fix: 'copy the keyring here from the machine where it has that key, or rotate there',
      });
    }
    // Before there is a newer key: whoever reads the file next is not to take that for the one that seals.
    await catalogue.settle(SEALING_KEY, sealingKeyText(sealing));
    return { file, sealing, fact: fact ?? sealingKeyText(sealing) };
  };

  /** A key for the next rotation: the staged one, or a new one. */
  const nextKey = (
    file: KeyringFile,
    { version }: SealingKey,
  ): { readonly file: KeyringFile; readonly made: boolean } =>
    newestOf(file) > version ? { file, made: false } : { file: rotateKeyring(keyringFile, { clock }), made: true };

  /** Makes a key the one that seals; resolves to it. */
  const begin = async (): Promise<SealingKey> => {
    const { file, sealing, fact } = await lookToChange();
    const begun = await catalogue.fact(ROTATION);
    const cutOff = readRotation(begun);
    if (cutOff !== null && holds(file, cutOff) && cutOff.version >= sealing.version) {
      return cutOff.version === sealing.version ? sealing : switchTo(cutOff, fact);
    }
    const { file: grown } = nextKey(file, sealing);
    const next = keyOf(grown, newestOf(grown));
    if (!(await catalogue.changeFact({ fact: ROTATION, from: begun, to: `open ${sealingKeyText(next)}` })))
      throw busy();
    return switchTo(next, fact);
  };
  const switchTo = async (next: SealingKey, from: string): Promise<SealingKey> => {
    if (!(await catalogue.changeFact({ fact: SEALING_KEY, from, to: sealingKeyText(next) }))) throw busy();
    return next;
  };

  /** Takes out of the file what nothing needs. */
  const retire = (version: number, left: readonly Left[]): readonly number[] => {
    const needed = new Set(left.map((each) => each.version));
    const file = loadKeyring(keyringFile);
    const idle = file.keys.map((key) => key.version).filter((each) => each < version && !needed.has(each));
    if (idle.length > 0) retireKeys(keyringFile, idle);
    return idle;
  };

  const alone = async <Result>(work: (still: () => Promise<void>) => Promise<Result>): Promise<Result> => {
    let heldAt = Number.NEGATIVE_INFINITY;
    const still = async (): Promise<void> => {
      const now = clock.now();
      if (Math.abs(now.getTime() - heldAt) < RENEW_MS) return;
      const leaseUntil = addMilliseconds(now, LEASE_MS);
      if (!(await leases.hold({ name: LEASE, holder, now, leaseUntil }))) throw busy();
      heldAt = now.getTime();
    };
    await still();
    try {
      return await work(still);
    } finally {
      // One that cannot be given back ends by itself.
      await leases.release({ name: LEASE, holder }).catch(() => undefined);
    }
  };

  return {
    async status() {
      const { file, sealing, held } = await look();
      return {
        sealing: sealing.version,
        held,
        keys: file.keys.map(({ version, createdAt }) => ({
          version,
          state: version === sealing.version ? 'sealing' : version < sealing.version ? 'old' : 'staged',
          createdAt: new Date(createdAt),
        })),
        unfinished: readRotation(await catalogue.fact(ROTATION)) !== null,
      };
    },
    count: (walking) => countVersions(seals, walking),
    async missing() {
      const found = await sampleVersions(seals);
      return [...found].filter((version) => !keyring.versions.includes(version)).toSorted((a, b) => a - b);
    },
    stage: () =>
      alone(async () => {
        const { file, sealing } = await lookToChange();
        const { file: grown, made } = nextKey(file, sealing);
        const version = newestOf(grown);
        if (made)
          await journal.record({ kind: 'keyring.staged', accountId: null, actor: OPERATOR, facts: { version } });
        return { version, made };
      }),
    rotate: ({ signal, report, keepOld = false }) =>
      alone(async (still) => {
        const sealing = await begin();
        if (!keyring.sealWith(sealing)) throw new Error(`the keyring has lost key ${sealing.version} again`);
        const { version } = sealing;
        for (let waited = 0; waited < noticedMs && !signal.aborted; waited += STEP_MS) {
          report({ step: 'waiting', done: waited, total: noticedMs });
          await sleep(clock, Math.min(STEP_MS, noticedMs - waited), signal);
          await still();
        }
        const { resealed, left, finished } = await resealAll(needs, {
          signal,
          report: (progress) => report({ step: 'sealing', ...progress }),
          still,
        });
        if (!finished) return { version, resealed, left, finished, removed: [] };
        const removed = keepOld ? [] : retire(version, left);
        const values = left.reduce((sum, each) => sum + each.values, 0);
        await journal.record({
          kind: 'keyring.rotated',
          accountId: null,
          actor: OPERATOR,
          outcome: values === 0 ? 'done' : 'in-part',
          facts: { version, resealed, left: values },
        });
        // Last: whoever is killed before it does all of this again, which finds nothing left to do.
        const open = `open ${sealingKeyText(sealing)}`;
        await catalogue.changeFact({ fact: ROTATION, from: open, to: `done ${sealingKeyText(sealing)}` });
        return { version, resealed, left, finished, removed };
      }),
  };
}

const OPERATOR = { kind: 'operator' } as const;
const STEP_MS = 500;

const busy = (): RotationBusy => new RotationBusy('the keyring is being rotated by another process');

const newestOf = ({ keys }: KeyringFile): number => keys.at(-1)?.version ?? 0;

const keyOf = (file: KeyringFile, version: number): SealingKey => ({
  version,
  fingerprint: openKeyring(file).fingerprint(version),
});

const holds = (file: KeyringFile, { version, fingerprint }: SealingKey): boolean =>
  file.keys.some((key) => key.version === version) && openKeyring(file).fingerprint(version) === fingerprint;

/** The key of a rotation that was begun and has not come to its end. */
const readRotation = (fact: string | null): SealingKey | null =>
  fact?.startsWith('open ') === true ? readSealingKey(fact.slice('open '.length)) : null;
