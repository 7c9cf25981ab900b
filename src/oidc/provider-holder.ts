/**
 * The provider that serves now. Its keys are read once, so a rotation builds another over the same store and swaps;
 * cookies and tokens know no difference. Every process looks for new keys on its own, a few seconds apart.
 */
import type { JWK } from 'jose';
import type { Provider } from 'oidc-provider';

import type { Clock, Timer } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { createProvider } from './provider.ts';
import type { ProviderParts } from './provider-parts.ts';
import type { SigningKeys } from './signing-keys.ts';

export type ProviderHolder = {
  current(): Provider;
  /** The key set as of now, public halves alone: for verifying what was signed here. */
  jwks(): { keys: JWK[] };
  /** Looks for other keys now. */
  reload(): Promise<void>;
  start(): void;
  stop(): void;
};

const RELOAD_MS = 5000;

export async function createProviderHolder({
  signingKeys,
  parts,
  clock,
  log,
}: {
  readonly signingKeys: SigningKeys;
  readonly parts: ProviderParts;
  readonly clock: Clock;
  readonly log: Log;
}): Promise<ProviderHolder> {
  await signingKeys.ensure();
  let { jwks, version } = await signingKeys.load();
  let provider = createProvider(parts, structuredClone(jwks));
  let timer: Timer | undefined;

  const reload = async (): Promise<void> => {
    const loaded = await signingKeys.load();
    if (loaded.version === version) return;
    provider = createProvider(parts, structuredClone(loaded.jwks));
    ({ jwks, version } = loaded);
    log.info('signing-keys.reloaded');
  };
  return {
    current: () => provider,
    jwks: () => publicHalves(jwks),
    reload,
    start() {
      timer = clock.every(
        RELOAD_MS,
        () => reload().catch((err: unknown) => log.error({ err }, 'signing-keys.reload-failed')),
        { background: true },
      );
    },
    stop: () => timer?.cancel(),
  };
}

const PRIVATE_MEMBERS = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth']);

function publicHalves({ keys }: { readonly keys: readonly JWK[] }): { keys: JWK[] } {
  return {
    keys: keys.map(
      (key) => Object.fromEntries(Object.entries(key).filter(([member]) => !PRIVATE_MEMBERS.has(member))) as JWK,
    ),
  };
}
