/** A last line of a test run: what it did not test, for want of something that can be had. */
import type { Reporter, Vitest } from 'vitest/node';

export function closingLine(line: string): Reporter {
  let vitest: Vitest | undefined;
  return {
    onInit(running) {
      vitest = running;
    },
    onTestRunEnd() {
      vitest?.logger.log(line);
    },
  };
}
