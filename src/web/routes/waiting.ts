/**
 * Devices that were signed out and wait for their owner: let them back with one press, or leave them out.
 *
 * Letting one back needs somebody who has just proved who they are, like everything that gives access. The page says which app
 * it is, where it asks from and which code it shows; nothing is approved by opening a link.
 */
import type { Context } from 'koa';
import { z } from 'zod';

import { describeDevice } from '../../oidc/device.ts';
import { appName } from '../devices.ts';
import type { Language } from '../../languages/languages.ts';
import { deviceWords, placeWords } from '../device-words.ts';
import { readForm } from '../forms.ts';
import type { Act, Fields, Person } from '../fresh.ts';
import { instant } from '../instants.ts';
import { notify } from '../notices.ts';
import type { WaitingView } from '../views.ts';
import { type House, requireSignIn, seeOther } from './house.ts';

const SECURITY = '/account/security';
const REATTACH = '/account/security/devices/reattach';
const IGNORE = '/account/security/devices/ignore';

const IgnoreForm = z.strictObject({ csrf: z.string(), user_code: z.string().max(40) });

export function waitingActs(): [string, Act][] {
  return [[REATTACH, { fields: ['user_code'], words: ({ waiting }) => waiting.reattachThis, perform: reattach }]];
}

export function waitingRoutes(house: House): void {
  house.router.post(IGNORE, async (ctx) => {
    const form = await readForm(ctx, IgnoreForm);
    house.csrf.check(ctx, form.csrf);
    const person = await requireSignIn(house, ctx);
    if (person === null) return;
    const ignored = await house.approvals.ignore({ accountId: person.accountId, userCode: form.user_code });
    seeOther(ctx, `${SECURITY}?changed=device-${ignored}`);
  });
}

async function reattach(
  house: House,
  ctx: Context,
  { accountId, sessionUid }: Person,
  { user_code: userCode = '' }: Fields,
): Promise<void> {
  const answer = await house.approvals.approve({ accountId, sessionUid, userCode });
  switch (answer.outcome) {
    case 'approved': {
      const { clientId, was, asks } = answer.device;
      const app = await appName(house, clientId);
      const what = `${app} on ${describeDevice({ ...asks, userAgent: was.userAgent })}`;
      await notify(house, ctx, accountId, { kind: 'device.reattached', what });
      return seeOther(ctx, `${SECURITY}?changed=device-reattached`);
    }
    case 'ask':
      return seeOther(ctx, `/device?user_code=${encodeURIComponent(userCode)}`);
    case 'gone':
      return seeOther(ctx, `${SECURITY}?changed=device-gone`);
  }
}

/** The waiting devices of the security page. */
export async function waitingView(house: House, accountId: string, language: Language): Promise<WaitingView> {
  const waiting = await house.approvals.waiting(accountId);
  return {
    reattachAction: REATTACH,
    ignoreAction: IGNORE,
    devices: await Promise.all(
      waiting.map(async ({ userCode, clientId, asks, askedAt, was }) => {
        const [device, says] = [{ ...asks, userAgent: was.userAgent }, asks].map((traits) =>
          deviceWords(traits, language.texts),
        ) as [string, string];
        return {
          userCode,
          app: await appName(house, clientId),
          device,
          saysItIs: says === device ? undefined : says,
          place: placeWords(asks, language.texts),
          askedAt: instant(askedAt, language),
          firstUsedAt: instant(new Date(was.firstUsedAt), language),
        };
      }),
    ),
  };
}
