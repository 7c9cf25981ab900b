/**
 * The company's routes. Whatever asks for a person, its own page or either protocol, shows the one form and uses the one
 * session; forms are taken from its own pages alone.
 */
import express, { type Express, type Request, type Response } from 'express';
import type { Provider } from 'oidc-provider';
import { log, reasonOf } from '../shared/log.ts';
import { sendPage } from '../shared/page.ts';
import {
  type Company,
  homePage,
  onwardPage,
  refusedPage,
  signedOutPage,
  type SignInForm,
  signInPage,
  welcomePage,
} from './pages.ts';
import type { People, Person } from './people.ts';
import type { Asked, Refused, Saml } from './saml.ts';
import type { Sessions, SignedIn } from './sessions.ts';
import type { SignOuts } from './sign-outs.ts';

export function createApp(parts: {
  readonly company: Company;
  readonly people: People;
  readonly provider: Provider;
  readonly sessions: Sessions;
  readonly signOuts: SignOuts;
  readonly saml: Saml;
}): Express {
  const { company, people, provider, sessions, signOuts, saml } = parts;
  const readForm = express.urlencoded({ extended: false, limit: '16kb' });
  const refuse = (res: Response, { reason, status }: Refused): void =>
    sendPage(res, refusedPage(company, reason, status));

  /** The person whom the posted form proves; the form again, where it proves nobody. */
  function prove(req: Request, res: Response, form: SignInForm): Person | undefined {
    const { username = '', password = '' } = req.body as Record<string, unknown>;
    const person =
      typeof username === 'string' && typeof password === 'string' ? people.prove({ username, password }) : undefined;
    if (!person) sendPage(res, signInPage(company, { ...form, wrong: true }));
    return person;
  }

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');

  app.use((req, res, next) => {
    if (!isFromElsewhere(req)) return next();
    refuse(res, { reason: 'This form was not sent from a page of ours.', status: 403 });
  });

  app.get('/', async (req, res) => {
    const current = await sessions.current(req, res);
    if (!current) return sendPage(res, welcomePage(company));
    const entered = [
      ...(await sessions.applications(current)).map((application) => ({ application, by: 'OpenID Connect' })),
      ...saml.applications(current.session.uid).map((application) => ({ application, by: 'SAML' })),
    ];
    sendPage(res, homePage(company, { person: current.person.name, since: current.since, entered }));
  });

  app.get('/sign-in', (_req, res) => sendPage(res, signInPage(company, { action: '/sign-in', again: false })));

  app.post('/sign-in', readForm, async (req, res) => {
    const person = prove(req, res, { action: '/sign-in', again: false });
    if (!person) return;
    await sessions.signIn(req, res, person);
    res.redirect(303, '/');
  });

  app.post('/sign-out', async (req, res) => {
    const current = await sessions.current(req, res);
    if (!current) return res.redirect(303, '/');
    const { person, session } = current;
    const id = signOuts.begin({ name: person.name, told: await sessions.end(current) });
    log('signed-out', { by: 'person' });
    // An application that speaks SAML is told through the browser, which comes back with its answer.
    const departure = await saml.tell(session.uid, person, id);
    if (departure) signOuts.heard(id, departure.told);
    res.redirect(303, departure?.location ?? `/signed-out/${id}`);
  });

  app.get('/signed-out/:id', (req, res) => {
    const signOut = signOuts.find(req.params.id);
    if (!signOut) return res.redirect(303, '/');
    sendPage(res, signedOutPage(company, signOut));
  });

  // OpenID Connect: the library has found that it needs the person.
  app.get('/sign-in/:uid', async (req, res) => sendPage(res, signInPage(company, await interactionForm(req, res))));
  app.post('/sign-in/:uid', readForm, async (req, res) => {
    const person = prove(req, res, await interactionForm(req, res));
    if (person) await provider.interactionFinished(req, res, { login: { accountId: person.sub, amr: ['pwd'] } });
  });

  async function interactionForm(req: Request, res: Response): Promise<SignInForm> {
    const { uid, params, session } = await provider.interactionDetails(req, res);
    const client = await provider.Client.find(String(params['client_id']));
    return { action: `/sign-in/${uid}`, application: client?.clientName, again: session?.accountId !== undefined };
  }

  app.get('/saml/metadata', (_req, res) => {
    res.type('application/samlmetadata+xml').send(saml.metadata());
  });

  app.get('/saml/sso', async (req, res) => {
    const asked = await saml.readSignInRequest(queryOf(req));
    if ('refused' in asked) return refuse(res, asked.refused);
    const current = await sessions.current(req, res);
    if (current && !asked.forced) return answer(res, asked, current);
    sendPage(res, signInPage(company, samlForm(saml.hold(asked), asked, current !== undefined)));
  });

  app.post('/saml/sign-in', readForm, async (req, res) => {
    const { request = '' } = req.body as Record<string, unknown>;
    const asked = saml.held(String(request));
    if (!asked)
      return refuse(res, { reason: 'This request has expired. Start again at the application.', status: 400 });
    const again = (await sessions.current(req, res)) !== undefined;
    const person = prove(req, res, samlForm(String(request), asked, again));
    if (!person) return;
    saml.forget(String(request));
    answer(res, asked, await sessions.signIn(req, res, person));
  });

  const samlForm = (request: string, { application }: Asked, again: boolean): SignInForm => ({
    action: '/saml/sign-in',
    request,
    application,
    again,
  });

  function answer(res: Response, asked: Asked, { person, session, since }: SignedIn): void {
    const { action, fields } = saml.respond(asked, { person, sessionUid: session.uid, authenticatedAt: since });
    sendPage(res, onwardPage(company, { application: asked.application, action, fields }));
  }

  app.get('/saml/slo', async (req, res) => {
    const message = await saml.readLogout(queryOf(req));
    switch (message.kind) {
      case 'refused':
        return refuse(res, message.refused);
      case 'answered':
        signOuts.heard(message.signOutId, message.told);
        return res.redirect(303, `/signed-out/${message.signOutId}`);
      case 'asked': {
        const found = await Promise.all(message.sessionUids.map((uid) => sessions.find(uid)));
        for (const signedIn of found) if (signedIn) await sessions.end(signedIn);
        log('signed-out', { by: 'application' });
        return res.redirect(303, message.location);
      }
    }
  });

  app.use(provider.callback());

  app.use((error: unknown, req: Request, res: Response, next: express.NextFunction) => {
    log('request.failed', { path: req.path, reason: reasonOf(error) });
    if (res.headersSent) return next(error);
    // The library's own word for a sign-in that has expired or was begun in another browser.
    const expired = error instanceof Error && error.name === 'SessionNotFound';
    if (expired) return refuse(res, { reason: 'This sign-in has expired. Start again.', status: 400 });
    refuse(res, { reason: 'Something went wrong here.', status: 500 });
  });

  return app;
}

/** As it was written: signatures are over these octets. */
const queryOf = ({ originalUrl }: Request): string => originalUrl.slice(originalUrl.indexOf('?') + 1);

const OWN_FORMS = /^\/(sign-in(\/.*)?|sign-out|saml\/sign-in)$/;

/** True for one of our forms that a page of somebody else's made a browser send (Fetch Metadata; absent outside browsers). */
function isFromElsewhere({ method, path, headers }: Request): boolean {
  return method === 'POST' && OWN_FORMS.test(path) && (headers['sec-fetch-site'] ?? 'same-origin') !== 'same-origin';
}
