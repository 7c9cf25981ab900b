/** Two nodes, a replica set, a proxy: each fault that could be made in how they are put together is told. */
import { describe, expect, test } from 'vitest';

import { faultsOf } from './docker-faults.ts';
import { planted } from './docker-files.ts';

/** In each file: what is replaced by what, and what must be said of it. */
const FAULTS: Record<string, [from: string | RegExp, to: string, complaint: string][]> = {
  'docker/compose.mongo.yaml': [
    ['secrets:/secrets:ro', 'proxy:/secrets:ro', 'its nodes have a keyring each'],
    ['secrets:/secrets:ro', 'secrets:/secrets', 'curfew2 could make another keyring than curfew1'],
    [`'secrets:/secrets'`, `'secrets:/secrets:ro'`, 'no node can make the keyring'],
    ['curfew1: { condition: service_healthy }', '{}', 'curfew2 does not wait until curfew1 has made the keyring'],
    [`'proxy:/data'`, `'proxy:/data', 'secrets:/keys:ro'`, 'proxy can read the keyring'],
    ['stop_grace_period: 20s', 'stop_grace_period: 10s', 'services.curfew2: it may be killed while it stops'],
    ['tmpfs: [/tmp, /data]', 'tmpfs: [/tmp]', 'services.curfew1: a nameless volume lies at /data'],
    ['tmpfs: [/tmp, /config]', 'tmpfs: [/config]', 'services.proxy: it has no /tmp to write to'],
    ['networks: [front, store]', 'networks: [front]', 'curfew1 cannot reach mongo1'],
    ['networks: [front, store]', 'networks: [store]', 'it shares no network with curfew1'],
    ['networks: [front, store]', 'networks: [front, stroe]', 'networks.stroe is named and not declared'],
    ['secrets: [mongo-curfew-password]', '', 'curfew1 is not given the secret mongo-curfew-password'],
    ['secrets: [mongo-curfew-password]', `ports: ['127.0.0.1:3000:3000']`, 'curfew1 can be reached past the proxy'],
    ['pull_policy: never', 'pull_policy: newer', 'services.curfew2.pull_policy: '],
    [
      'pull_policy: never',
      'configs: [{ source: proxy, target: /etc/curfew/curfew.yaml }]',
      'its nodes are not configured by one and the same file',
    ],
    ['service_completed_successfully', 'service_healthy', 'waits for the health of mongo-init, which has no check'],
    [
      'mongo-init: { condition',
      'mongo-start: { condition',
      'services.curfew1 waits for mongo-start, which is no service',
    ],
    [`restart: 'no'`, 'restart: unless-stopped', 'waits for the end of mongo-init, which is restarted'],
    [
      `['mongo3:/data/db']`,
      `['mongo3:/data/db']\n    depends_on: { curfew2: { condition: service_started } }`,
      'services.mongo3 waits for itself',
    ],
    ['service:mongo1', 'service:mongo2', 'replica-set.js does not run beside the first member'],
    ['service:mongo1', 'service:mongo9', 'services.mongo-init waits for mongo9, which is no service'],
    ['service:mongo1', 'service:mongo1\n    networks: [store]', 'it has networks beside network_mode'],
    ['service:mongo1', 'host', 'services.mongo-init.network_mode: must be service: and its name'],
    ['mongo:8.0.32-noble', 'mongo:8', 'mongo:8 is not an exact version'],
    ['caddy:2.11.7-alpine', 'caddy', 'caddy is not an exact version'],
    ['axllent/mailpit:v1.31.4', 'axllent/mailpit:latest', 'axllent/mailpit:latest is not an exact version'],
    ['--replSet rs0', '--replSet rs1', 'mongo1 is not of the replica set rs0'],
    ['--keyFile /tmp/keyfile', '', 'mongo1 asks nobody who they are'],
    [
      '/run/secrets/mongo-keyfile ',
      '/run/secrets/mongo-key ',
      'services.mongo1: /run/secrets/mongo-key is not mounted',
    ],
    ['/etc/mongo/replica-set.js]', '/etc/mongo/set.js]', 'services.mongo-init: /etc/mongo/set.js is not mounted'],
    ['mongo2:/data/db', 'mongo1:/data/db', 'two members share their data'],
    ['mongo2:/data/db', 'mongo2:/data', 'mongo2 keeps nothing'],
    ['store: { internal: true }', 'store:', 'mongo1 can be reached from outside'],
    ['secrets: [mongo-keyfile]', `ports: ['127.0.0.1:1:1']`, 'port 1 is published from a network that nothing enters'],
    ['127.0.0.1:8443:8443', '127.0.0.1:443:8443', 'nothing is published where the issuer says'],
    ['127.0.0.1:8443:8443', '0.0.0.0:8443:8443', 'port 8443 is open to other machines'],
    ['[NET_BIND_SERVICE]', '[NET_BIND_SERVICE, NET_ADMIN]', 'services.proxy: it is given capabilities'],
    ['file: ./secrets/mongo-keyfile', 'file: ./secrets/keyfile', 'there is no docker/secrets/keyfile'],
    ['file: ./config/Caddyfile', 'file: ./Caddyfile', 'there is no docker/Caddyfile'],
    ['mongo-keyfile: {', 'mongo-key: {', 'secrets.mongo-keyfile is named and not declared'],
    ['mongo-keyfile: {', 'mongo-key: {', 'secrets.mongo-key is declared and not used'],
    ['\n  proxy:\n  mongo1:', '\n  proxy:\n  spare:\n  mongo1:', 'volumes.spare is declared and not used'],
    ['x-hardened:', 'x-idle: &idle {}\n\nx-hardened:', 'nothing uses &idle'],
    ['*hardened', '*hardend', '*hardend stands for nothing'],
    ['test: [CMD, mongosh', 'test: [CMD-SHELL, mongosh', 'must be CMD and its words'],
    ['interval: 30s', 'interval: 30', 'healthcheck.interval'],
    ['interval: 30s', 'intervall: 30s', 'services.mongo1.healthcheck.intervall: unknown key'],
    ['exec curfew1 curfew account create', 'exec curfew1 curfew accounts', 'there is no command curfew accounts'],
  ],
  'docker/config/curfew.mongo.yaml': [
    ['trustProxy: 1', 'trustProxy: 0', 'behind a proxy if and only if its issuer is https'],
    ['trustProxy: 1', 'trustProxy: 2', 'one proxy stands in front, and trustProxy is 2'],
    ['curfew.localhost:8443', 'curfew.localhost:8444', 'nothing is published where the issuer says'],
    ['curfew.localhost:8443', 'curfew.localhost:8025', 'the proxy has no Caddyfile'],
    ['host: 0.0.0.0', 'host: 127.0.0.1', 'it listens where no other container can reach it'],
    ['curfew@mongo1', 'curfew:guess@mongo1', 'holds a password'],
    ['mongo1,mongo2,mongo3', 'mongo1,mongo2,mongo4', 'the store is looked for at mongo4, which is no service'],
    ['mongo1,mongo2,mongo3', 'mongo1,mongo3', 'not of mongo1,mongo3'],
    ['/curfew?', '/house?', 'replica-set.js makes no user curfew in house'],
    ['replicaSet=rs0', 'replicaSet=rs1', 'replica-set.js makes a set of another name than rs1'],
    [/store: .*/, 'store: sqlite:/data/curfew.db', 'SQLite has no password'],
    [/store: .*\n.*/, 'store: sqlite:/secrets/curfew.db', 'only one process writes to an embedded store'],
    ['/run/secrets/mongo-curfew', '/run/secrets/curfew', 'curfew1 is not given the secret curfew-password'],
    ['keyringFile: /secrets/', 'keyringFile: /keys/', 'curfew2 keeps no volume for /keys/keyring.json'],
    ['smtp://mail', 'smtp://curfew:guess@mail', 'mail.url: holds a password'],
  ],
  'docker/config/Caddyfile': [
    ['https://curfew.localhost:8443 {', 'https://id.localhost:8443 {', 'does not serve https://curfew.localhost:8443'],
    ['curfew1:3000 curfew2:3000', 'curfew1:3000', 'it does not lead to curfew1:3000 curfew2:3000'],
    ['curfew1:3000 curfew2:3000', 'curfew1:3000 curfew2:3001', 'it does not lead to curfew1:3000 curfew2:3000'],
    ['lb_policy round_robin', 'lb_policy cookie', 'it sends some requests to one node rather than another'],
    ['lb_policy round_robin', 'lb_policy ip_hash', 'it sends some requests to one node rather than another'],
    ['/readyz', '/healthz', 'it does not ask whether a node is ready'],
    ['tls internal', '', 'it would ask the world for a certificate'],
    ['fail_duration 5s', 'header_up X-Forwarded-For {remote}', 'it changes whom X-Forwarded-For is believed from'],
    ['admin off', 'servers {\n trusted_proxies static private_ranges\n }', 'it changes whom X-Forwarded-For'],
  ],
  'docker/config/replica-set.js': [
    [
      `'mongo3:27017'`,
      `'mongo4:27017'`,
      'replica-set.js makes a set of mongo1,mongo2,mongo4, not of mongo1,mongo2,mongo3',
    ],
    [`NAME = 'rs0'`, `NAME = 'rs1'`, 'replica-set.js makes a set of another name than rs0'],
    [`user: 'curfew'`, `user: 'house'`, 'replica-set.js makes no user curfew in curfew'],
    [`'mongo-admin-password'`, `'mongo-root'`, 'replica-set.js is not given the secret mongo-root'],
  ],
};

describe.each(Object.entries(FAULTS))('a fault in %s is told:', (path, faults) => {
  const each = faults.map(([from, to, complaint]) => ({ from, to, complaint }));
  test.each(each)('$complaint', async ({ from, to, complaint }) => {
    expect(await faultsOf(planted(path, from, to))).toContainEqual(expect.stringContaining(complaint));
  });
});
