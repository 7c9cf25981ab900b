/**
 * Every mail there is, and what each must be told.
 *
 * Invariant: a mail cannot be sent without what it owes its reader: when it happened, from where, and, wherever something
 * was done to an account, the link that says "this was not me". No mail has a place for a password. Links are made elsewhere
 * and handed in whole; this file refuses to know what they open, and in which words a mail is written.
 */

/** When it happened, and from where as far as that is known. */
export type Circumstances = {
  readonly at: Date;
  /** The address it came from; null when it was no request (an operator's command). */
  readonly address: string | null;
  /** "Firefox on Linux"; null when that is not known. */
  readonly device: string | null;
};

/** Something to press, for as long as it works. */
type Timed = { readonly link: string; readonly linkExpiresAt: Date };

/** Where whoever did not do this says so. */
type Deniable = { readonly notMeLink: string };

export type FactorChange =
  | 'authenticator-added'
  | 'authenticator-removed'
  | 'passkey-added'
  | 'passkey-removed'
  | 'recovery-codes-replaced'
  | 'recovery-code-used';

export type Mail = Circumstances &
  (
    | ({ readonly kind: 'email-verification' } & Timed & Deniable)
    /** To the new address. */
    | ({ readonly kind: 'email-change-confirm' } & Timed & Deniable)
    /** To the old address, which can take the change back. */
    | { readonly kind: 'email-changed'; readonly revertLink: string; readonly revertExpiresAt: Date }
    | ({ readonly kind: 'password-reset' } & Timed & Deniable)
    /** For those who sign in at other providers and have no password. `link` is the sign-in page. */
    | ({
        readonly kind: 'password-reset-sso';
        readonly connections: readonly string[];
        readonly link: string;
      } & Deniable)
    | ({ readonly kind: 'password-changed' } & Deniable)
    /** After an incident: an operator's doing, which nobody need deny. */
    | ({ readonly kind: 'password-reset-required' } & Timed)
    /** The same where no password is to be replaced. `link` is the sign-in page. */
    | { readonly kind: 'access-ended'; readonly link: string }
    /** The same where nobody gets in until an operator says so. */
    | { readonly kind: 'account-locked' }
    | ({
        readonly kind: 'second-factor-changed';
        readonly change: FactorChange;
        /** What the person calls it; null where it has no name. */
        readonly name: string | null;
        /** Recovery codes that are left; null where that is not what it is about. */
        readonly left: number | null;
      } & Deniable)
    | ({ readonly kind: 'new-sign-in' } & Deniable)
    | ({ readonly kind: 'signed-out-everywhere' } & Deniable)
    /** Nothing is left to deny it with. */
    | { readonly kind: 'account-deleted' }
    | ({ readonly kind: 'invite'; readonly invitedBy: string | null } & Timed)
    | ({ readonly kind: 'identity-linked'; readonly connection: string } & Deniable)
    | ({ readonly kind: 'identity-unlinked'; readonly connection: string } & Deniable)
    /** Somebody tried to register with an address that has an account. `link` is the sign-in page. */
    | ({ readonly kind: 'registration-duplicate'; readonly link: string } & Deniable)
  );

export type MailKind = Mail['kind'];
export type MailOf<Kind extends MailKind> = Extract<Mail, { readonly kind: Kind }>;

/** Every link in it: each must lead to the issuer. */
export function linksOf(mail: Mail): readonly string[] {
  return Object.entries(mail).flatMap(([name, value]) =>
    /^link$|Link$/.test(name) && typeof value === 'string' ? [value] : [],
  );
}

/** When what it asks for stops working; null when it asks for nothing that does. */
export function expiresAt(mail: Mail): Date | null {
  if ('linkExpiresAt' in mail) return mail.linkExpiresAt;
  return null;
}
