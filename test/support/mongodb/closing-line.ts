/** The last line of a test run without a MongoDB server: half of the promises were tested on one engine only. */
import type { Reporter, Vitest } from 'vitest/node';

export function closingLine(): Reporter {
  let vitest: Vitest | undefined;
  return {
    onInit(running) {
      vitest = running;
    },
    onTestRunEnd() {
      vitest?.logger.log(
        'The MongoDB suite did not run: there is no server. Either run test/support/mongodb/obtain.sh, or put mongod on the PATH, or name one in CURFEW_TEST_MONGODB_URL.',
      );
    },
  };
}
