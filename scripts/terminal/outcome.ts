/** How a command can end, apart from well. */

/** 0 done · 1 failed · 2 wrong usage or configuration · 3 done, deliveries still pending · 130 interrupted. */
export type ExitCode = 0 | 1 | 2 | 3 | 130;

/**
 * The command did not do what was asked, and nothing was changed. With exit code 2 because it was asked wrongly, names
 * that nobody knows included; with 1 because of how things stand: a name is taken, an account deleted, a password refused
 * by the policy. Both texts are for the operator.
 */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly exitCode: 1 | 2;
  readonly fix: string | undefined;
  constructor(message: string, { exitCode = 2, fix }: { readonly exitCode?: 1 | 2; readonly fix?: string } = {}) {
    super(message);
    this.exitCode = exitCode;
    this.fix = fix;
  }
}

/** Ctrl-C, or the end of input where an answer was asked for. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** What Ctrl-C does: leaves at once, or, while something `holds` it, asks that to come to its end. */
export type Interrupts = {
  /** From here on; before, and for the server, which stops in its own way, nothing is done. */
  listen(): void;
  hold<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result>;
};

/** `attach` is given what to call at each Ctrl-C. The second one leaves whatever is held. */
export function createInterrupts(attach: (press: () => void) => void, leave: (exitCode: 130) => void): Interrupts {
  const controller = new AbortController();
  let held = 0;
  return {
    listen() {
      attach(() => {
        if (held === 0 || controller.signal.aborted) leave(130);
        controller.abort();
      });
    },
    async hold(work) {
      held += 1;
      try {
        return await work(controller.signal);
      } finally {
        held -= 1;
      }
    },
  };
}
