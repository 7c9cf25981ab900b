/**
 * Which of the keyring's keys seals: a fact in the store, so that a file with a new key can be copied to every machine before
 * anybody seals with it; and looking at it again and again, as every process does.
 *
 * Invariant: a process whose keyring lacks the key that is to seal goes on with the one it has, and says so until it is mended:
 * it neither stops nor makes one. It refuses to know what is sealed.
 */
import type { Clock, Timer } from '../platform/clock.ts';
import type { Keyring, SealingKey } from '../platform/keyring.ts';
import type { Log } from '../platform/log.ts';
import type { CatalogueRepository } from '../store/port.ts';

/** The fact's name. Not there: the newest in the file seals. */
export const SEALING_KEY = 'sealing-key';

/**
 * The fingerprint goes with the version: two machines on which a key was added to copies of one file have two keys of the same
 * version, and what one of them seals the other would never open.
 */
export const sealingKeyText = ({ version, fingerprint }: SealingKey): string => `${version} ${fingerprint}`;

export function readSealingKey(fact: string | null): SealingKey | null {
  const [, version, fingerprint] = /^([1-9]\d{0,9}) ([0-9a-f]{16})$/.exec(fact ?? '') ?? [];
  return version === undefined || fingerprint === undefined ? null : { version: Number(version), fingerprint };
}

/** How often every process looks. */
const LOOK_MS = 2000;
/** By then every process has looked, and whatever it sealed before that is written: a store answers within five seconds. */
export const NOTICED_MS = 10_000;
const LOOKS_BETWEEN_COMPLAINTS = 30;

export type SealingKeyWatch = {
  /** Looks now. False when this keyring lacks the key that is to seal. */
  look(): Promise<boolean>;
  /** Looks at once, and again every few seconds. */
  start(): void;
  stop(): void;
};

export function createSealingKeyWatch({
  catalogue,
  keyring,
  clock,
  log,
}: {
  readonly catalogue: Pick<CatalogueRepository, 'fact'>;
  readonly keyring: Pick<Keyring, 'current' | 'sealWith'>;
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'error'>;
}): SealingKeyWatch {
  let timer: Timer | undefined;
  let lacked = 0;

  const look = async (): Promise<boolean> => {
    const wanted = readSealingKey(await catalogue.fact(SEALING_KEY));
    const before = keyring.current;
    const holds = keyring.sealWith(wanted);
    if (keyring.current !== before) log.info({ version: keyring.current }, 'keyring.sealing-key-changed');
    if (holds) lacked = 0;
    else if (lacked++ % LOOKS_BETWEEN_COMPLAINTS === 0) {
      log.error(
        {
          version: wanted?.version,
          sealsWith: keyring.current,
          fix: 'copy the keyring file here from where it has that key',
        },
        'keyring.sealing-key-missing',
      );
    }
    return holds;
  };
  const quietly = async (): Promise<void> => {
    try {
      await look();
    } catch (err) {
      log.error({ err }, 'keyring.look-failed');
    }
  };
  return {
    look,
    start() {
      void quietly();
      timer = clock.every(LOOK_MS, quietly, { background: true });
    },
    stop: () => timer?.cancel(),
  };
}
