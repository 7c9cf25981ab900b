/**
 * From a file to a configuration, or to everything that is wrong with it.
 *
 * Purpose: find the file, parse it, read the secret files it names, make paths absolute. Invariant: either the whole
 * configuration is right or none of it is used, and then every fault is told at once, without quoting a value. It refuses to know
 * what the keys are for (config.ts) and what to do about a refusal.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { checkClients, type ReadSecret } from './check-clients.ts';
import { checkConnections, type JudgeFiles, type ReadText } from './check-connections.ts';
import { checkMail } from './check-mail.ts';
import {
  type Config,
  type ConfigProblem,
  ConfigSchema,
  environment,
  isLoopbackHost,
  type StoreConfig,
} from '../config.ts';
import { explain } from './explain.ts';
import { isRefusal, parseStoreAddress } from './store-address.ts';

/** Where the configuration came from. */
export type ConfigSource = { from: 'option' | 'environment'; file: string } | { from: 'defaults'; file: null };

/** What came of reading. Warnings do not stop the start. */
export type ConfigReading =
  | { ok: true; config: Config; warnings: ConfigProblem[]; source: ConfigSource }
  | { ok: false; problems: ConfigProblem[]; source: ConfigSource };

export type ReadingOptions = {
  readonly file?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Says what is wrong with what the files of a SAML connection hold. Default: nothing is. */
  readonly judgeFiles?: JudgeFiles;
};

/**
 * Reads the configuration: `file` (from `--config`), else `$CURFEW_CONFIG`, else the built-in development defaults. Relative
 * paths in it are relative to the file's folder, or to `cwd` for the defaults. Never throws: an unreadable file is a problem too.
 */
export function readConfig(options: ReadingOptions = {}): ConfigReading {
  const { file, env = environment(), cwd = process.cwd(), judgeFiles = () => [] } = options;
  const source = findSource(file, env, cwd);
  const written: unknown = source.file === null ? {} : readYaml(source.file);
  if (written instanceof Unreadable) return { ok: false, problems: written.problems, source };

  const base = source.file === null ? cwd : dirname(source.file);
  const parsed = ConfigSchema.safeParse(written);
  // What the schema cannot see is looked for even in a file it refuses, so that one reading tells everything.
  const outline = (parsed.success ? parsed.data : (written ?? {})) as Outline;
  const { clients, problems, warnings } = checkClients(outline.clients, {
    allow: outline.outbound?.allow,
    readSecret: secretReader(base),
  });
  const checked = checkConnections(outline.connections, outline.clients, {
    readSecret: secretReader(base),
    readText: textReader(base),
    judgeFiles,
  });
  problems.push(...checked.problems);
  warnings.push(...checked.warnings);
  const issuer = outline.issuer ?? guessedIssuer(outline.listen);
  if (issuer === undefined) {
    const fix = 'add the address apps will use, for example issuer: https://id.example.org';
    problems.push({ path: 'issuer', problem: 'is missing, and cannot be guessed from listen', fix });
  }
  problems.push(...repeatedResources(outline.resources));
  const store = checkStore(outline, base);
  problems.push(...store.problems);
  const mail = checkMail(outline.mail, { base, readSecret: secretReader(base) });
  problems.push(...mail.problems);
  if (!parsed.success) problems.push(...explain(parsed.error, written, ConfigSchema));
  if (!parsed.success || typeof issuer !== 'string' || store.config === undefined || problems.length > 0)
    return refused(problems, source);

  const { storePasswordFile: _, ...data } = parsed.data;
  const config: Config = {
    ...data,
    issuer,
    store: store.config,
    keyringFile: resolve(base, data.keyringFile),
    mail: mail.config,
    clients,
    connections: checked.connections,
    resources: data.resources.map((resource) => ({ ...resource, audience: resource.audience ?? resource.identifier })),
  };
  return { ok: true, config, warnings, source };
}

/** Problems as lines for a terminal, each with its fix, under a heading that names the file. */
export function formatProblems(problems: readonly ConfigProblem[], source?: ConfigSource): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const heading = source?.file ? `${count} in ${source.file}` : `${count} in the configuration`;
  const lines = problems.map(
    ({ path, problem, fix }) => `  ${path === '' ? 'the file' : path}: ${problem}\n    fix: ${fix}`,
  );
  return [heading, ...lines].join('\n');
}

function refused(problems: ConfigProblem[], source: ConfigSource): ConfigReading {
  return {
    ok: false,
    problems: problems.sort((a, b) => a.path.localeCompare(b.path, 'en', { numeric: true })),
    source,
  };
}

function findSource(
  file: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
): ConfigSource {
  if (file !== undefined) return { from: 'option', file: resolve(cwd, file) };
  const { CURFEW_CONFIG: named } = env;
  return named ? { from: 'environment', file: resolve(cwd, named) } : { from: 'defaults', file: null };
}

