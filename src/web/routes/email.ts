/**
 * A person's address and name: shown to be theirs, and changed.
 *
 * Invariant: an address is confirmed by a link that was mailed to it and nowhere else, and nothing about the account changes
 * before that. The address that an account had is told of its change, with a way back (email-revert.ts). Asking for a change
 * tells nobody whose addresses have accounts.
 */
import type { Context } from 'koa';

import { parseEmail } from '../../accounts/identifiers.ts';
import { linkExpiry } from '../../authn/mailed-links.ts';
import { ABOUT_YOU, refuse } from '../account-page.ts';
import type { Act, Fields, Person } from '../fresh.ts';
import type { Texts } from '../../languages/en.ts';
import { textsOf } from '../language.ts';
import { countMail, linkOf, readLink, showDeadLink, showMessage } from '../mailed.ts';
import { circumstancesOf, linkTo, notify, write } from '../notices.ts';
import type { MailedLinkView, MessageView } from '../views.ts';
import { REVERT } from './email-revert.ts';
import { standingOf } from '../second-step.ts';
import { type House, requireSignIn, seeOther, show } from './house.ts';
import { CsrfOnly } from './sign-in.ts';
import { readForm } from '../forms.ts';

const VERIFY = '/verify';
const DISOWN = '/verify/decline';
const CONFIRM = '/email/confirm';
const DECLINE = '/email/decline';
const accountLink = ({ mailed }: Texts) => ({ href: '/account', label: mailed.toAccount });

/** What the account page can be asked to change, by somebody who has just proved who they are. */
export function emailActs(): [string, Act][] {
  return [
    [ABOUT_YOU.email, { fields: ['email'], words: ({ account }) => account.submitEmail, perform: askForChange }],
    [
      ABOUT_YOU.username,
      { fields: ['new_username'], words: ({ account }) => account.submitUsername, perform: changeUsername },
    ],
  ];
}

async function changeUsername(house: House, ctx: Context, person: Person, fields: Fields): Promise<void> {
  const { accountId } = person;
  const { account: texts, identifiers } = textsOf(ctx);
  const changed = await house.accounts.changeUsername({ accountId, username: fields['new_username'] ?? '' });
  if (changed === 'stale') return refuse(house, ctx, person, 409, 'new_username', texts.changedMeanwhile);
  if (changed !== 'changed') {
    const status = changed.refused === 'username-taken' ? 409 : 422;
    return refuse(house, ctx, person, status, 'new_username', identifiers[changed.refused]);
  }
  await notify(house, ctx, accountId, { kind: 'username.changed' });
  seeOther(ctx, '/account?changed=username');
}

async function askForChange(house: House, ctx: Context, person: Person, fields: Fields): Promise<void> {
  const { accountId } = person;
  const { account: texts, identifiers } = textsOf(ctx);
  const parsed = parseEmail(fields['email'] ?? '');
  if ('refused' in parsed) return refuse(house, ctx, person, 422, 'email', identifiers[parsed.refused]);
  const { email } = parsed;
  const from = (await house.accounts.find(accountId))?.email ?? '';
  if (email === from) return refuse(house, ctx, person, 422, 'email', texts.sameEmail);
  const enough = !(await countMail(house, 'change-email', accountId)) || !(await countMail(house, 'register', email));
  if (enough) return refuse(house, ctx, person, 429, 'email', texts.enoughMails);
  house.afterwards.run(ctx, () => mailChange(house, ctx, { accountId, email, from }));
  seeOther(ctx, '/account?changed=email-sent');
}

/** After the answer, which is the same whether or not the address has an account: whoever has it is told. */
async function mailChange(house: House, ctx: Context, { accountId, email, from }: Pending): Promise<void> {
  const other = await house.store.accounts.findByIdentifier(house.accounts.identifierIndex(email));
  if (other !== null && other.id !== accountId) {
    return write(house, ctx, other.id, (circumstances, notMeLink) => {
      return { ...circumstances, kind: 'registration-duplicate', link: `${house.config.issuer}/sign-in`, notMeLink };
    });
  }
  const link = await house.links.mint({
    accountId,
    purpose: { kind: 'change-email', email, from },
    standing: standingOf(accountId),
  });
  const mail = {
    ...circumstancesOf(house, ctx),
    kind: 'email-change-confirm',
    link: linkTo(house, CONFIRM, link),
    linkExpiresAt: linkExpiry('change-email', house.clock.now()),
    // Whoever reads mail there may be a stranger to this account: all they can do is say no.
    notMeLink: linkTo(house, DECLINE, link),
  } as const;
  await write(house, ctx, accountId, () => mail, { to: email });
}

