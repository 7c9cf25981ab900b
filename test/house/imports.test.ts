/** The walls of the house: a forbidden import is planted in a copy of the layout, and the linter must object. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
let copy: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'curfew-house-'));
  copyFileSync(join(root, '.oxlintrc.json'), join(copy, '.oxlintrc.json'));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** What the linter says of one planted file. */
function lint(file: string, content: string): { objects: boolean; says: string } {
  const path = join(copy, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  const run = spawnSync(join(root, 'node_modules/.bin/oxlint'), ['-c', '.oxlintrc.json', file], {
    cwd: copy,
    encoding: 'utf8',
  });
  rmSync(path);
  return { objects: run.status !== 0, says: `${run.stdout}${run.stderr}` };
}

const importing = (specifier: string): string => `import * as planted from '${specifier}';\nexport { planted };\n`;

test.each([
  ['a room that is above', 'src/store/planted.ts', '../oidc/provider.ts'],
  ['a room that is above, by type only', 'src/platform/planted.ts', '../store/port.ts'],
  ['an engine', 'src/revocation/planted.ts', '../store/sqlite/open.ts'],
  ['an engine from web', 'src/web/routes/planted.ts', '../../store/sqlite/open.ts'],
  ['a room beside it', 'src/delivery/planted.ts', '../revocation/sign-out.ts'],
  ['the protocol from connections', 'src/connections/planted.ts', '../oidc/lineage.ts'],
  ['connections from the protocol', 'src/oidc/planted.ts', '../connections/attempts.ts'],
  ['the protocol from authn', 'src/authn/planted.ts', '../oidc/lineage.ts'],
  ['the wiring', 'src/oidc/planted.ts', '../compose.ts'],
  ["another room's library", 'src/web/planted.ts', 'oidc-provider'],
  ["the engine's library", 'src/accounts/planted.ts', 'node:sqlite'],
  ["the other engine's library", 'src/store/mongo/planted.ts', 'node:sqlite'],
  ["MongoDB's library", 'src/connections/planted.ts', 'mongoose'],
  ['the SAML library', 'src/web/planted.ts', '@node-saml/passport-saml'],
  ['an XML parser', 'src/oidc/planted.ts', '@xmldom/xmldom'],
  ["authn's library", 'src/oidc/planted.ts', 'argon2'],
  ['a web framework in the protocol', 'src/oidc/planted.ts', 'koa'],
  ['the network', 'src/delivery/planted.ts', 'undici'],
  ['accounts from mail', 'src/mail/planted.ts', '../accounts/accounts.ts'],
  ['deliveries from mail', 'src/mail/texts/planted.ts', '../../delivery/worker.ts'],
  ['pages from mail', 'src/mail/planted.ts', '../web/views.ts'],
  ['languages from the protocol', 'src/oidc/planted.ts', '../languages/languages.ts'],
  ['languages from authn', 'src/authn/planted.ts', '../languages/en.ts'],
  ['languages from the revocation of access', 'src/revocation/planted.ts', '../languages/choose.ts'],
  ['pages from languages', 'src/languages/planted.ts', '../web/views.ts'],
  ['the port from languages', 'src/languages/de/planted.ts', '../../store/port.ts'],
  ['a web framework in languages', 'src/languages/planted.ts', 'koa'],
  ['an engine from mail', 'src/mail/planted.ts', '../store/sqlite/open.ts'],
  ["the mail room's library", 'src/web/planted.ts', 'nodemailer'],
  ["the mail room's library from accounts", 'src/accounts/planted.ts', 'nodemailer'],
  ["the mail room's library from the wiring", 'src/planted.ts', 'nodemailer'],
  ['a mail server', 'src/mail/planted.ts', 'smtp-server'],
  ['passkeys outside authn', 'src/web/planted.ts', '@simplewebauthn/server'],
  ['templates from mail', 'src/mail/planted.ts', 'ejs'],
  ['the protocol from the drill', 'src/drill/planted.ts', '../oidc/logout-token.ts'],
  ['deliveries from the drill', 'src/drill/planted.ts', '../delivery/attempt.ts'],
  ["the protocol's library from the drill", 'src/drill/planted.ts', 'jose'],
  ['pages from what is sealed anew', 'src/resealing/planted.ts', '../web/views.ts'],
  ['an engine from what is sealed anew', 'src/resealing/planted.ts', '../store/sqlite/seals.ts'],
  ['a room from a script', 'scripts/commands/planted.ts', '../../src/oidc/lineage.ts'],
  ['the house from an example', 'examples/tv/planted.ts', '../../src/compose.ts'],
])('the linter objects to importing %s', (_what, file, specifier) => {
  expect(lint(file, importing(specifier))).toMatchObject({
    objects: true,
    says: expect.stringContaining('no-restricted-imports'),
  });
});

test.each([
  ['time', 'src/oidc/planted.ts', 'export const at = Date.now();\n', 'platform/clock.ts'],
  ['timers', 'src/delivery/planted.ts', 'export const wait = () => setTimeout(() => {}, 1);\n', 'platform/clock.ts'],
  ['the network', 'src/web/planted.ts', "export const answer = () => fetch('http://x.test');\n", 'outbound-http'],
  ['the environment', 'src/web/planted.ts', 'export const home = process.env;\n', 'config.ts'],
])('the linter objects to %s that does not come as an argument', (_what, file, content, says) => {
  expect(lint(file, content)).toMatchObject({ objects: true, says: expect.stringContaining(says) });
});

test.each([
  ['the port from oidc', 'src/oidc/planted.ts', '../store/port.ts'],
  ['accounts from authn', 'src/authn/planted.ts', '../accounts/accounts.ts'],
  ['accounts from connections', 'src/connections/planted.ts', '../accounts/accounts.ts'],
  ['sign-outs from connections', 'src/connections/planted.ts', '../revocation/sign-out.ts'],
  ['connections from web', 'src/web/routes/planted.ts', '../../connections/connections.ts'],
  ['the port from mail', 'src/mail/planted.ts', '../store/port.ts'],
  ['languages from mail', 'src/mail/planted.ts', '../languages/choose.ts'],
  ['languages from web', 'src/web/routes/planted.ts', '../../languages/en.ts'],
  ['its library from mail', 'src/mail/planted.ts', 'nodemailer'],
  ['the platform from the drill', 'src/drill/planted.ts', '../platform/outbound-http.ts'],
  ['how a room seals from what is sealed anew', 'src/resealing/planted.ts', '../oidc/device.ts'],
  ['an engine from compose', 'src/planted.ts', './store/sqlite/open.ts'],
  ['compose from a script', 'scripts/commands/planted.ts', '../../src/compose.ts'],
])('the linter allows %s', (_what, file, specifier) => {
  expect(lint(file, importing(specifier))).toMatchObject({ objects: false });
});
