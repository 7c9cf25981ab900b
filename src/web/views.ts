/**
 * Pages: what each one may show, and how it becomes HTML.
 *
 * A page receives a finished view model and only places it: every text reaches the browser escaped, and the single piece
 * of HTML that is not ours, the provider's form, passes with its hidden fields alone. This file refuses to know about
 * requests, accounts and clocks: whoever fills a model has already decided, counted and written the times out.
 */
import { join } from 'node:path';
import ejs from 'ejs';

import { type Language, LANGUAGES } from '../languages/languages.ts';
import type { Instant } from '../languages/text.ts';

export type { Instant };

/** Common to every page. `csrf` travels in each of our own forms as the hidden field `csrf`. */
export type Page = {
  /** Names the page in the browser's tab; the product's name is added. */
  title: string;
  viewer?: { username: string } | undefined;
  csrf?: string | undefined;
  notice?: { tone: 'info' | 'success' | 'warning'; text: string } | undefined;
};

/** A page of somebody signed in; its header carries the forms that need `csrf`. */
export type SignedInPage = Page & { viewer: { username: string }; csrf: string };

export type SignInView = Page & {
  action: string;
  csrf: string;
  client?: { name: string; logoUri?: string | undefined } | undefined;
  /** What to put in the username field; empty on a first visit. */
  username: string;
  refusal?: string | undefined;
  /** When to try again, as a sentence. */
  retryAfter?: string | undefined;
  /** Why this page is shown, when the person did not ask for it. */
  note?: string | undefined;
  cancel?: { action: string } | undefined;
  connections: readonly { name: string; action: string }[];
  forgotPasswordUrl?: string | undefined;
  registerUrl?: string | undefined;
  passkey?: PasskeyForm | undefined;
};

/** What the browser's own dialogue is opened with, and what must come back with its answer. Needs script. */
export type PasskeyOffer = { options: string; challenge: string };
export type PasskeyForm = PasskeyOffer & { action: string };

/** A picture of squares; see qr-code.ts. */
export type QrView = { size: number; path: string };

/** The second factor of a sign-in that is half done. */
export type SecondStepView = Page & {
  action: string;
  csrf: string;
  cancelUrl: string;
  refusal?: string | undefined;
  retryAfter?: string | undefined;
  /** Whether a code can be typed: of the app, or from paper. */
  code: boolean;
  app: boolean;
  recovery: boolean;
  passkey?: PasskeyOffer | undefined;
  /** Whether this browser may be trusted from now on. */
  trust: boolean;
};

/** An authenticator app, to be set up: the secret as a picture and in letters, and the field for its first code. */
export type TotpSetupView = { secret: string; enrolment: string; qr: QrView };

/** Somebody who must have a second factor and has none. */
export type SecondStepSetupView = Page & {
  action: string;
  csrf: string;
  cancelUrl: string;
  refusal?: string | undefined;
  retryAfter?: string | undefined;
  totp: TotpSetupView;
  passkey: PasskeyOffer;
};

/** Setting up an authenticator app from the security page. */
export type TotpView = SignedInPage & {
  action: string;
  cancelUrl: string;
  refusal?: string | undefined;
  totp: TotpSetupView;
};

/** Recovery codes, shown once. */
export type RecoveryCodesView = SignedInPage & { codes: readonly string[]; doneUrl: string };

/** Adding a passkey from the security page. */
export type AddPasskeyView = SignedInPage & {
  action: string;
  cancelUrl: string;
  refusal?: string | undefined;
  passkey: PasskeyOffer;
};

