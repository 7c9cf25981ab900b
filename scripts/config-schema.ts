/**
 * Writes config/schema.json, by which editors complete and check configuration files, from the schema in src/config.ts.
 * With `--check`, writes nothing and fails if the file is not what it would write.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigSchema } from '../src/config.ts';

const path = new URL('../config/schema.json', import.meta.url);
const schema = z.toJSONSchema(ConfigSchema, { io: 'input', target: 'draft-7' });
const text = `${JSON.stringify(schema, null, 2)}\n`;

if (process.argv.includes('--check')) {
  if (readIfThere() !== text) {
    process.stderr.write('config/schema.json is not what src/config.ts says. Run: node scripts/config-schema.ts\n');
    process.exitCode = 1;
  }
} else {
  writeFileSync(path, text);
}

function readIfThere(): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
