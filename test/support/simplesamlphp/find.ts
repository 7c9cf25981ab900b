/** Where the tests find SimpleSAMLphp, and a PHP to run it with. It looks and starts nothing; that there may be none is an answer too. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type FoundSimplesamlphp = {
  /** A program that takes PHP's options. */
  readonly php: string;
  /** What a web server serves. */
  readonly documentRoot: string;
};

/** Where obtain.sh puts both. */
const OBTAINED = fileURLToPath(new URL('../../../node_modules/.cache/curfew-simplesamlphp/1.19', import.meta.url));

export function findSimplesamlphp(obtained = OBTAINED): FoundSimplesamlphp | undefined {
  const php = join(obtained, 'php');
  try {
    accessSync(php, constants.X_OK);
  } catch {
    return undefined;
  }
  return { php, documentRoot: join(obtained, 'usr/share/simplesamlphp/www') };
}