export function emailRoutes(house: House): void {
  const { router } = house;

  router.post(ABOUT_YOU.verify, async (ctx) => {
    house.csrf.check(ctx, (await readForm(ctx, CsrfOnly)).csrf);
    const person = await requireSignIn(house, ctx);
    if (person === null) return;
    const { accountId } = person;
    const email = (await house.accounts.find(accountId))?.email ?? '';
    if (!(await countMail(house, 'verify-email', accountId))) {
      return seeOther(ctx, '/account?changed=verification-enough');
    }
    await write(house, ctx, accountId, async (circumstances) => {
      const link = await house.links.mint({
        accountId,
        purpose: { kind: 'verify-email', email },
        standing: standingOf(accountId),
      });
      const linkExpiresAt = linkExpiry('verify-email', house.clock.now());
      const notMeLink = linkTo(house, DISOWN, link);
      return {
        ...circumstances,
        kind: 'email-verification',
        link: linkTo(house, VERIFY, link),
        linkExpiresAt,
        notMeLink,
      };
    });
    seeOther(ctx, '/account?changed=verification-sent');
  });

  /** A page that shows what its link does, and a form that does it. */
  const page = (
    path: string,
    kind: 'verify-email' | 'change-email',
    view: (
      email: string,
      texts: Texts['email'],
    ) => Pick<MailedLinkView, 'title' | 'headline' | 'message' | 'points' | 'label'>,
    perform: (ctx: Context, texts: Texts, pending: Pending) => Promise<MessageView | null>,
  ): void => {
    router.get(path, async (ctx) => {
      const link = linkOf(ctx);
      const pending = await pendingAddress(house, kind, link);
      if (pending === null) return dead(house, ctx);
      const csrf = house.csrf.token(ctx);
      await show(house, ctx, 'mailed-link', { ...view(pending.email, textsOf(ctx).email), csrf, link, action: path });
    });
    router.post(path, async (ctx) => {
      const link = await readLink(house, ctx);
      const pending = await pendingAddress(house, kind, link);
      const done =
        pending === null || !(await house.links.use(link)) ? null : await perform(ctx, textsOf(ctx), pending);
      if (done === null) return dead(house, ctx);
      await showMessage(house, ctx, done);
    });
  };

  page(
    VERIFY,
    'verify-email',
    (email, { verify: { title, headline, message, label } }) => {
      return { title, headline, message: message(email), points: [], label };
    },
    async (ctx, texts, { accountId, email }) => {
      const changed = await house.accounts.changeEmail({ accountId, from: email, email, verified: true });
      if (changed !== 'changed') return null;
      await notify(house, ctx, accountId, { kind: 'email.verified' });
      return {
        title: texts.email.verify.done,
        headline: texts.email.verify.done,
        message: texts.email.verify.doneMessage(email),
        next: texts.email.nothingElse,
        link: accountLink(texts),
      };
    },
  );

  page(
    DISOWN,
    'verify-email',
    (email, { disown: { title, headline, message, points, label } }) => {
      return { title, headline, message: message(email), points, label };
    },
    async (_ctx, { email: texts }, { accountId, email }) => {
      if ((await house.accounts.dropEmail({ accountId, email })) !== 'changed') return null;
      house.log.info({ account: accountId }, 'email.disowned');
      return {
        title: texts.disown.done,
        headline: texts.disown.done,
        message: texts.disown.doneMessage,
        next: texts.nothingElse,
      };
    },
  );

  page(
    CONFIRM,
    'change-email',
    (email, { change: { title, headline, message, points, label } }) => {
      return { title, headline, message: message(email), points, label };
    },
    async (ctx, texts, { accountId, email, from }) => {
      const changed = await house.accounts.changeEmail({ accountId, from, email, verified: true });
      if (changed !== 'changed') return null;
      await tellOldAddress(house, ctx, accountId, from);
      await notify(house, ctx, accountId, { kind: 'email.changed' });
      return {
        title: texts.email.change.done,
        headline: texts.email.change.done,
        message: texts.email.change.doneMessage(email),
        next: texts.email.nothingElse,
        link: accountLink(texts),
      };
    },
  );

  page(
    DECLINE,
    'change-email',
    (email, { decline: { title, headline, message, points, label } }) => {
      return { title, headline, message: message(email), points, label };
    },
    async (_ctx, { email: { decline, nothingElse } }) => {
      return { title: decline.done, headline: decline.done, message: decline.doneMessage, next: nothingElse };
    },
  );
}

type Pending = { readonly accountId: string; readonly email: string; readonly from: string };

/** What a link is about, while the account still has the address that it had then. */
async function pendingAddress(
  house: House,
  kind: 'verify-email' | 'change-email',
  bearer: string,
): Promise<Pending | null> {
  const link = await house.links.find(kind, bearer);
  if (link === null || link.accountId === null) return null;
  const { accountId, purpose } = link;
  const from = purpose.kind === 'change-email' ? purpose.from : purpose.email;
  const account = await house.accounts.find(accountId);
  return account?.status === 'active' && account.email === from ? { accountId, email: purpose.email, from } : null;
}

async function tellOldAddress(house: House, ctx: Context, accountId: string, from: string): Promise<void> {
  if (from === '') return;
  const compose = async () => {
    const link = await house.links.mint({ accountId, purpose: { kind: 'revert-email', email: from } });
    return {
      ...circumstancesOf(house, ctx),
      kind: 'email-changed',
      revertLink: linkTo(house, REVERT, link),
      revertExpiresAt: linkExpiry('revert-email', house.clock.now()),
    } as const;
  };
  await write(house, ctx, accountId, compose, { to: from });
}

const dead = (house: House, ctx: Context): Promise<void> =>
  showDeadLink(house, ctx, { next: textsOf(ctx).email.deadNext, link: accountLink(textsOf(ctx)) });
