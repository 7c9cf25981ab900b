/** Whether mail can be sent from here, and whether any did not arrive. */
import type { Core } from '../../src/compose.ts';
import { counted } from '../terminal/text.ts';
import type { Finding } from './findings.ts';

const CHECK = 'mail';
const LATE_MS = 60_000;

/** Connects and signs in, or looks at the folder; no mail is sent. */
export async function checkMail({ config, mailTransport, store, clock }: Core): Promise<Finding[]> {
  const { pending, rejected, abandoned } = await store.outbox.counts();
  if (mailTransport === null || config.mail === null) {
    const nobody = 'none is sent: people cannot confirm addresses or choose a forgotten password anew';
    const fix = 'add `mail` to the configuration (config/example.yaml)';
    if (pending === 0) return [{ check: CHECK, status: 'ok', found: nobody }];
    return [{ check: CHECK, status: 'warning', found: `${nobody}; ${counted(pending, 'mail')} waiting`, fix }];
  }
  const { route } = config.mail;
  const where = route.by === 'folder' ? route.folder : `${route.host}:${route.port}`;
  const findings: Finding[] = [];
  const fault = await mailTransport.check();
  if (fault === null) {
    const found =
      route.by === 'folder' ? `goes into ${where}` : `${where} takes mail${route.user ? ', signed in' : ''}`;
    findings.push({ check: CHECK, status: 'ok', found });
  } else {
    const fix =
      route.by === 'folder'
        ? 'see who owns the folder, and that there is room'
        : 'see that the server runs, and that its name, certificate, user and password are right';
    findings.push({ check: CHECK, status: 'problem', found: `${where} takes no mail: ${fault}`, fix });
  }
  if (rejected + abandoned > 0) {
    findings.push({
      check: CHECK,
      status: 'warning',
      found: `${counted(rejected + abandoned, 'mail')} did not arrive: ${rejected} refused, ${abandoned} given up`,
      fix: 'curfew mail list --status rejected (or abandoned); once what was wrong is mended, curfew mail retry',
    });
  }
  const due = await store.outbox.nextDueAt();
  if (due !== null && clock.now().getTime() - due.getTime() > LATE_MS) {
    const found = `${counted(pending, 'mail')} due, and nobody sends`;
    findings.push({ check: CHECK, status: 'warning', found, fix: 'start the server, or run curfew mail retry' });
  }
  return findings;
}
