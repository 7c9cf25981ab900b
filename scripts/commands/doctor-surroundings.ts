/** What `doctor` looks at around the house: a file that came with it, and whether people can reach it. */
import { openBlocklist } from '../../src/compose.ts';
import type { Finding } from './findings.ts';

const PATIENCE_MS = 3000;

export function checkBlocklist(): Finding {
  const check = 'blocklist';
  try {
    openBlocklist().has('x');
    return { check, status: 'ok', found: 'the list of breached passwords can be read' };
  } catch (fault) {
    const found = fault instanceof Error ? fault.message : String(fault);
    return { check, status: 'problem', found, fix: 'install config/password-blocklist.bin again' };
  }
}

/** Asks for the discovery document where apps will ask for it (OpenID Connect Discovery §4). */
export async function checkIssuer(issuer: string): Promise<Finding> {
  const check = 'issuer';
  const fix = 'start it with curfew serve; if it runs, see what stands in front of it';
  let answer: Response;
  try {
    answer = await fetch(`${issuer}/.well-known/openid-configuration`, {
      signal: AbortSignal.timeout(PATIENCE_MS),
      redirect: 'manual',
      headers: { accept: 'application/json' },
    });
  } catch (fault) {
    return { check, status: 'warning', found: `nobody answers at ${issuer} (${reasonOf(fault)})`, fix };
  }
  const said = await answer.json().then(
    (body: unknown) => (body as { issuer?: unknown } | null)?.issuer,
    () => undefined,
  );
  if (answer.status === 200 && said === issuer) return { check, status: 'ok', found: `${issuer} answers` };
  if (answer.status >= 500) {
    return { check, status: 'problem', found: `${issuer} answers with status ${answer.status}`, fix };
  }
  return {
    check,
    status: 'problem',
    found: `${issuer} answers, and is not this Curfew (status ${answer.status})`,
    fix: 'correct `issuer`, or what the proxy in front sends here',
  };
}

function reasonOf(fault: unknown): string {
  if (fault instanceof Error && fault.name === 'TimeoutError') return `not within ${PATIENCE_MS / 1000} s`;
  const cause = fault instanceof Error ? fault.cause : undefined;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  return code ?? 'no connection';
}
