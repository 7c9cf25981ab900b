/**
 * From a queued mail to one that is ready to go: opened, written in its reader's language, laid out. Done when it is sent, so
 * that nothing readable is ever kept.
 */
import type { LeasedMail } from '../store/outbox.ts';
import { layOutHtml, layOutText } from './layout.ts';
import { writeLetter } from './letter.ts';
import { expiresAt } from './mails.ts';
import type { Content } from './outbox.ts';
import type { Render } from './worker.ts';

export function createRender({
  open,
  issuer,
}: {
  readonly open: (mail: LeasedMail) => Content;
  readonly issuer: string;
}): Render {
  const site = new URL(issuer).host;
  return (record, now) => {
    const { to, locale, mail } = open(record);
    const end = expiresAt(mail);
    if (end !== null && end <= now) return 'expired';
    const letter = writeLetter(mail, { locale, site });
    return {
      id: record.id,
      queuedAt: record.createdAt,
      to,
      language: letter.language,
      subject: letter.subject,
      text: layOutText(letter),
      html: layOutHtml(letter),
    };
  };
}
