import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import { openPostOffice, type PostOffice } from '../support/post-office.ts';
import { atTerminal, type CommandWorld, commandWorld } from './support.ts';

const INSTANT = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;

/** Two people were written to: the first was reached, the second refused for good. */
async function withBounce(): Promise<CommandWorld & { readonly office: PostOffice }> {
  const office = await openPostOffice();
  onTestFinished(() => office.close());
  const mail = { url: `smtp://127.0.0.1:${office.port}`, from: 'Curfew <no-reply@example.test>' };
  const made = await commandWorld({ configuration: { mail } });
  const { core, alice, bob, issuer } = made;
  for (const { id, email, username } of [alice, bob]) {
    if (username === 'bob') await office.catch('refuses recipients');
    await core.mailer?.send({
      eventId: `changed ${username}`,
      to: email,
      accountId: id,
      locale: 'en',
      mail: {
        kind: 'password-changed',
        at: new Date(),
        address: '203.0.113.7',
        device: 'Firefox on Linux',
        notMeLink: `${issuer}/not-me`,
      },
    });
    await expect
      .poll(async () => (await core.store.outbox.list({ accountId: id, page: { limit: 1 } }))[0]?.status, {
        timeout: 30_000,
      })
      .not.toBe('pending');
  }
  await made.stopServer();
  await office.catch('none');
  return Object.defineProperty(made, 'office', { value: office }) as CommandWorld & { readonly office: PostOffice };
}

test('mails are listed in the shape that scripts rely on, filtered by status, and say nothing of their content', async () => {
  const { run, here, alice, bob } = await withBounce();
  const listed = await run('mail', 'list', '--json');
  const sent = {
    id: expect.stringMatching(/^[\w-]{43}$/) as string,
    kind: 'password-changed',
    account: alice.id,
    status: 'sent',
    attempts: 1,
    nextAttemptAt: null,
    lastOutcome: 'accepted',
    createdAt: INSTANT,
  };
  const bounced = { ...sent, account: bob.id, status: 'rejected', lastOutcome: 'refused 550' };
  expect(listed.json()).toHaveLength(2);
  expect(listed.json()).toContainEqual(sent);
  expect(listed.json()).toContainEqual(bounced);
  for (const each of listed.json() as object[]) expect(Object.keys(each)).toEqual(Object.keys(sent));
  expect(listed.stdout).not.toMatch(/example\.test|203\.0\.113|sealed/);
  expect((await here('mail', 'list', '--status', 'rejected', '--json')).json()).toEqual([bounced]);
  expect((await here('mail', 'list', '--status', 'pending', '--json')).json()).toEqual([]);
  expect((await here('mail', 'list')).stdout).toMatch(/^id +about +status +tries +last outcome +next try +account$/m);
  expect(await here('mail', 'list', '--status', 'lost')).toMatchObject({ code: 2, stdout: '' });
});

test('what was refused is tried again, once, and what was sent is not', async () => {
  const { here, office, bob } = await withBounce();
  office.taken.splice(0);
  expect(await here('mail', 'retry')).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('add --yes') as string,
  });
  expect(office.taken).toEqual([]);
  const retried = await here('mail', 'retry', '--yes', '--json');
  expect(retried.json()).toEqual({ retried: 1, mails: { pending: 0, sent: 1, rejected: 0, abandoned: 0 } });
  expect(retried.code).toBe(0);
  expect(office.taken.map(({ to }) => to)).toEqual([[bob.email]]);
  expect((await here('mail', 'retry')).stdout).toMatch(/^retried +0$/m);
  expect(office.taken).toHaveLength(1);
});

test('one that fails again stays pending, with exit code 3; one that is refused again is said to be', async () => {
  const { here, office } = await withBounce();
  await office.catch('refuses messages');
  const refused = await here('mail', 'retry', '--yes');
  expect(refused).toMatchObject({ code: 0, stdout: expect.stringMatching(/^refused again +1$/m) as string });
  await office.catch('is down');
  const pending = await here('mail', 'retry', '--yes');
  expect(pending).toMatchObject({ code: 3, stdout: expect.stringMatching(/^pending +1$/m) as string });
});

test('ids are heeded, unknown ones refused, and a person at the terminal is asked', async () => {
  const { here, office, configFile } = await withBounce();
  office.taken.splice(0);
  const [sent, dead] = await Promise.all(
    ['sent', 'rejected'].map(
      async (status) => ((await here('mail', 'list', '--status', status, '--json')).json() as { id: string }[])[0]?.id,
    ),
  );
  expect(await here('mail', 'retry', '--yes', 'unknown')).toMatchObject({ code: 2, stdout: '' });
  const notDead = atTerminal(['mail', 'retry', '--yes', '--config', configFile, '--', sent ?? '']);
  expect(await notDead.ended).toBe(0);
  expect(notDead.screen.stderr).toContain('is sent, and needs no other try');
  expect(office.taken).toEqual([]);
  const one = atTerminal(['mail', 'retry', '--config', configFile, '--', dead ?? '']);
  await one.seeing('[y/N]');
  one.type('yes\n');
  expect(await one.ended).toBe(0);
  expect(office.taken).toHaveLength(1);
});

test('without mail nothing is retried, and the reason is told', async () => {
  const { here } = await commandWorld();
  expect(await here('mail', 'retry', '--yes')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no mail is configured') as string,
  });
  expect((await here('mail', 'list', '--json')).json()).toEqual([]);
});

const mailFindings = (json: unknown): { status: string; found: string }[] =>
  (json as { checks: { check: string; status: string; found: string }[] }).checks.filter(
    ({ check }) => check === 'mail',
  );

test('doctor connects to the server, and tells of what did not arrive', async () => {
  const { here, office } = await withBounce();
  expect(mailFindings((await here('doctor', '--json')).json())).toMatchObject([
    { status: 'ok', found: `127.0.0.1:${office.port} takes mail` },
    { status: 'warning', found: '1 mail did not arrive: 1 refused, 0 given up' },
  ]);
  const taken = office.taken.length;
  await office.catch('is down');
  const down = await here('doctor', '--json');
  expect(down.code).toBe(1);
  expect(mailFindings(down.json())[0]).toMatchObject({
    status: 'problem',
    found: expect.stringMatching(/takes no mail: .*ECONNREFUSED/) as string,
  });
  expect(office.taken).toHaveLength(taken);
});

test('mail into a folder: each is a file there, doctor looks at the folder, and metrics count', async () => {
  const made = await commandWorld({ configuration: { mail: { url: 'file:./mail', from: 'no-reply@example.test' } } });
  const { core, alice, issuer, here, folder } = made;
  await core.mailer?.send({
    eventId: 'event',
    to: alice.email,
    accountId: alice.id,
    locale: null,
    mail: { kind: 'account-deleted', at: new Date(), address: null, device: null },
  });
  await expect.poll(async () => (await core.store.outbox.counts()).sent, { timeout: 30_000 }).toBe(1);
  expect(readdirSync(join(folder, 'mail'))).toEqual([expect.stringMatching(/^\d{8}T\d{6}\.\d{3}Z-[\w-]{43}\.eml$/)]);
  expect(mailFindings((await here('doctor', '--json')).json())).toEqual([
    expect.objectContaining({ status: 'ok', found: `goes into ${join(folder, 'mail')}` }),
  ]);
  const metrics = await (await fetch(`${issuer}/metrics`)).text();
  expect(metrics).toContain('curfew_mails_sent_total{kind="account-deleted"} 1');
  expect(metrics).toContain('curfew_mails{status="sent"} 1');
});
