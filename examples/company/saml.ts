/**
 * The company as a SAML identity provider for one application: its requests read, its people vouched for, its session there
 * ended and the other way round. Whoever is vouched for was proved elsewhere, in the session that both protocols share.
 *
 * The promise: only what the application signed is acted upon, an answer goes to an address of its metadata and to no other,
 * and everything sent is signed. It refuses to know cookies and pages.
 */
import { randomBytes } from 'node:crypto';
import { log, reasonOf } from '../shared/log.ts';
import type { Company } from './pages.ts';
import type { Person } from './people.ts';
import type { KeyPair } from './saml/keys.ts';
import {
  assertionOf,
  logoutRequestOf,
  logoutResponseOf,
  metadataOf,
  newId,
  responseOf,
  signed,
} from './saml/messages.ts';
import { attribute, child, children, parseXml, textOf } from './saml/markup.ts';
import type { Partner, ServiceProvider } from './saml/partner.ts';
import { type Field, isSignedBy, type Opened, openQuery, redirectUrl } from './saml/redirect.ts';
import type { Told } from './sign-outs.ts';

export type Refused = { readonly reason: string; readonly status: number };

/** A sign-in that the application asks for. */
export type Asked = {
  readonly application: string;
  readonly requestId: string;
  readonly acsUrl: string;
  readonly audience: string;
  readonly relayState: string | undefined;
  /** Whatever session is open, the person is to prove anew who they are. */
  readonly forced: boolean;
};

export type LogoutMessage =
  | { readonly kind: 'refused'; readonly refused: Refused }
  /** The application asks: these sessions are to end, and then the browser goes there. */
  | { readonly kind: 'asked'; readonly sessionUids: readonly string[]; readonly location: string }
  /** The application answers what it was told. */
  | { readonly kind: 'answered'; readonly signOutId: string; readonly told: Told };

export type Saml = ReturnType<typeof createSaml>;

const HELD_MS = 10 * 60_000;
const OLDEST_MESSAGE_MS = 5 * 60_000;
const BY = 'SAML single logout, through your browser';

