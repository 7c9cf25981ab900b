/**
 * Links that go out by mail and prove that whoever opens them reads that mailbox.
 *
 * Invariant: a link is 256 random bits, kept as a digest; it does one thing, for one account, once, before it expires. Looking
 * at a link uses nothing up: programs that read people's mail follow links. One that opens a door is stamped with its account's
 * epoch, so that a Sign-out ends it; one that gives an account back to its owner is not, since whoever took the account would
 * sign out first.
 */
import { hash } from 'node:crypto';

import { addSeconds, type Clock } from '../platform/clock.ts';
import type { Keyring, SealBinding } from '../platform/keyring.ts';
import { randomSecret } from '../platform/random.ts';
import type { ArtifactRepository, RevocationRepository } from '../store/port.ts';
import type { ScopeKey, Stamps } from '../store/records.ts';

/** What a link is for, and what it needs to know for that. */
export type LinkPurpose =
  /** What the account had when it was made: once either is another, it is none. */
  | { readonly kind: 'reset-password'; readonly email: string; readonly passwordChangedAt: string | null }
  | { readonly kind: 'verify-email'; readonly email: string }
  | { readonly kind: 'change-email'; readonly email: string; readonly from: string }
  | { readonly kind: 'revert-email'; readonly email: string }
  | { readonly kind: 'not-me' }
  | { readonly kind: 'register'; readonly email: string }
  | { readonly kind: 'invite'; readonly email: string };

export type LinkKind = LinkPurpose['kind'];
export type Link<Kind extends LinkKind = LinkKind> = {
  /** Null: for somebody who has no account yet. */
  readonly accountId: string | null;
  readonly purpose: Extract<LinkPurpose, { readonly kind: Kind }>;
  readonly madeAt: Date;
  /** What it stands on, as it stands now. */
  readonly epochs: Stamps;
};

export type MailedLinks = {
  /** Resolves to the bearer value, which is nowhere else. */
  mint(link: {
    readonly accountId: string | null;
    readonly purpose: LinkPurpose;
    /**
     * What the request of somebody signed in saw of the epochs: a Sign-out since then ends the link as well. Absent: it is
     * asked for by nobody who is signed in, and ends with whatever comes from now on.
     */
    readonly standing?: Stamps;
    /** Where another life than the usual one is wanted. */
    readonly seconds?: number;
  }): Promise<string>;
  /** Looks without using it up. */
  find<Kind extends LinkKind>(kind: Kind, bearer: string): Promise<Link<Kind> | null>;
  /** True for one caller, and for none once a Sign-out has ended it. */
  use(bearer: string): Promise<boolean>;
  /**
   * Whatever takes a change of address back and was made for this account after `since`, up to now, is none any more:
   * whoever took an account over and changed its address twice would hold such a link, too.
   */
  voidReverts(links: { readonly accountId: string; readonly since: Date }): Promise<void>;
};

const HOUR = 3600;
const DAY = 24 * HOUR;

/** How long each is good for, and whether a Sign-out ends it. */
const LINKS: Readonly<Record<LinkKind, { readonly seconds: number; readonly endsWithAccess: boolean }>> = {
  'reset-password': { seconds: HOUR / 2, endsWithAccess: true },
  'verify-email': { seconds: DAY, endsWithAccess: true },
  'change-email': { seconds: HOUR, endsWithAccess: true },
  'revert-email': { seconds: 7 * DAY, endsWithAccess: false },
  'not-me': { seconds: 7 * DAY, endsWithAccess: false },
  register: { seconds: DAY, endsWithAccess: true },
  invite: { seconds: 7 * DAY, endsWithAccess: true },
};
/** After an incident people are told by the thousand, and read their mail when they can. */
export const INCIDENT_RESET_SECONDS = DAY;

/** When a link that is made now stops working, unless it is given another life. */
export const linkExpiry = (kind: LinkKind, now: Date): Date => addSeconds(now, LINKS[kind].seconds);

