/** Row 47 of security.md, on SAML responses that are signed well: who they are for, whom they name, and when. */
import { generateKeyPairSync } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { DEFAULT_POLICY } from '../../src/connections/saml/party.ts';
import { verifyResponse } from '../../src/connections/saml/response.ts';
import { addSeconds } from '../../src/platform/clock.ts';
import {
  attribute,
  certified,
  type Edit,
  edits,
  type Recipe,
  replace,
  stillScene,
  toBase64,
} from '../support/saml-idp.ts';
import { ACCEPTS_ALICE, ON_ASSERTION, tableOf } from './saml-table.ts';

const scene = await stillScene();
const { sp, idp, now, requestId, at } = scene;
const table = tableOf(scene);

const ALICE = { alone: ACCEPTS_ALICE };
const asserting = (...all: Edit[]): Recipe => ({ assertion: edits(...all) });
const responding = (...all: Edit[]): Recipe => ({ response: edits(...all) });
const confirming = (name: string, value?: string): Recipe =>
  asserting(attribute('saml:SubjectConfirmationData', name, value));
const answering = (name: string, value?: string): Recipe => responding(attribute('samlp:Response', name, value));
const stating = (name: string, value?: string): Recipe => asserting(attribute('saml:AuthnStatement', name, value));
const holding = (notBefore?: string, notOnOrAfter?: string): Recipe =>
  asserting(
    attribute('saml:Conditions', 'NotBefore', notBefore),
    attribute('saml:Conditions', 'NotOnOrAfter', notOnOrAfter),
  );

const ISSUER = /<saml:Issuer>.*?<\/saml:Issuer>/;
const NAME_ID = /<saml:NameID .*<\/saml:NameID>/;
const CONFIRMATION = /<saml:SubjectConfirmation .*<\/saml:SubjectConfirmation>/;
const CONDITIONS = /<saml:Conditions .*<\/saml:Conditions>/;
const STATEMENT = /<saml:AuthnStatement .*<\/saml:AuthnStatement>/;
const RESTRICTION = /<saml:AudienceRestriction>.*<\/saml:AudienceRestriction>/;
const EVIL_ISSUER = '<saml:Issuer>https://evil.example/</saml:Issuer>';
const PERSON = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent';
const FAILED = '<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"/>';

describe('whom it is from and for', () => {
  table.cases(
    ['wrong Recipient', 'wrong-recipient', confirming('Recipient', 'https://x.example/acs'), ALICE],
    ['no Recipient', 'wrong-recipient', confirming('Recipient'), ALICE],
    ['Recipient of another connection', 'wrong-recipient', confirming('Recipient', `${sp.acsUrl}/../../x/acs`), ALICE],
    ['wrong Destination', 'wrong-destination', answering('Destination', 'https://x.example/acs'), ALICE],
    ['no Destination', 'wrong-destination', answering('Destination'), ALICE],
    ['an empty Destination', 'wrong-destination', answering('Destination', ''), ALICE],
    ['wrong Issuer of the Response', 'wrong-issuer', responding(replace(ISSUER, EVIL_ISSUER)), ALICE],
    ['no Issuer of the Response', 'wrong-issuer', responding(replace(ISSUER, '')), { ...ON_ASSERTION, ...ALICE }],
    ['wrong Issuer of the assertion', 'wrong-issuer', asserting(replace(ISSUER, EVIL_ISSUER)), ALICE],
    ['two Issuers of the assertion', 'wrong-issuer', asserting(replace(ISSUER, `$&${EVIL_ISSUER}`)), ALICE],
    ['an Issuer that is a person', 'wrong-issuer', asserting(attribute('saml:Issuer', 'Format', PERSON)), ALICE],
    ['wrong Audience', 'wrong-audience', asserting(replace(/(<saml:Audience>).*?</, '$1https://x.example/<'))],
    ['no Audience', 'wrong-audience', asserting(replace(/<saml:Audience>.*<\/saml:Audience>/, ''))],
    ['no AudienceRestriction', 'wrong-audience', asserting(replace(RESTRICTION, ''))],
    [
      'a second AudienceRestriction, without us',
      'wrong-audience',
      asserting(
        replace(RESTRICTION, '$&<saml:AudienceRestriction><saml:Audience>x</saml:Audience></saml:AudienceRestriction>'),
      ),
    ],
    ['an element inside the Audience', 'wrong-audience', asserting(replace('</saml:Audience>', '<saml:x/>$&')), ALICE],
    ['no InResponseTo of the Response', 'unsolicited', answering('InResponseTo')],
    ['InResponseTo of another request', 'wrong-in-response-to', answering('InResponseTo', '_other')],
    ['a confirmation without InResponseTo (replayable)', 'wrong-in-response-to', confirming('InResponseTo'), ALICE],
    ['a confirmation for another request', 'wrong-in-response-to', confirming('InResponseTo', '_other')],
    ['a Response of SAML 1.1', 'wrong-version', answering('Version', '1.1'), ALICE],
    [
      'an assertion of no version',
      'wrong-version',
      asserting(attribute('saml:Assertion', 'Version', undefined)),
      ALICE,
    ],
    ['a Response without an ID', 'unexpected-message', answering('ID'), { ...ON_ASSERTION, ...ALICE }],
  );
});

