/** Commands that the container files tell a reader, or a builder, to run: each must be one that there is. */
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';

import { run } from '../../scripts/commands/program.ts';
import { createInterrupts } from '../../scripts/terminal/outcome.ts';
import type { Files } from './docker-files.ts';

/** The operator's command where it stands as one: after an image, a service, or RUN. */
const OPERATORS = /(?:IMAGE|\b(?:exec|run)(?: -\S+)* \S+|^RUN) curfew((?: [a-z][a-z-]*)+)/gm;
const SCRIPTS = /npm run ([\w:-]+)/g;
const COMPOSE = /docker compose -f (\S+)/g;

export async function commandFaults(path: string, files: Files): Promise<string[]> {
  const written = files.read(path);
  const { scripts } = JSON.parse(files.read('package.json')) as { scripts: Record<string, string> };
  const faults: string[] = [];
  for (const [, words = ''] of written.matchAll(OPERATORS)) {
    if (!(await isCommand(words.trim().split(' ')))) faults.push(`there is no command curfew${words}`);
  }
  for (const [, script = ''] of written.matchAll(SCRIPTS)) {
    if (!(script in scripts)) faults.push(`there is no npm script ${script}`);
  }
  for (const [, file = ''] of written.matchAll(COMPOSE)) if (!files.exists(file)) faults.push(`there is no ${file}`);
  return faults.map((fault) => `${path}: ${fault}`);
}

/** Help for a command that there is shows how it is used; for another it shows how all of them are. */
async function isCommand(words: readonly string[]): Promise<boolean> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  stdin.end();
  const said = text(stdout);
  const interrupts = createInterrupts(
    () => undefined,
    () => undefined,
  );
  const code = await run([...words, '--help'], { stdin, stdout, stderr, env: {} }, interrupts);
  stdout.end();
  return code === 0 && (await said).startsWith(`Usage: curfew ${words.join(' ')} `);
}
