import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';

import { plainAddress } from '../../src/mail/address.ts';
import { contentOpener } from '../../src/mail/outbox.ts';
import { createTransport } from '../../src/mail/transport.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { circumstances, FROM, ISSUER, notice } from '../support/mail-fixtures.ts';
import { counted, mailWorld } from '../support/mail-world.ts';

const missing = (): never => {
  throw new Error('it is not there');
};

describe('queueing', () => {
  test('an event is one mail, however often and in whatever words it is queued', async () => {
    const { mailer, worker, office, store } = await mailWorld();
    const letter = { eventId: 'sign-out 7', to: 'ada@example.org', accountId: 'a', locale: 'en', mail: notice() };
    const queued = await Promise.all([
      mailer.send(letter),
      mailer.send(letter),
      mailer.send({ ...letter, locale: 'de' }),
    ]);
    expect(queued.toSorted()).toEqual(['queued', 'queued-before', 'queued-before']);
    await worker().runUntilIdle();
    expect(await mailer.send(letter)).toBe('queued-before');
    await worker().runUntilIdle();
    expect(Object.values(counted(office))).toEqual([1]);
    expect(await store.outbox.counts()).toEqual({ pending: 0, sent: 1, rejected: 0, abandoned: 0 });
  });

  test('many are queued in one write, each event once, and their ids say to what they belong', async () => {
    const { mailer, store, keyring } = await mailWorld();
    const letters = [1, 2, 3].map((nth) => ({
      eventId: `incident ${nth}`,
      group: 'inc_1',
      to: `person-${nth}@example.org`,
      accountId: `person-${nth}`,
      locale: null,
      mail: notice(),
    }));
    expect(await mailer.sendMany(letters.slice(0, 2))).toBe(2);
    expect(await mailer.sendMany([...letters, ...letters])).toBe(1);
    expect(await mailer.send(letters[0] ?? missing())).toBe('queued-before');
    expect(await mailer.sendMany([])).toBe(0);
    const queued = await store.outbox.list({ page: { limit: 9 } });
    expect(queued.map(({ id }) => id).every((id) => /^inc_1-[\w-]{43}$/.test(id))).toBe(true);
    expect(queued.map((record) => contentOpener(keyring)(record).to).sort()).toEqual(letters.map(({ to }) => to));
    expect((await store.incidents.progress('inc_1')).mails).toMatchObject({ pending: 3 });
    expect((await store.incidents.progress('inc')).mails).toMatchObject({ pending: 0 });
    // The same event by itself is another mail.
    const { group: _group, ...alone } = letters[0] ?? missing();
    expect(await mailer.send(alone)).toBe('queued');
  });

  test('of many, none is queued when one of them is refused', async () => {
    const { mailer, store } = await mailWorld();
    const letter = {
      eventId: 'one',
      group: 'inc_1',
      to: 'ada@example.org',
      accountId: 'a',
      locale: null,
      mail: notice(),
    };
    const refused = { ...letter, eventId: 'two', to: 'nobody' };
    await expect(mailer.sendMany([letter, refused])).rejects.toBeInstanceOf(RangeError);
    expect(await store.outbox.list({ page: { limit: 9 } })).toEqual([]);
  });

  test('what is queued can be read with the keyring and in no other way', async () => {
    const { mailer, store, keyring, database } = await mailWorld();
    const mail = {
      ...circumstances(),
      kind: 'password-reset',
      link: `${ISSUER}/reset/sesame`,
      linkExpiresAt: new Date('2031-05-05T00:00:00Z'),
      notMeLink: `${ISSUER}/x`,
    } as const;
    await mailer.send({ eventId: 'event', to: 'ada@example.org', accountId: 'a', locale: 'de-AT', mail });
    const [record] = await store.outbox.list({ page: { limit: 1 } });
    if (record === undefined) throw new Error('it was not queued');
    const { sealed, ...rest } = record;
    expect(rest).toMatchObject({ accountId: 'a', kind: 'password-reset', status: 'pending', attempts: 0 });
    expect(+record.deadlineAt - +record.createdAt).toBe(72 * 3_600_000);
    expect(contentOpener(keyring)(record)).toEqual({ to: 'ada@example.org', locale: 'de', mail });
    expect(() => contentOpener(keyring)({ id: 'another', sealed })).toThrow(/does not open/);
    for (const [name, bytes] of Object.entries(await database.bytes())) {
      for (const secret of ['ada@example.org', 'sesame', '203.0.113.7', 'Firefox']) {
        expect([name, secret, bytes.includes(secret)]).toEqual([name, secret, false]);
      }
    }
  });

  test.each([
    'https://id.example.org.evil.test/reset/x',
    'https://evil.test/https://id.example.org/',
    'https://id.example.org@evil.test/',
    'http://id.example.org/reset/x',
    'https://id.example.org:8443/',
    '//id.example.org/reset',
    'javascript:alert(1)',
    '',
  ])('a link that leads to "%s" is never queued', async (link) => {
    const { mailer, store } = await mailWorld();
    const base = { eventId: 'event', to: 'ada@example.org', accountId: null, locale: null };
    const timed = { ...circumstances(), kind: 'password-reset', linkExpiresAt: new Date() } as const;
    const good = `${ISSUER}/reset/x`;
    for (const mail of [
      { ...timed, link, notMeLink: good },
      { ...timed, link: good, notMeLink: link },
      { ...circumstances(), kind: 'email-changed', revertLink: link, revertExpiresAt: new Date() } as const,
    ]) {
      await expect(mailer.send({ ...base, mail })).rejects.toThrow(RangeError);
    }
    expect(await store.outbox.counts()).toMatchObject({ pending: 0 });
  });
});

