/** A world with a company whose people may sign in by its own SAML provider. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

import type { Browser } from './browser.ts';
import { samlCompany, type SamlPerson } from './saml-company.ts';
import { type World, world, type WorldOptions } from './world.ts';

export type Corp = Awaited<ReturnType<typeof samlCompany>>;

/** Somebody who works there, and has just signed in there. */
export const erin = (): SamlPerson => ({
  nameId: 'employee-17',
  attributes: { uid: 'erin', mail: 'erin@corp.test', displayName: 'Erin' },
  authenticatedAt: new Date(),
  sessionIndex: '_session-1',
});

/** The company, and its connection as a configuration has it. `at`: where its pages are. */
export async function corpAndConnection({
  at,
  ...connection
}: { readonly at?: string | undefined } & Record<string, unknown> = {}) {
  const corp = await samlCompany(at === undefined ? {} : { home: at });
  const folder = mkdtempSync(join(tmpdir(), 'curfew-saml-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const metadataFile = join(folder, 'corp.xml');
  writeFileSync(metadataFile, corp.metadata);
  return { corp, entry: { id: 'corp', type: 'saml', name: 'Corp', metadataFile, trustEmail: true, ...connection } };
}

export async function samlWorld({
  connection = {},
  ...options
}: WorldOptions & { readonly connection?: Record<string, unknown> } = {}): Promise<{
  readonly it: World;
  readonly corp: Corp;
  /** Signs in to Curfew's own pages through Corp. */
  readonly signIn: (person: SamlPerson, browser?: Browser) => Promise<Browser>;
}> {
  const { corp, entry } = await corpAndConnection(connection);
  const it = await world({ ...options, configuration: { connections: [entry], ...options.configuration } });
  return {
    it,
    corp,
    async signIn(person, browser = it.alice.anotherBrowser()) {
      await browser.open('/sign-in');
      await browser.press('Continue with Corp');
      await corp.sendBack(browser, browser.left as URL, person);
      return browser;
    },
  };
}
