/**
 * A compose file as Docker Compose would read it, in the part of the Compose Specification that ours use.
 *
 * Invariant: a key that is not described here is a fault, never ignored, so that a mistyped one cannot pass for one that is
 * in force. It refuses to know what the services are (docker-compose-faults.ts).
 */
import { visit, parseDocument } from 'yaml';
import { z } from 'zod';

const Name = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'must be a plain name');
const Absolute = z.string().regex(/^\/[^\s:]*$/, 'must be an absolute path');
const Relative = z.string().regex(/^\.{1,2}(\/[^\s:]+)*$/, 'must be a relative path');
const Duration = z.string().regex(/^\d+(ms|s|m|h)$/, 'must be a number and a unit');
const Words = z.array(z.string().min(1)).min(1);

const Service = z.strictObject({
  image: z.string().min(1),
  build: z.strictObject({ context: Relative, dockerfile: z.string().min(1) }).optional(),
  pull_policy: z.literal('never').optional(),
  restart: z.enum(['unless-stopped', 'no']).optional(),
  init: z.literal(true).optional(),
  user: z.string().min(1).optional(),
  stop_grace_period: Duration.optional(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.literal('ALL')).optional(),
  cap_add: z.array(z.string()).optional(),
  security_opt: z.array(z.literal('no-new-privileges:true')).optional(),
  tmpfs: z.array(Absolute).optional(),
  environment: z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string()).optional(),
  command: Words.optional(),
  healthcheck: z
    .strictObject({
      test: Words.refine(([how]) => how === 'CMD', 'must be CMD and its words'),
      interval: Duration.optional(),
      timeout: Duration.optional(),
      start_period: Duration.optional(),
      start_interval: Duration.optional(),
    })
    .optional(),
  networks: z.array(Name).optional(),
  network_mode: z
    .string()
    .regex(/^service:[a-z0-9-]+$/, 'must be service: and its name')
    .optional(),
  ports: z.array(z.string().regex(/^([\d.]+:)?\d+:\d+$/, 'must be ADDRESS:PORT:PORT')).optional(),
  configs: z.array(z.strictObject({ source: Name, target: Absolute })).optional(),
  secrets: z.array(Name).optional(),
  volumes: z
    .array(z.string().regex(/^[a-z0-9-]+:\/[^\s:]+(:ro)?$/, 'must be VOLUME:/PATH or VOLUME:/PATH:ro'))
    .optional(),
  depends_on: z
    .record(
      Name,
      z.strictObject({ condition: z.enum(['service_started', 'service_healthy', 'service_completed_successfully']) }),
    )
    .optional(),
});

const File = z.strictObject({ file: Relative });

const ComposeFile = z.strictObject({
  name: Name,
  services: z.record(Name, Service),
  configs: z.record(Name, File).default({}),
  secrets: z.record(Name, File).default({}),
  networks: z.record(Name, z.strictObject({ internal: z.literal(true).optional() }).nullable()).default({}),
  volumes: z.record(Name, z.null()).default({}),
});

export type ComposeService = z.output<typeof Service>;
export type ComposeFile = z.output<typeof ComposeFile>;

/** The file, or why it is none. */
export function readCompose(text: string): { readonly file?: ComposeFile; readonly faults: string[] } {
  const document = parseDocument(text, { merge: true, stringKeys: true, prettyErrors: true });
  const faults = [...document.errors, ...document.warnings].map(({ message }) => message);
  if (faults.length > 0) return { faults };

  const anchors = new Set<string>();
  const aliases = new Set<string>();
  visit(document, {
    Alias: (_key, { source }) => void aliases.add(source),
    Node: (_key, node) => void ('anchor' in node && node.anchor !== undefined && anchors.add(node.anchor)),
  });
  for (const anchor of anchors) if (!aliases.has(anchor)) faults.push(`nothing uses &${anchor}`);
  for (const alias of aliases) if (!anchors.has(alias)) faults.push(`*${alias} stands for nothing`);
  if (faults.length > 0) return { faults };

  const written = document.toJS() as Record<string, unknown>;
  // What begins with x- holds parts for others, and is checked where it is used.
  const effective = Object.fromEntries(Object.entries(written).filter(([key]) => !key.startsWith('x-')));
  const parsed = ComposeFile.safeParse(effective);
  if (parsed.success) return { file: parsed.data, faults };
  return {
    faults: parsed.error.issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => `${[...issue.path, key].join('.')}: unknown key`)
        : [`${issue.path.join('.')}: ${issue.message}`],
    ),
  };
}

export type Mount = { readonly volume: string; readonly path: string; readonly readOnly: boolean };

export function mountsOf({ volumes = [] }: ComposeService): Mount[] {
  return volumes.map((text) => {
    const [volume = '', path = '', mode] = text.split(':');
    return { volume, path, readOnly: mode === 'ro' };
  });
}

export type Published = { readonly address: string | null; readonly outside: number; readonly inside: number };

export function portsOf({ ports = [] }: ComposeService): Published[] {
  return ports.map((text) => {
    const [inside, outside, address] = text.split(':').toReversed();
    return { address: address ?? null, outside: Number(outside), inside: Number(inside) };
  });
}