export function createSaml({
  company,
  keys,
  partner,
  now,
}: {
  readonly company: Company;
  readonly keys: KeyPair;
  readonly partner: Partner;
  readonly now: () => Date;
}) {
  const entityId = `${company.url}/saml/metadata`;
  const ssoUrl = `${company.url}/saml/sso`;
  const sloUrl = `${company.url}/saml/slo`;
  const waiting = new Map<string, { readonly asked: Asked; readonly untilMs: number }>();
  /** Which session was entered with, by the name that the application knows it by. */
  const entered = new Map<string, { readonly sessionUid: string; readonly sub: string }>();
  const untold = new Map<string, { readonly signOutId: string }>();

  /** A message that the application signed, not long ago, for this very address; or why not. */
  async function read(query: string, { field, name, destination }: Expected): Promise<Received | Refused> {
    const bad = (reason: string): Refused => {
      log('saml.refused', { message: name, reason });
      return { reason, status: 400 };
    };
    let application: ServiceProvider;
    try {
      application = await partner.find();
    } catch (error) {
      log('saml.partner-unknown', { reason: reasonOf(error) });
      return { reason: 'The application cannot be asked who it is. Try again in a moment.', status: 503 };
    }
    let opened: Opened;
    let root: Element;
    try {
      opened = openQuery(query, field);
      root = parseXml(opened.message);
    } catch (error) {
      return bad(`This is no ${name}: ${reasonOf(error)}.`);
    }
    if (root.localName !== name) return bad(`This is no ${name}.`);
    if (textOf(child(root, 'Issuer')) !== application.entityId) return bad('We do not know this application.');
    // Only now: whose certificates to look at is for the issuer to say, and to be believed for nothing else.
    if (!isSignedBy(opened, application.certificates)) return bad('The application did not sign this.');
    if (attribute(root, 'Destination') !== destination) return bad('This was not meant for us.');
    const issuedAt = Date.parse(attribute(root, 'IssueInstant') ?? '');
    if (!(Math.abs(now().getTime() - issuedAt) <= OLDEST_MESSAGE_MS)) return bad('This is too old.');
    return { application, root, id: attribute(root, 'ID') ?? '', relayState: opened.relayState };
  }

  const participantsOf = (sessionUid: string) => [...entered].filter(([, entry]) => entry.sessionUid === sessionUid);

  return {
    metadata: (): string => metadataOf({ entityId, ssoUrl, sloUrl, keys }),

    async readSignInRequest(query: string): Promise<Asked | { readonly refused: Refused }> {
      const received = await read(query, { field: 'SAMLRequest', name: 'AuthnRequest', destination: ssoUrl });
      if ('reason' in received) return { refused: received };
      const { application, root, id, relayState } = received;
      const acsUrl = attribute(root, 'AssertionConsumerServiceURL') ?? application.acsUrls[0] ?? '';
      if (!application.acsUrls.includes(acsUrl)) {
        log('saml.refused', { message: 'AuthnRequest', reason: 'unregistered address' });
        return {
          refused: { reason: 'The application did not register the address it asks us to answer at.', status: 400 },
        };
      }
      const forced = ['true', '1'].includes(attribute(root, 'ForceAuthn') ?? '');
      return {
        application: application.name,
        requestId: id,
        acsUrl,
        audience: application.entityId,
        relayState,
        forced,
      };
    },

    /** Keeps a request while its person signs in. Resolves to a name for it that cannot be guessed. */
    hold(asked: Asked): string {
      const nowMs = now().getTime();
      for (const [id, { untilMs }] of waiting) if (untilMs < nowMs) waiting.delete(id);
      const id = randomBytes(16).toString('base64url');
      waiting.set(id, { asked, untilMs: nowMs + HELD_MS });
      return id;
    },
    held(id: string): Asked | undefined {
      const found = waiting.get(id);
      return found && found.untilMs >= now().getTime() ? found.asked : undefined;
    },
    forget: (id: string): boolean => waiting.delete(id),

    /** The form that vouches for a person, to be posted by their browser. */
    respond(
      asked: Asked,
      vouched: { readonly person: Person; readonly sessionUid: string; readonly authenticatedAt: Date },
    ) {
      const { person, sessionUid } = vouched;
      const [known] = participantsOf(sessionUid);
      const sessionIndex = known?.[0] ?? newId();
      entered.set(sessionIndex, { sessionUid, sub: person.sub });
      const about = { ...asked, ...vouched, entityId, sessionIndex, now: now() };
      const response = signed(responseOf(about, signed(assertionOf(about), keys)), keys);
      log('saml.vouched', { forced: String(asked.forced) });
      return {
        action: asked.acsUrl,
        fields: {
          SAMLResponse: Buffer.from(response).toString('base64'),
          ...(asked.relayState !== undefined && { RelayState: asked.relayState }),
        },
      };
    },

    /** The applications that were entered with a session. */
    applications: (sessionUid: string): string[] => participantsOf(sessionUid).map(() => partner.name),

    /** Where to send the browser to tell the application that a session is over; nothing where it was not entered with. */
    async tell(sessionUid: string, { sub }: Person, signOutId: string) {
      const [[sessionIndex] = []] = participantsOf(sessionUid);
      if (sessionIndex === undefined) return undefined;
      const { sloUrl: destination } = await partner.find();
      entered.delete(sessionIndex);
      const id = newId();
      untold.set(id, { signOutId });
      const message = logoutRequestOf({ id, entityId, destination, sub, sessionIndex, now: now() });
      const location = redirectUrl(destination, { field: 'SAMLRequest', message, relayState: undefined, keys });
      return { location, told: { who: partner.name, by: BY, answer: 'told, and has not answered' } satisfies Told };
    },

    async readLogout(query: string): Promise<LogoutMessage> {
      if (new URLSearchParams(query).has('SAMLResponse')) {
        const received = await read(query, { field: 'SAMLResponse', name: 'LogoutResponse', destination: sloUrl });
        if ('reason' in received) return { kind: 'refused', refused: received };
        const inResponseTo = attribute(received.root, 'InResponseTo') ?? '';
        const asked = untold.get(inResponseTo);
        if (!asked) return { kind: 'refused', refused: { reason: 'This answers nothing that we said.', status: 400 } };
        untold.delete(inResponseTo);
        const status = attribute(child(child(received.root, 'Status'), 'StatusCode'), 'Value') ?? '';
        const answer = status.endsWith(':Success') ? 'accepted' : `refused (${status.split(':').at(-1)})`;
        return { kind: 'answered', ...asked, told: { who: partner.name, by: BY, answer } };
      }
      const received = await read(query, { field: 'SAMLRequest', name: 'LogoutRequest', destination: sloUrl });
      if ('reason' in received) return { kind: 'refused', refused: received };
      const { application, root, id, relayState } = received;
      const sub = textOf(child(root, 'NameID'));
      const indexes = children(root, 'SessionIndex').map(textOf);
      const named = [...entered].filter(
        ([index, entry]) => entry.sub === sub && (indexes.length === 0 || indexes.includes(index)),
      );
      for (const [index] of named) entered.delete(index);
      const destination = application.sloUrl;
      const message = logoutResponseOf({ id: newId(), entityId, destination, inResponseTo: id, now: now() });
      const location = redirectUrl(destination, { field: 'SAMLResponse', message, relayState, keys });
      return { kind: 'asked', sessionUids: named.map(([, { sessionUid }]) => sessionUid), location };
    },
  };
}

type Expected = { readonly field: Field; readonly name: string; readonly destination: string };
type Received = {
  readonly application: ServiceProvider;
  readonly root: Element;
  readonly id: string;
  readonly relayState: string | undefined;
};