describe('whom it names', () => {
  table.cases(
    ['no SubjectConfirmation', 'no-bearer-confirmation', asserting(replace(CONFIRMATION, '')), ALICE],
    [
      'a confirmation of no bearer',
      'no-bearer-confirmation',
      asserting(replace('cm:bearer', 'cm:holder-of-key')),
      ALICE,
    ],
    ['a bearer without data', 'no-bearer-confirmation', asserting(replace(/<saml:SubjectConfirmationData[^>]*>/, ''))],
    [
      'a bearer with two sets of data',
      'no-bearer-confirmation',
      asserting(replace(/<saml:SubjectConfirmationData[^>]*>/, '$&$&')),
      ALICE,
    ],
    ['Status Responder', 'status-not-success', responding(replace('status:Success', 'status:Responder')), ALICE],
    ['a Status nobody knows', 'status-not-success', responding(replace('status:Success', 'status:Successful')), ALICE],
    [
      'Success with a reservation',
      'status-not-success',
      responding(replace(/(<samlp:StatusCode [^>]*)\/>/, `$1>${FAILED}</samlp:StatusCode>`)),
      ALICE,
    ],
    ['no Status', 'status-not-success', responding(replace(/<samlp:Status>.*<\/samlp:Status>/, '')), ALICE],
    [
      'two NameIDs',
      'ambiguous-name-id',
      asserting(replace(NAME_ID, '<saml:NameID>admin</saml:NameID>$&')),
      { alone: 'accepts admin' },
    ],
    [
      'an element inside the NameID',
      'ambiguous-name-id',
      asserting(replace('alice-at-idp', 'alice<saml:x>-is-not</saml:x>-at-idp')),
      ALICE,
    ],
    [
      'a NameID inside the NameID',
      'ambiguous-name-id',
      asserting(replace('alice-at-idp', 'admin<saml:NameID>.evil.example</saml:NameID>')),
      { alone: 'accepts admin' },
    ],
    [
      'a NameID in the confirmation as well',
      'ambiguous-name-id',
      asserting(replace('<saml:SubjectConfirmationData', '<saml:NameID>x</saml:NameID>$&')),
      ALICE,
    ],
    [
      'an attribute called nameID, and no NameID',
      'no-name-id',
      asserting(replace(NAME_ID, ''), replace('Name="mail"', 'Name="nameID"'), replace('alice@example.com', 'admin')),
      { alone: 'accepts admin' },
    ],
    ['an empty NameID', 'no-name-id', asserting(replace('alice-at-idp', ' ')), { alone: 'accepts nobody' }],
    [
      'a line feed in the NameID',
      'ambiguous-name-id',
      asserting(replace('alice-at-idp', 'alice&#10;admin')),
      { alone: 'accepts alice\nadmin' },
    ],
    [
      'a NameID without end',
      'ambiguous-name-id',
      asserting(replace('alice-at-idp', 'a'.repeat(1025))),
      { alone: `accepts ${'a'.repeat(1025)}` },
    ],
    [
      'a NameID of another name space',
      'no-name-id',
      asserting(replace(NAME_ID, '<x:NameID xmlns:x="urn:x">admin</x:NameID>')),
      { alone: 'accepts admin' },
    ],
    [
      'no Subject',
      'no-name-id',
      asserting(replace(/<saml:Subject>.*<\/saml:Subject>/, '')),
      { alone: 'accepts nobody' },
    ],
    ['no AuthnStatement', 'bad-authn-statement', asserting(replace(STATEMENT, '')), ALICE],
    ['two AuthnStatements', 'bad-authn-statement', asserting(replace(STATEMENT, '$&$&')), ALICE],
  );
});

