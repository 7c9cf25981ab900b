/** Devices that wait for their owner, with believable content. */
import type { WaitingView } from '../../src/web/views.ts';

const at = (iso: string, text: string) => ({ iso, text });

export const nobodyWaiting: WaitingView = {
  reattachAction: '/account/security/devices/reattach',
  ignoreAction: '/account/security/devices/ignore',
  devices: [],
};

export const devicesWaiting: WaitingView = {
  ...nobodyWaiting,
  devices: [
    {
      userCode: 'WDJB-MJHT',
      app: 'Media library',
      device: 'Attic server',
      place: '203.0.113.24',
      askedAt: at('2026-06-11T18:02:11Z', '11 June 2026, 18:02:11 UTC'),
      firstUsedAt: at('2024-02-03T10:20:00Z', '3 February 2024, 10:20:00 UTC'),
    },
    {
      userCode: 'BCDF-GHJK',
      app: 'Lumen for the very large television set',
      device: 'TV in the living room on Samsung TV',
      saysItIs: 'curl on Linux',
      place: '2001:db8:85a3:8d3:1319:8a2e:370:7348',
      askedAt: at('2026-06-11T18:01:40Z', '11 June 2026, 18:01:40 UTC'),
      firstUsedAt: at('2025-12-24T19:00:00Z', '24 December 2025, 19:00:00 UTC'),
    },
  ],
};