type Outline = {
  issuer?: unknown;
  listen?: unknown;
  store?: unknown;
  storePasswordFile?: unknown;
  mail?: unknown;
  clients?: unknown;
  connections?: unknown;
  outbound?: { allow?: unknown } | null;
  resources?: unknown;
};

class Unreadable {
  readonly problems: ConfigProblem[];
  constructor(problems: ConfigProblem[]) {
    this.problems = problems;
  }
}

function readYaml(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const problem = `${file} cannot be read (${errorCode(cause)})`;
    return new Unreadable([{ path: '', problem, fix: 'name a file that exists and that Curfew may read' }]);
  }
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, stringKeys: true, logLevel: 'silent' });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    return new Unreadable(
      faults.map(({ code, pos }) => {
        const { line, col } = lineCounter.linePos(pos[0]);
        // The parser's own message may quote the line, and the line may hold a secret.
        const what = code.toLowerCase().replaceAll('_', ' ');
        const problem = `is not valid YAML at line ${line}, column ${col} (${what})`;
        return { path: '', problem, fix: 'look at that line and the one before: indentation, quotes, colons' };
      }),
    );
  }
  try {
    return (document.toJS() as unknown) ?? {};
  } catch {
    return new Unreadable([{ path: '', problem: 'uses aliases that cannot be resolved', fix: 'write the values out' }]);
  }
}

/** The store as the house opens it. What the schema alone refuses is left to the schema's own messages. */
function checkStore(
  { store: written, storePasswordFile: file }: Outline,
  base: string,
): { config?: StoreConfig; problems: ConfigProblem[] } {
  const store = ConfigSchema.shape.store.safeParse(written);
  if (!store.success) return { problems: [] };
  const address = parseStoreAddress(store.data);
  if (isRefusal(address)) return { problems: [] };
  const problem = (text: string, fix: string) => ({ problems: [{ path: 'storePasswordFile', problem: text, fix }] });
  const named = typeof file === 'string' && file !== '' ? file : undefined;
  if (address.engine === 'sqlite') {
    if (named !== undefined) return problem('is set, and SQLite has no password', 'leave it out');
    return { config: { engine: 'sqlite', path: resolve(base, address.path) }, problems: [] };
  }
  if (named === undefined) return { config: { ...address, password: undefined }, problems: [] };
  const { host } = /:\/\/(?:[^@/]*@)?(?<host>[^/]*)/.exec(address.url)?.groups ?? {};
  if (!address.url.includes('@')) {
    return problem('is set, and store names no user', `write mongodb://USER@${host}/…, or leave it out`);
  }
  const read = secretReader(base)(named);
  if ('problem' in read) return problem(read.problem, read.fix);
  return { config: { ...address, password: read.secret }, problems: [] };
}

function textReader(base: string): ReadText {
  return (file) => {
    const path = resolve(base, file);
    try {
      return { text: readFileSync(path, 'utf8') };
    } catch (cause) {
      return {
        problem: `${path} cannot be read (${errorCode(cause)})`,
        fix: 'correct the path, or put the file there',
      };
    }
  };
}

function secretReader(base: string): ReadSecret {
  return (file) => {
    const path = resolve(base, file);
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (cause) {
      const fix = 'create it with the secret on one line, or correct the path';
      return { problem: `${path} cannot be read (${errorCode(cause)})`, fix };
    }
    const secret = text.replace(/\r?\n$/, '');
    if (secret.trim() === '') return { problem: `${path} is empty`, fix: 'put the secret in it, on one line' };
    // RFC 6749 appendix A.2: a client secret is printable ASCII.
    if (/^[\x20-\x7e]+$/.test(secret)) return { secret };
    return {
      problem: `${path} holds more than one line of printable ASCII`,
      fix: 'put only the secret in it, on one line',
    };
  };
}

function guessedIssuer(written: unknown): string | undefined {
  const listen = ConfigSchema.shape.listen.safeParse(written);
  if (!listen.success) return ''; // Told by the schema; that there is no issuer is not known before it is put right.
  const { host, port } = listen.data;
  const hostname = host.includes(':') ? `[${host}]` : host;
  if (port === 0 || !isLoopbackHost(hostname)) return undefined;
  return new URL(`http://${hostname}:${port}`).origin;
}

function repeatedResources(written: unknown): ConfigProblem[] {
  if (!Array.isArray(written)) return [];
  const identifiers = written.map((resource: { identifier?: unknown } | null) => resource?.identifier);
  return identifiers.flatMap((identifier, at) => {
    const first = identifiers.indexOf(identifier);
    if (first === at || identifier === undefined) return [];
    const problem = `is already that of resources[${first}]`;
    return [{ path: `resources[${at}].identifier`, problem, fix: 'list each API once' }];
  });
}

const errorCode = (cause: unknown): string => (cause as NodeJS.ErrnoException).code ?? 'unknown error';