describe('when', () => {
  const dayThatIsNone = `${now.getUTCFullYear()}-02-31T00:00:00Z`;
  const issued = (when?: string): Recipe => asserting(attribute('saml:Assertion', 'IssueInstant', when));
  table.cases(
    ['a Response of the future', 'not-yet-valid', answering('IssueInstant', at(61)), ALICE],
    ['an assertion of the future', 'not-yet-valid', issued(at(61)), ALICE],
    ['a Response of long ago', 'expired', answering('IssueInstant', at(-360)), ALICE],
    ['a Response of no time', 'expired', answering('IssueInstant'), ALICE],
    ['a Response of a day that is none', 'expired', answering('IssueInstant', dayThatIsNone), ALICE],
    ['a Response of a time in another zone', 'expired', answering('IssueInstant', at(0).replace('Z', '+00:00')), ALICE],
    ['an assertion of long ago', 'no-bearer-confirmation', issued(at(-360))],
    ['Conditions without times', 'bad-conditions', holding(undefined, undefined)],
    ['Conditions that never begin', 'bad-conditions', holding(undefined, at(251)), ALICE],
    ['Conditions that never end', 'refused-by-library', holding(at(-10), undefined)],
    ['Conditions that begin after they end', 'bad-conditions', holding(at(30), at(20)), ALICE],
    ['Conditions not yet met', 'not-yet-valid', holding(at(61), at(250))],
    ['Conditions no longer met', 'expired', holding(at(-300), at(-60))],
    ['no Conditions', 'refused-by-library', asserting(replace(CONDITIONS, ''))],
    ['two sets of Conditions', 'bad-conditions', asserting(replace(CONDITIONS, '$&$&'))],
    ['a condition nobody understands', 'bad-conditions', asserting(replace(RESTRICTION, '$&<saml:Condition/>')), ALICE],
    ['a confirmation that ended', 'no-bearer-confirmation', confirming('NotOnOrAfter', at(-60))],
    ['a confirmation that never ends', 'refused-by-library', confirming('NotOnOrAfter')],
    ['a confirmation with NotBefore', 'no-bearer-confirmation', confirming('NotBefore', at(-60)), ALICE],
    ['a session that is over', 'session-over', stating('SessionNotOnOrAfter', at(-60)), ALICE],
    ['a session that ends at no instant', 'bad-authn-statement', stating('SessionNotOnOrAfter', 'never'), ALICE],
    ['an authentication of no instant', 'bad-authn-statement', stating('AuthnInstant'), ALICE],
    ['an authentication of the future', 'not-yet-valid', stating('AuthnInstant', at(61)), ALICE],
    [
      'an authentication a day old, after ForceAuthn',
      'stale-authentication',
      stating('AuthnInstant', at(-86_400)),
      { forced: true, ...ALICE },
    ],
  );

  test('an attempt that began too long ago is over, whatever comes', async () => {
    const samlResponse = toBase64(scene.respond());
    const begun = (secondsAgo: number) => {
      const attempt = { requestId, requestedAt: addSeconds(now, -secondsAgo), forced: false };
      return verifyResponse({ sp, idp, policy: DEFAULT_POLICY, attempt, samlResponse, now });
    };
    expect(await begun(599)).toMatchObject({ nameId: 'alice-at-idp' });
    expect(await begun(600)).toMatchObject({ refused: 'expired-attempt' });
  });

  // The library reads the machine's clock. Ours need not be the same.
  test.each<[string, number, Recipe, string]>([
    ['Conditions not yet met', -31, holding(at(30), at(250)), 'not-yet-valid'],
    ['Conditions no longer met', 160, holding(at(-10), at(100)), 'expired'],
    ['a confirmation that ended', 260, {}, 'expired'],
  ])('by our own clock: %s', async (_, seconds, recipe, refused) => {
    const samlResponse = toBase64(scene.respond(recipe));
    const attempt = { requestId, requestedAt: now, forced: false };
    const seen = (at: Date) => verifyResponse({ sp, idp, policy: DEFAULT_POLICY, attempt, samlResponse, now: at });
    const other = seconds < 0 ? seconds + 1 : seconds - 1;
    expect(await seen(addSeconds(now, other))).toMatchObject({ nameId: 'alice-at-idp' });
    expect(await seen(addSeconds(now, seconds))).toMatchObject({ refused });
  });

  test('metadata that has expired vouches for nobody', async () => {
    const samlResponse = toBase64(scene.respond());
    const attempt = { requestId, requestedAt: now, forced: false };
    const until = (validUntil: Date) =>
      verifyResponse({ sp, idp: { ...idp, validUntil }, policy: DEFAULT_POLICY, attempt, samlResponse, now });
    expect(await until(addSeconds(now, 1))).toMatchObject({ nameId: 'alice-at-idp' });
    expect(await until(now)).toMatchObject({ refused: 'expired-metadata' });
  });
});

test('a provider whose certificates are worth nothing', async () => {
  const samlResponse = toBase64(scene.respond());
  const attempt = { requestId, requestedAt: now, forced: false };
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  for (const certificates of [[], ['x'], [weak, curve].map((pair) => certified(pair, now).certificatePem)]) {
    const provider = { ...idp, certificates };
    const answer = await verifyResponse({ sp, idp: provider, policy: DEFAULT_POLICY, attempt, samlResponse, now });
    expect(answer).toMatchObject({ refused: 'no-usable-certificate' });
  }
});

// Verification keeps nothing, so it cannot know a replay. What it must do is name the assertion in the same way each time,
// and say for how long that has to be remembered; the caller's unique insert lets one of the five in.
test('five replays at once verify as one and the same assertion', async () => {
  const samlResponse = toBase64(scene.respond());
  const answers = await Promise.all(Array.from({ length: 5 }, () => table.verify(samlResponse)));
  const [first, ...others] = answers;
  expect(first).toMatchObject({ nameId: 'alice-at-idp', issuer: idp.entityId, assertionId: expect.any(String) });
  for (const other of others) expect(other).toEqual(first);
  const another = await table.verify(toBase64(scene.respond()));
  expect(another).not.toMatchObject({ assertionId: 'assertionId' in first! ? first.assertionId : '' });
});
