/** What a command does: a process of its own signs an account out on the store of a running server, and ends. */
import { composeCore } from '../../src/compose.ts';
import { readConfig } from '../../src/config/read.ts';
import { createLog } from '../../src/platform/log.ts';
import { REASONS } from '../../src/revocation/sign-out.ts';

const [file, accountId = ''] = process.argv.slice(2);
const reading = readConfig({ file, env: {} });
if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
const core = await composeCore(reading.config, createLog({ level: 'error', destination: 'stderr' }));
await core.signOuts.signOut({
  scope: { kind: 'account', accountId },
  reason: REASONS.operator,
  actor: { kind: 'operator' },
});
// Committed: from here on nothing may be accepted, although this process goes on tidying up.
process.stdout.write('signed out\n');
await core.close();