type Kept = { readonly accountId: string | null; readonly purpose: LinkPurpose; readonly madeAt: string };
export const MAILED_LINK_MODEL = 'MailedLink';
const VOIDED = 'VoidedReverts';

/** How such an artifact is sealed. */
export function mailedLinkSeal(key: Uint8Array): SealBinding {
  const id = Buffer.from(key).toString('base64url');
  return ['mailed-link', { collection: 'artifacts', field: MAILED_LINK_MODEL, id }];
}

export function createMailedLinks({
  artifacts,
  revocations,
  keyring,
  clock,
}: {
  readonly artifacts: Pick<ArtifactRepository, 'save' | 'find' | 'consume'>;
  readonly revocations: Pick<RevocationRepository, 'epochs'>;
  readonly keyring: Pick<Keyring, 'seal' | 'unseal'>;
  readonly clock: Pick<Clock, 'now'>;
}): MailedLinks {
  const keyOf = (bearer: string): Buffer => hash('sha256', `${MAILED_LINK_MODEL}:${bearer}`, 'buffer');

  const voidedKey = (accountId: string): Buffer => hash('sha256', `${VOIDED}:${accountId}`, 'buffer');
  const voided = async (accountId: string): Promise<{ readonly since: Date; readonly until: Date } | null> => {
    const found = await artifacts.find(voidedKey(accountId), clock.now());
    if (found === null) return null;
    const { since, until } = JSON.parse(found.payload) as { readonly since: string; readonly until: string };
    return { since: new Date(since), until: new Date(until) };
  };
  const isVoid = async (accountId: string, madeAt: Date): Promise<boolean> => {
    const span = await voided(accountId);
    return span !== null && span.since < madeAt && madeAt <= span.until;
  };

  return {
    async mint({ accountId, purpose, seconds, standing }) {
      const { endsWithAccess, seconds: usual } = LINKS[purpose.kind];
      // Nobody's link yet ends with a Sign-out of everyone.
      const scopes: ScopeKey[] = accountId === null ? ['everyone'] : ['everyone', `account:${accountId}`];
      const stamps = endsWithAccess ? (standing ?? (await revocations.epochs(scopes))) : {};
      const bearer = randomSecret();
      const key = keyOf(bearer);
      const now = clock.now();
      const kept: Kept = { accountId, purpose, madeAt: now.toISOString() };
      const payload = keyring.seal(...mailedLinkSeal(key), JSON.stringify(kept));
      const expiresAt = addSeconds(now, seconds ?? usual);
      await artifacts.save({ model: MAILED_LINK_MODEL, key, payload, stamps, expiresAt });
      return bearer;
    },
    async find<Kind extends LinkKind>(kind: Kind, bearer: string) {
      if (!/^[\w-]{43}$/.test(bearer)) return null;
      const found = await artifacts.find(keyOf(bearer), clock.now());
      if (found === null || found.consumedAt !== null) return null;
      const link = JSON.parse(keyring.unseal(...mailedLinkSeal(found.key), found.payload)) as Kept;
      const { accountId, purpose } = link;
      const madeAt = new Date(link.madeAt);
      if (purpose.kind !== kind) return null;
      if (purpose.kind === 'revert-email' && (await isVoid(accountId ?? '', madeAt))) return null;
      return { accountId, purpose: purpose as Link<Kind>['purpose'], madeAt, epochs: found.epochs };
    },
    use: (bearer) => artifacts.consume(keyOf(bearer), clock.now()),
    async voidReverts({ accountId, since }) {
      const now = clock.now();
      const before = await voided(accountId);
      const from = before !== null && before.since < since ? before.since : since;
      const payload = JSON.stringify({ since: from, until: now });
      const expiresAt = linkExpiry('revert-email', now);
      await artifacts.save({ model: VOIDED, key: voidedKey(accountId), payload, stamps: {}, expiresAt });
    },
  };
}
