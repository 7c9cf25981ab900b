/**
 * The keyring of several processes: it is rotated by command while all of them serve, nobody is refused anything, and nobody is
 * restarted for it. Afterwards no process needs the old key, whether it has seen the rotation or starts after it.
 */
import { expect, test } from 'vitest';

import { loadKeyring } from '../../src/platform/keyring.ts';
import { cluster } from './cluster.ts';
import { startTraffic } from './traffic.ts';

test(
  'a rotation under traffic: every promise is kept, and nothing is left of the old key',
  { timeout: 120_000 },
  async () => {
    const house = await cluster({ processes: 2 });
    try {
      // The operator's hand makes people, and is a process like any other.
      house.core.sealingKeyWatch.start();
      const traffic = await startTraffic(house, { patient: false });
      await traffic.until(() => traffic.counts.refreshes > 20);
      const rotation = { over: false };
      const rotating = house.command('keyring', 'rotate', '--yes', '--json').finally(() => (rotation.over = true));
      const before = traffic.counts.refreshes;
      while (!rotation.over) {
        const next = traffic.counts.refreshes + 10;
        await traffic.until(() => rotation.over || traffic.counts.refreshes >= next);
      }
      expect(traffic.counts.refreshes).toBeGreaterThan(before);
      const rotated = await rotating;
      expect(rotated).toMatchObject({ code: 0, stderr: '' });
      expect(rotated.json()).toMatchObject({ version: 2, removed: [1], left: [] });
      await traffic.stop();

      for (const { logged } of house.processes) {
        expect(logged.map(({ event }) => event)).toContain('keyring.sealing-key-changed');
        expect(logged.filter(({ level }) => level === 'error')).toEqual([]);
      }
      expect(loadKeyring(house.core.config.keyringFile).keys.map(({ version }) => version)).toEqual([2]);
      const old: string[] = [];
      for (const { name } of await house.db.listCollections({}, { nameOnly: true }).toArray()) {
        for await (const document of house.db.collection(name).find()) {
          if (JSON.stringify(document).includes('v1.1.')) old.push(`${name} ${String(document._id)}`);
        }
      }
      expect(old).toEqual([]);
      for (const each of house.processes) {
        await each.stop();
        await each.start();
      }
      await traffic.expectKept();
    } finally {
      await house.stop();
    }
  },
);