const NOT_ONE_ADDRESS = [
  'ada@example.org, eve@evil.test',
  'ada@example.org;eve@evil.test',
  'ada@example.org eve@evil.test',
  'ada@example.org\r\nBcc: eve@evil.test',
  'ada@example.org\n',
  'ada@example.org>\r\nRCPT TO:<eve@evil.test',
  'Ada <ada@example.org>',
  '<ada@example.org>',
  '"ada eve"@example.org',
  'ada@[127.0.0.1]',
  'ada%evil.test@example.org',
  'evil.test!ada@example.org',
  'ada@example.org(comment)',
  'ada@exämple.org',
  'ada@',
  '@example.org',
  'ada',
  '',
  `${'a'.repeat(65)}@example.org`,
  `ada@${'example.'.repeat(40)}org`,
];

describe('recipients', () => {
  test.each(NOT_ONE_ADDRESS)('%j is refused before anything is queued, and not quoted', async (to) => {
    const { mailer, store } = await mailWorld();
    const sent = mailer.send({ eventId: 'event', to, accountId: null, locale: null, mail: notice() });
    await expect(sent).rejects.toThrow(/^this is not exactly one plain e-mail address$/);
    expect(await store.outbox.counts()).toMatchObject({ pending: 0 });
  });

  test('plain ones pass as they are', () => {
    for (const address of ['ada@example.org', "o'brien+x@sub.example.org", 'root@localhost']) {
      expect(plainAddress(address)).toBe(address);
    }
  });
});

test('headers are ours, whatever names and devices contain', async () => {
  const { mailer, worker, office } = await mailWorld();
  const evil = 'Acme\r\nBcc: eve@evil.test\r\n\r\n<script>';
  await mailer.send({
    eventId: 'event',
    to: 'ada@example.org',
    accountId: null,
    locale: 'de',
    mail: { ...circumstances({ device: evil }), kind: 'identity-linked', connection: evil, notMeLink: `${ISSUER}/x` },
  });
  await worker().runUntilIdle();
  const message = office.taken[0]?.message ?? '';
  expect(office.taken[0]?.to).toEqual(['ada@example.org']);
  const head = message.slice(0, message.indexOf('\r\n\r\n')).replaceAll(/\r\n[ \t]+/g, ' ');
  const names = head.split('\r\n').map((line) => line.split(':')[0]);
  expect(names.toSorted()).toEqual([
    'Auto-Submitted',
    'Content-Language',
    'Content-Type',
    'Date',
    'From',
    'MIME-Version',
    'Message-ID',
    'Subject',
    'To',
    'X-Auto-Response-Suppress',
  ]);
  expect(head).toMatch(/^From: Curfew <no-reply@example\.org>$/m);
  expect(head).toMatch(/^To: ada@example\.org$/m);
  expect(head).toMatch(/^Auto-Submitted: auto-generated$/m);
  expect(head).toMatch(/^Content-Type: multipart\/alternative;/m);
});

