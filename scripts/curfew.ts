#!/usr/bin/env node
/** `curfew …`: turns the compile cache on before anything large is loaded, then runs the command line. */
import { enableCompileCache } from 'node:module';

enableCompileCache();
const [{ run }, { createInterrupts }] = await Promise.all([
  import('./commands/program.ts'),
  import('./terminal/outcome.ts'),
]);
const { stdin, stdout, stderr, env } = process;
// The reader of a pipe has seen enough (`curfew account list | head`).
stdout.on('error', (fault: NodeJS.ErrnoException) => {
  if (fault.code !== 'EPIPE') throw fault;
  process.exit(0);
});
const interrupts = createInterrupts(
  (press) => process.on('SIGINT', press),
  (exitCode) => process.exit(exitCode),
);
process.exitCode = await run(process.argv.slice(2), { stdin, stdout, stderr, env }, interrupts);
