/** A provider that rolls its signing certificate over, and publishes its metadata where they are fetched from. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';

import { createKeyPair } from '../../src/connections/saml/certificate.ts';
import type { Browser } from '../support/browser.ts';
import { corpAndConnection, erin } from '../support/saml-world.ts';
import { signXml } from '../support/saml-sealing.ts';
import { world } from '../support/world.ts';

/** Longer than metadata are used without being asked for again. */
const A_DAY_SECONDS = 86_400;

const strangersKeys = () => createKeyPair({ entityId: 'https://federation.example/', use: 'signing', now: new Date() });

const publishedWorld = async ({ pinned = false } = {}) => {
  const signer = await strangersKeys();
  const { corp, entry } = await corpAndConnection();
  const signed = (): string => signXml(corp.metadata, { keys: signer });
  let publish = pinned ? signed : () => corp.metadata;
  let [asked, nth] = [0, 0];
  const server = createServer((_request, response) => {
    asked += 1;
    const body = publish();
    response.writeHead(body === '' ? 500 : 200).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const metadataUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metadata`;
  const metadataCertificateFile = `${entry.metadataFile}.pem`;
  writeFileSync(metadataCertificateFile, signer.certificatePem);
  const { metadataFile: _, ...common } = entry;
  const it = await world({
    fakeTime: true,
    configuration: { connections: [{ ...common, metadataUrl, ...(pinned && { metadataCertificateFile }) }] },
  });
  const attempt = async (): Promise<{ browser: Browser; asked: URL }> => {
    const browser = it.alice.anotherBrowser();
    await browser.open('/sign-in');
    await browser.press('Continue with Corp');
    return { browser, asked: browser.left as URL };
  };
  return {
    it,
    corp,
    /** What the company publishes, signed by the certificate that may be pinned. */
    signed,
    publishes: (what: () => string) => void (publish = what),
    timesAsked: () => asked,
    /** Whether a sign-in that the company signs with its present key is believed. */
    async isBelieved(): Promise<boolean> {
      const { browser, asked } = await attempt();
      const { acsUrl, form } = corp.answer(asked, { ...erin(), sessionIndex: `_s${(nth += 1)}` });
      const met = await fetch(acsUrl, { method: 'POST', body: form, redirect: 'manual' });
      if (met.status !== 303) return false;
      await browser.open(new URL(met.headers.get('location') ?? '', it.issuer).href);
      return browser.path === '/account';
    },
    /** How many certificates each change added and took away, as it was told. */
    changes: () =>
      it.logged
        .filter((line) => line.includes('connection.certificates-changed'))
        .map((line) => JSON.parse(line) as { added: string[]; removed: string[] })
        .map(({ added, removed }) => [added.length, removed.length]),
  };
};

test('the next certificate is believed beside the old one once it is published, and the old one until it is not', async () => {
  const { it, corp, isBelieved, changes } = await publishedWorld();
  expect(await isBelieved()).toBe(true);
  const oldKeys = corp.keys;
  const useNext = await corp.announceNextKeys();
  it.advance(A_DAY_SECONDS);
  expect(await isBelieved()).toBe(true);
  useNext();
  expect(await isBelieved()).toBe(true);
  expect(changes()).toEqual([
    [1, 0],
    [1, 0],
  ]);

  corp.retireOtherKeys();
  it.advance(A_DAY_SECONDS);
  expect(await isBelieved()).toBe(true);
  expect(changes()).toEqual([
    [1, 0],
    [1, 0],
    [0, 1],
  ]);
  const newKeys = corp.signWith(oldKeys);
  expect(await isBelieved()).toBe(false);
  corp.signWith(newKeys);
  expect(await isBelieved()).toBe(true);
});

test('a key that is not published is not believed, and neither is one that was not yet when metadata were read', async () => {
  const { it, corp, isBelieved, timesAsked } = await publishedWorld();
  expect(await isBelieved()).toBe(true);
  const asked = timesAsked();
  const useNext = await corp.announceNextKeys();
  useNext();
  it.advance(60);
  expect(await isBelieved()).toBe(false);
  expect(timesAsked()).toBe(asked);
  it.advance(A_DAY_SECONDS);
  expect(await isBelieved()).toBe(true);
  corp.signWith(await strangersKeys());
  expect(await isBelieved()).toBe(false);
});

test('while metadata cannot be had or read, those before go on being used', async () => {
  const { it, corp, isBelieved, publishes, changes } = await publishedWorld();
  expect(await isBelieved()).toBe(true);
  for (const nothing of ['', '<html>', corp.metadata.replace('IDPSSODescriptor', 'x')]) {
    publishes(() => nothing);
    it.advance(A_DAY_SECONDS);
    expect(await isBelieved()).toBe(true);
  }
  expect(changes()).toEqual([[1, 0]]);
  expect(it.logged.filter((line) => line.includes('connection.not-refreshed')).length).toBeGreaterThanOrEqual(3);
});

test('where a certificate is pinned, only what is signed by it adds one', async () => {
  const { it, corp, signed, isBelieved, publishes, changes } = await publishedWorld({ pinned: true });
  expect(await isBelieved()).toBe(true);
  const useNext = await corp.announceNextKeys();
  const stranger = await strangersKeys();
  for (const untrusted of [() => corp.metadata, () => signXml(corp.metadata, { keys: stranger })]) {
    publishes(untrusted);
    it.advance(A_DAY_SECONDS);
    expect(await isBelieved()).toBe(true);
  }
  expect(changes()).toEqual([[1, 0]]);
  const oldKeys = corp.keys;
  useNext();
  expect(await isBelieved()).toBe(false);
  corp.signWith(oldKeys);
  publishes(signed);
  it.advance(A_DAY_SECONDS);
  expect(await isBelieved()).toBe(true);
  useNext();
  expect(await isBelieved()).toBe(true);
});