test('a mail whose link works no more is not sent', async () => {
  const { mailer, worker, office, store, clock, advance } = await mailWorld();
  const linkExpiresAt = new Date(clock.now().getTime() + 30 * 60_000);
  const mail = {
    ...circumstances(),
    kind: 'password-reset',
    link: `${ISSUER}/r`,
    linkExpiresAt,
    notMeLink: `${ISSUER}/x`,
  } as const;
  await mailer.send({ eventId: 'event', to: 'ada@example.org', accountId: null, locale: null, mail });
  advance(31 * 60);
  await worker().runUntilIdle();
  expect(office.taken).toEqual([]);
  const [record] = await store.outbox.list({ page: { limit: 1 } });
  expect(record).toMatchObject({ status: 'abandoned', attempts: 0, lastOutcome: 'link expired' });
});

test('a mail that cannot be read is tried again, and holds up no other', async () => {
  const { queue, worker, office, store, render, lines } = await mailWorld();
  const { id } = await queue('bad');
  await queue('good');
  const fails = worker({
    render: (mail, now) => {
      if (mail.id === id) throw new Error('it is in the words of another version');
      return render(mail, now);
    },
  });
  await fails.runUntilIdle();
  expect(office.taken).toHaveLength(1);
  expect(await store.outbox.find(id)).toMatchObject({ status: 'pending', attempts: 1, lastOutcome: 'fault' });
  expect(lines.filter(({ event }) => event === 'mail.fault')).toHaveLength(1);
});

test('no more than so many leave in a minute', async () => {
  const { queue, worker, office, store, clock, advance } = await mailWorld();
  for (let nth = 0; nth < 7; nth += 1) await queue(`event-${nth}`);
  const claims: { readonly at: number; readonly count: number }[] = [];
  const outbox = {
    ...store.outbox,
    async claim(claim: Parameters<typeof store.outbox.claim>[0]) {
      const leased = await store.outbox.claim(claim);
      claims.push({ at: clock.now().getTime(), count: leased.length });
      return leased;
    },
  };
  const paced = worker({ outbox, perMinute: 3 });
  paced.start();
  for (const sent of [3, 6, 7]) {
    await expect.poll(() => office.taken.length, { timeout: 30_000 }).toBe(sent);
    advance(61);
    paced.wake();
  }
  for (const { at } of claims) {
    const recent = claims.filter((each) => each.at > at - 60_000 && each.at <= at);
    expect(recent.reduce((sum, { count }) => sum + count, 0)).toBeLessThanOrEqual(3);
  }
});

describe('into a folder', () => {
  const folderWorld = () => {
    const root = mkdtempSync(join(tmpdir(), 'curfew-eml-'));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    const folder = join(root, 'deep', 'mail');
    return {
      root,
      folder,
      transport: createTransport({ route: { by: 'folder', folder }, from: FROM, clock: systemClock }),
    };
  };
  const outgoing = (id: string, second = 0) => ({
    id,
    queuedAt: new Date(Date.UTC(2031, 4, 4, 3, 2, second)),
    to: 'ada@example.org',
    language: 'en',
    subject: 'Grüße',
    text: 'In plain words: https://id.example.org/x\n.\nafter a dot',
    html: '<p>Hello</p>',
  });

  test('each mail is a private file of its own, sorted by time; the same one is the same file', async () => {
    const { folder, transport } = folderWorld();
    const { signal } = new AbortController();
    for (const mail of [outgoing('b', 1), outgoing('a', 2), outgoing('b', 1)]) {
      expect(await transport.send(mail, signal)).toEqual({ result: { kind: 'accepted' } });
    }
    expect(readdirSync(folder)).toEqual(['20310504T030201.000Z-b.eml', '20310504T030202.000Z-a.eml']);
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    const message = readFileSync(join(folder, '20310504T030201.000Z-b.eml'), 'utf8');
    expect(message).toMatch(/^Message-ID: <b@example\.org>\r$/m);
    expect(message).toContain('https://id.example.org/x');
    expect(message).not.toMatch(/[^\r]\n/);
    expect(await transport.check()).toBeNull();
  });

  test('a folder that cannot be written to loses nothing', async () => {
    const { root, transport } = folderWorld();
    writeFileSync(join(root, 'deep'), 'in the way');
    const { signal } = new AbortController();
    expect(await transport.send(outgoing('a'), signal)).toMatchObject({ result: { kind: 'failed', reason: 'folder' } });
    expect(await transport.check()).toMatch(/cannot be written to \(ENOTDIR\)|\(EEXIST\)/);
  });
});