/** Fresh authentication before a sensitive act; `fields` carry the act that was asked. */
export type ConfirmIdentityView = Page & {
  action: string;
  csrf: string;
  username: string;
  /** The act in words, as its button says it: "Sign out of all devices". */
  what: string;
  fields: readonly { name: string; value: string }[];
  submitLabel: string;
  refusal?: string | undefined;
  retryAfter?: string | undefined;
  cancelUrl?: string | undefined;
  /** Whether there is a password to ask for. */
  password: boolean;
  /** Whether a code of the second factor is asked for with it. */
  code: boolean;
  /** Which of them the refusal is about. */
  refused?: 'password' | 'code' | 'passkey' | 'passkey-password' | undefined;
  passkey?: PasskeyOffer | undefined;
  /** Whether the passkey is not enough, and the password is asked for with it. */
  passkeyPassword?: boolean;
  /** Providers that may prove it instead. */
  connections: readonly { name: string; action: string }[];
};

export type ConsentView = Page & {
  action: string;
  csrf: string;
  client: {
    name: string;
    uri?: string | undefined;
    logoUri?: string | undefined;
    policyUri?: string | undefined;
    tosUri?: string | undefined;
  };
  account: { username: string };
  scopes: readonly { name: string; description: string }[];
  /** The client keeps access while the person is away. */
  offline: boolean;
};

export type AccountView = SignedInPage & {
  email: string;
  emailConfirmed: boolean;
  /** Sends a link to the address. Absent where no mail can be sent. */
  verifyAction?: string | undefined;
  changeEmailAction?: string | undefined;
  changeUsernameAction: string;
  /** The language of the page, and those that can be chosen instead; each is called as its speakers call it. */
  language: { name: string; action: string; others: readonly { tag: string; name: string }[] };
  downloadAction: string;
  deleteAction: string;
  /** What was wrong about what was asked; `field` says which one to mend. */
  refusal?: { field: 'email' | 'new_username' | 'confirm'; text: string } | undefined;
  createdAt: Instant;
  deviceCount: string;
};

/** Asking for a link to choose a new password. */
export type ResetView = Page & { action: string; csrf: string; cancelUrl: string; refusal?: string | undefined };

/** Choosing it, at the end of the link. */
export type NewPasswordView = Page & {
  action: string;
  csrf: string;
  link: string;
  username: string;
  minimumLength: number;
  signOutDevicesChecked: boolean;
  refusal?: string | undefined;
};

/** Asking for an account. */
export type RegisterView = ResetView;

/** Making it, at the end of the link. */
export type RegisterConfirmView = Page & {
  action: string;
  csrf: string;
  link: string;
  email: string;
  username: string;
  minimumLength: number;
  refusal?: { field: 'username' | 'password'; text: string } | undefined;
};

/** What a mailed link does, and the button that does it. */
export type MailedLinkView = Page & {
  action: string;
  csrf: string;
  link: string;
  headline: string;
  message: string;
  /** What follows, one by one. */
  points: readonly string[];
  label: string;
};

/** A page that only says something. */
export type MessageView = Page & {
  headline: string;
  message: string;
  /** What to do next, as a sentence. */
  next: string;
  link?: { href: string; label: string } | undefined;
};

export type SecurityView = SignedInPage & {
  changePassword: {
    action: string;
    minimumLength: number;
    signOutDevicesChecked: boolean;
    /** `field` says which one to mend, so that focus lands there. */
    refusal?: { field: 'currentPassword' | 'password' | 'code'; text: string } | undefined;
    /** Whether a code of the second factor is asked for: the sign-in is too long ago to stand for it. */
    code: boolean;
    changedAt?: Instant | undefined;
  };
  signOutAll: { action: string };
  deviceCount: string;
  /** Whether there is a password to change. */
  hasPassword: boolean;
  identities: readonly {
    connection: string;
    /** How its provider names the person. */
    name: string;
    linkedAt: Instant;
    lastUsedAt: Instant;
    /** Absent for the last way in. */
    unlink?: { action: string; subject: string } | undefined;
    /** Its provider cannot prove that somebody has signed in anew. */
    unverified: boolean;
  }[];
  linkable: readonly { name: string; action: string; connection: string }[];
  waiting: WaitingView;
  factors: FactorsView;
  events: readonly { text: string; at: Instant; from: string }[];
};

