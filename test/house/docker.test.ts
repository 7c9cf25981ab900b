/** The container files say one thing, and each fault that somebody could make in them is told. */
import { describe, expect, test } from 'vitest';

import { faultsOf } from './docker-faults.ts';
import { DOCKERFILE, MADE_BY_THE_READER, planted, shipped } from './docker-files.ts';
import { parseIgnore } from './docker-ignore.ts';

test('there is no fault in the container files', async () => {
  expect(await faultsOf(shipped)).toEqual([]);
});

test('what the reader makes is neither sent to the builder nor committed', () => {
  const builder = parseIgnore(shipped.read('.dockerignore'));
  const repository = shipped.read('.gitignore').split('\n');
  for (const path of MADE_BY_THE_READER) {
    expect(builder.ignores(path)).toBe(true);
    expect(path.split('/').some((part) => repository.includes(`${part}/`))).toBe(true);
  }
});

/** In each file: what is replaced by what, and what must be said of it. */
const FAULTS: Record<string, [from: string | RegExp, to: string, complaint: string][]> = {
  [DOCKERFILE]: [
    ['USER 1000:1000', 'USER 0:0', 'the container would run as root'],
    ['USER 1000:1000', '', 'the container would run as root'],
    ['USER 1000:1000', 'USER node', 'USER node is not a user and a group by number'],
    ['node:24.21.0-trixie-slim', 'node:latest', 'node:latest is neither a stage before it nor an exact version'],
    ['node:24.21.0-trixie-slim', 'node:24-slim', 'node:24-slim is neither a stage before it nor an exact version'],
    ['node:24.21.0-trixie-slim', 'node:24.20.0-trixie-slim', 'is not Node 24.21.0, which package.json pins'],
    ['FROM base AS program', 'FROM bass AS program', 'bass is neither a stage before it nor an exact version'],
    ['--from=compiled', '--from=complied', 'there is no stage complied before it'],
    [/^COPY --from=compiled .*$/m, '', 'nothing uses the stage compiled'],
    ['COPY views views/', 'COPY view views/', 'there is no view to copy'],
    ['COPY views views/', 'COPY test test/', '.dockerignore keeps test from the builder'],
    ['COPY views views/', 'COPI views views/', 'COPI is not an instruction that this check understands'],
    [/^HEALTHCHECK [^]*?\]$/m, '', 'HEALTHCHECK is not by node'],
    ['CMD ["node", "-e"', 'CMD ["curl", "-f"', 'HEALTHCHECK is not by node'],
    ['127.0.0.1:3000', '127.0.0.1:3001', 'HEALTHCHECK does not ask the one port of EXPOSE'],
    ['CMD ["node", "src/main.ts"]', 'CMD node src/main.ts', 'CMD is run by a shell'],
    ['CMD ["node", "src/main.ts"]', 'CMD ["node", "src/main.js"]', 'it starts src/main.js, which it does not hold'],
    ['CMD ["node", "src/main.ts"]', 'CMD ["node", "src/main.ts"', 'CMD is not a JSON list'],
    ['ENTRYPOINT []', '', "the base image's ENTRYPOINT is left to guess"],
    ['/app/scripts/curfew.ts ', '/app/curfew.ts ', 'curfew stands for /app/curfew.ts, which it does not hold'],
    ['CURFEW_CONFIG=/etc/curfew/', 'CURFEW_CONFIG=/etc/', 'CURFEW_CONFIG names no file that it holds'],
    ['node /data /secrets', 'node /data', 'nobody makes /secrets and its owner before VOLUME'],
    ['RUN curfew --version', 'RUN curfew verify', 'there is no command curfew verify'],
    ['IMAGE curfew account list', 'IMAGE curfew account lists', 'there is no command curfew account lists'],
  ],
  '.dockerignore': [
    ['!views', '', '.dockerignore keeps views from the builder'],
    ['!views', '!viewz', 'there is no viewz'],
    ['!views', '!views\n!docs', 'nothing copies docs'],
    ['!scripts/curfew.ts', '', '.dockerignore keeps scripts/curfew.ts from the builder'],
    ['!src', '!src\n**/*.ts', '.dockerignore keeps src from the builder'],
  ],
  'docker/compose.yaml': [
    ['read_only: true', 'read_onyl: true', 'services.curfew.read_onyl: unknown key'],
    ['read_only: true', 'read_only: false', 'services.curfew: its root can be written'],
    ['read_only: true', 'read_only: true\n    privileged: true', 'services.curfew.privileged: unknown key'],
    ['read_only: true', 'read_only: true\n    read_only: true', 'Map keys must be unique'],
    ['cap_drop: [ALL]', '', 'services.curfew: it keeps capabilities'],
    ['cap_drop: [ALL]', 'cap_drop: [ALL]\n    cap_add: [SYS_ADMIN]', 'services.curfew: it is given capabilities'],
    [/security_opt: .*/, '', 'services.curfew: it may gain privileges'],
    ['tmpfs: [/tmp]', '', 'services.curfew: it has no /tmp to write to'],
    ['init: true', '', 'services.curfew: a signal that comes too early is lost on it'],
    ['stop_grace_period: 20s', '', 'services.curfew: it may be killed while it stops'],
    ['stop_grace_period: 20s', 'stop_grace_period: 12s', 'services.curfew: it may be killed while it stops'],
    ['restart: unless-stopped', '', 'services.curfew: nothing says whether it is restarted'],
    ['restart: unless-stopped', 'restart: allways', 'services.curfew.restart: '],
    ['restart: unless-stopped', 'restart: unless-stopped\n    user: root', 'it is made to run as root'],
    ['restart: unless-stopped', "restart: 'no'\n    user: '33:33'", 'whom the image prepares its volumes for'],
    ['127.0.0.1:3000:3000', '3000:3000', 'port 3000 is open to other machines'],
    ['127.0.0.1:3000:3000', '127.0.0.1:3001:3000', 'nothing is published where the issuer says'],
    ['curfew:0.1.0', 'curfew:latest', 'curfew:latest is not an exact version'],
    ['curfew:0.1.0', 'curfew:0.0.9', 'curfew:0.0.9 is not the version of package.json'],
    ['dockerfile: docker/Dockerfile', 'dockerfile: Dockerfile', 'there is no Dockerfile'],
    ['context: ..', 'context: .', 'the build context . is not the repository'],
    ['file: ./config/curfew.yaml', 'file: ./curfew.yaml', 'there is no docker/curfew.yaml'],
    ['source: curfew,', 'source: curfw,', 'configs.curfw is named and not declared'],
    ['source: curfew,', 'source: curfw,', 'configs.curfew is declared and not used'],
    ['target: /etc/curfew/curfew.yaml', 'target: /etc/curfew.yaml', 'services.curfew: nothing configures it'],
    ['- secrets:/secrets', '- data:/secrets', 'volumes.secrets is declared and not used'],
    ['- secrets:/secrets', '- data:/secrets', 'keeps its data and its keyring in one volume'],
    ['- secrets:/secrets', '- secrets:/secrets:ro', 'no node can make the keyring'],
    ['- data:/data', '- data:/var/data', 'a nameless volume lies at /data'],
    ['- data:/data', '- data:/var/data', 'curfew keeps no volume for /data/curfew.db'],
    ['  data:\n', '', 'volumes.data is named and not declared'],
    ['init: true', 'init: true\n    command: [node, src/server.js]', 'the image holds no node src/server.js'],
    ['init: true', 'init: true\n    command: [kurfew, serve]', 'the image holds no kurfew serve'],
    ['init: true', 'init: true\n    environment: { ADMIN_PASSWORD: a }', 'puts a secret into the environment'],
    ['exec curfew curfew account create', 'exec curfew curfew acount', 'there is no command curfew acount'],
    ['-f docker/compose.yaml up', '-f docker/compose.yml up', 'there is no docker/compose.yml'],
  ],
  'docker/config/curfew.yaml': [
    ['trustProxy: 0', 'trustProxy: 1', 'behind a proxy if and only if its issuer is https'],
    ['trustProxy: 0', 'trustProxies: 0', 'did you mean trustProxy'],
    ['host: 0.0.0.0', 'host: 127.0.0.1', 'it listens where no other container can reach it'],
    ['port: 3000', 'port: 3001', 'it does not listen on port 3000'],
    ['keyringFile: /secrets/', 'keyringFile: /keys/', 'curfew keeps no volume for /keys/keyring.json'],
    ['config/schema.json', 'schema.json', 'there is no ../../schema.json'],
  ],
};

describe.each(Object.entries(FAULTS))('a fault in %s is told:', (path, faults) => {
  const each = faults.map(([from, to, complaint]) => ({ from, to, complaint }));
  test.each(each)('$complaint', async ({ from, to, complaint }) => {
    expect(await faultsOf(planted(path, from, to))).toContainEqual(expect.stringContaining(complaint));
  });
});
