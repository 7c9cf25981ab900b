/**
 * Questions to whoever sits at the terminal. The answer to anything but a plain yes is no; a secret is read without
 * being shown; Ctrl-C leaves without an answer.
 */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

import { Interrupted } from './outcome.ts';
import type { Terminal } from './terminal.ts';

/** Asks for a yes. */
export async function askYes(terminal: Terminal, question: string): Promise<boolean> {
  const answer = await askLine(terminal, `${question} [y/N] `, { hidden: false });
  return /^\s*y(es)?\s*$/i.test(answer);
}

/** Asks for a secret, which does not appear. */
export function askSecret(terminal: Terminal, question: string): Promise<string> {
  return askLine(terminal, `${question}: `, { hidden: true });
}

function askLine({ streams }: Terminal, prompt: string, { hidden }: { readonly hidden: boolean }): Promise<string> {
  const { stdin, stderr } = streams;
  const swallow = new Writable({ write: (_chunk, _encoding, done) => done() });
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: stdin, output: hidden ? swallow : stderr, terminal: true, historySize: 0 });
    let answer: string | undefined;
    lines.once('line', (line) => {
      answer = line;
      lines.close();
    });
    // The end of input is no answer either.
    lines.once('SIGINT', () => lines.close());
    lines.once('close', () => {
      if (hidden || answer === undefined) stderr.write('\n');
      if (answer === undefined) reject(new Interrupted('Nothing was changed.'));
      else resolve(answer);
    });
    // Only now that the terminal shows nothing any more: whoever sees the question may begin to type.
    if (hidden) stderr.write(prompt);
    else {
      lines.setPrompt(prompt);
      lines.prompt();
    }
  });
}