/** Devices that were signed out and ask to come back. */
export type WaitingView = {
  reattachAction: string;
  ignoreAction: string;
  devices: readonly {
    userCode: string;
    app: string;
    /** As its owner knows it. */
    device: string;
    /** What it says of itself now, where that is something else. */
    saysItIs?: string | undefined;
    place: string;
    askedAt: Instant;
    firstUsedAt: Instant;
  }[];
};

/** What somebody has besides what they sign in with; every form is an act that may ask who they are first. */
export type FactorsView = {
  totp?: { createdAt: Instant; lastUsedAt?: Instant | undefined; removeAction?: string | undefined } | undefined;
  addTotpAction: string;
  passkeys: readonly {
    id: string;
    name: string;
    createdAt: Instant;
    lastUsedAt?: Instant | undefined;
    /** Where it lives, as far as it tells. */
    kind: string;
    renameAction: string;
    removeAction?: string | undefined;
  }[];
  addPasskeyAction: string;
  /** Null where none were made, or none are needed. */
  recoveryCodes?: { left: number; createdAt: Instant } | undefined;
  makeRecoveryCodesAction?: string | undefined;
  trusted: readonly { id: string; browser: string; createdAt: Instant; lastUsedAt?: Instant | undefined }[];
  forgetTrustedAction: string;
};

export type DeviceRow = {
  /** Opaque and free of spaces: it also names the row's elements. */
  id: string;
  current: boolean;
  app: string;
  device: string;
  place: string;
  firstUsedAt: Instant;
  lastUsedAt: Instant;
  kind: 'browser' | 'app' | 'device';
  connectedFrom?: string | undefined;
};

export type DevicesView = SignedInPage & {
  devices: readonly DeviceRow[];
  /** Answers a POST of the hidden field `device`. */
  signOutAction: string;
  signOutOthersAction: string;
  signOutAllAction: string;
  /** Where the next page of devices is. */
  moreUrl?: string | undefined;
  /** Where the first one is; absent on it. */
  firstUrl?: string | undefined;
};

export type ReceiptRow = {
  app: string;
  device: string;
  outcome: 'told' | 'trying' | 'refused' | 'unreachable' | 'not-applicable' | 'waiting';
  /** Told, and not ended. */
  keepsAccess?: boolean | undefined;
  /** What happened, worded to be followed by `at`: "Told at", "Trying again at". */
  text: string;
  at?: Instant | undefined;
};

/** The part of a receipt that changes while notices go out; rendered alone for the event stream. */
export type ReceiptBodyView = {
  headline: string;
  endedAt: Instant;
  by: string;
  reason?: string | undefined;
  scope: string;
  summary: {
    told: number;
    trying: number;
    refused: number;
    unreachable: number;
    notApplicable: number;
    waiting?: number | undefined;
    total: number;
  };
  rows: readonly ReceiptRow[];
  moreRows?: number | undefined;
  lastTokenExpiresAt?: Instant | undefined;
  done: boolean;
};

export type ReceiptView = Page &
  ReceiptBodyView & {
    /** How often a browser without script asks again; absent once nothing will change. */
    refreshSeconds?: number | undefined;
    eventsUrl: string;
    signInUrl?: string | undefined;
  };

/** `form` is the provider's HTML with the id `op.deviceInputForm`. */
export type DeviceCodeView = Page & { form: string; userCode?: string | undefined; refusal?: string | undefined };

/** `form` is the provider's HTML with the id `op.deviceConfirmForm`. */
export type DeviceConfirmView = Page & { form: string; app: string; place: string; device: string; userCode: string };

export type DeviceDoneView = Page & { app: string; allowed: boolean };

/** `form` is the provider's HTML with the id `op.logoutForm`. */
export type SignOutConfirmView = Page & {
  form: string;
  client?: { name: string } | undefined;
  /** The languages that the app asked for, for the page after this one. */
  uiLocales?: string | undefined;
  /** The provider this browser came through, which can be signed out of in the same go. */
  upstream?: { name: string } | undefined;
};

export type SignedOutView = Page & {
  client?: { name: string } | undefined;
  signInUrl: string;
  /** The provider this browser had come through; a form of ours leads to its own sign-out. */
  upstream?: { name: string; action: string } | undefined;
  /** The app, and where it wanted its person afterwards. */
  back?: { name: string; url: string } | undefined;
};

/** On to a provider that takes a form; the page submits itself where it may. */
export type FederationPostView = Page & {
  name: string;
  action: string;
  fields: readonly { name: string; value: string }[];
};

/** Somebody a provider vouched for, whose address an account has: sign in to it, and the two are linked. */
export type LinkFirstView = Page & {
  action: string;
  csrf: string;
  code: string;
  name: string;
  email: string;
  refusal?: string | undefined;
  retryAfter?: string | undefined;
  cancelUrl: string;
};

export type ErrorView = Page & {
  status: number;
  headline: string;
  message: string;
  /** What to do next, as a sentence. */
  next: string;
  link?: { href: string; label: string } | undefined;
  requestId: string;
};

/** Every page there is, and what it needs. */
export type ViewModels = {
  'sign-in': SignInView;
  'second-step': SecondStepView;
  'second-step-setup': SecondStepSetupView;
  totp: TotpView;
  'recovery-codes': RecoveryCodesView;
  'add-passkey': AddPasskeyView;
  'confirm-identity': ConfirmIdentityView;
  consent: ConsentView;
  account: AccountView;
  security: SecurityView;
  reset: ResetView;
  'new-password': NewPasswordView;
  register: RegisterView;
  'register-confirm': RegisterConfirmView;
  'mailed-link': MailedLinkView;
  message: MessageView;
  devices: DevicesView;
  receipt: ReceiptView;
  'receipt-body': ReceiptBodyView;
  'device-code': DeviceCodeView;
  'device-confirm': DeviceConfirmView;
  'device-done': DeviceDoneView;
  'sign-out-confirm': SignOutConfirmView;
  'signed-out': SignedOutView;
  'federation-post': FederationPostView;
  'link-first': LinkFirstView;
  error: ErrorView;
};

export type PageName = keyof ViewModels;

export type Views = {
  /**
   * The page as a complete HTML document (`receipt-body`: as the fragment the receipt replaces).
   *
   * Works under `script-src 'self'; style-src 'self'`: no page holds an inline script, style or handler. In English unless
   * another language is given; templates find its texts as `view.t`.
   *
   * @throws when a template is missing or faulty; never because of what a text contains.
   */
  render<Name extends PageName>(name: Name, model: ViewModels[Name], language?: Language): Promise<string>;
};

/**
 * The renderer of the templates in `directory`.
 *
 * With `cache` each template is read and compiled once per process; without, a changed template shows at the next request.
 */
export function createViews({ directory, cache }: { directory: string; cache: boolean }): Views {
  return {
    render: async (name, model, { tag, direction, texts } = LANGUAGES.en) => {
      const form = 'form' in model ? { form: hiddenFieldsOnly(model.form) } : {};
      const view = { ...model, ...form, t: texts, lang: tag, dir: direction };
      // Models live in one variable instead of `with`, so that an absent optional is undefined and not an error.
      return ejs.renderFile(join(directory, templateOf(name)), view, { cache, strict: true, localsName: 'view' });
    },
  };
}

function templateOf(name: PageName): string {
  return name === 'receipt-body' ? 'partials/receipt-body.ejs' : `${name}.ejs`;
}

/**
 * The provider's form without the fields a person would see. Its device form brings a text field of its own, with an
 * inline handler our policy forbids and no label; beside ours it would also send `user_code` twice, which is refused.
 * The provider escapes `<`, `>` and quotes in values, so a tag ends at its first `>`.
 */
function hiddenFieldsOnly(form: string): string {
  return form.replaceAll(/<input\b(?![^>]*\stype="hidden")[^>]*>(?:<\/input>)?/g, '');
}
