/** Incidents as their reports are made from: of nobody much, of a few, of very many, and of one that went wrong. */
import type { IncidentReport } from '../../src/web/incident-report.ts';

const BEGIN = Date.parse('2026-11-23T22:41:07Z');
const after = (seconds: number): Date => new Date(BEGIN + seconds * 1000);

const base: IncidentReport = {
  id: 'inc_5e0b7c1f9a2d4e6f8b01',
  reason: 'Credential stuffing from a leaked list',
  actor: 'operator mira on ops-2',
  openedAt: after(0),
  finishedAt: after(95),
  status: 'done',
  cohort: 'Everyone',
  accounts: { total: 12, done: 12, failed: 0, skipped: 0 },
  steps: [
    {
      name: 'end-access',
      words: 'End all access',
      status: 'done',
      startedAt: after(1),
      finishedAt: after(1.4),
      done: 1,
      total: 0,
      failed: 0,
    },
    {
      name: 'check',
      words: 'Check every account',
      status: 'done',
      startedAt: after(2),
      finishedAt: after(3),
      done: 12,
      total: 12,
      failed: 0,
    },
  ],
  samples: [],
  deliveries: { pending: 0, delivered: 0, rejected: 0, abandoned: 0 },
  clients: [],
  mails: null,
  timeline: { deliveries: [], mails: [] },
  byHand: [],
  failures: [],
  check: { at: after(3), lookedAt: 12, missed: 0 },
  record: null,
};

/** So many in `seconds`, fast at first: as a queue empties. */
function emptying(total: number, seconds: number, spans: number) {
  const until = (nth: number): number => Math.round(total * (1 - (1 - nth / spans) ** 2));
  return Array.from({ length: spans }, (_, nth) => ({
    at: after((seconds * (nth + 1)) / spans),
    count: until(nth + 1) - until(nth),
  }));
}

const few: IncidentReport = {
  ...base,
  status: 'running',
  finishedAt: null,
  cohort: 'Accounts of connection corp, created before 2026-11-20 00:00:00 UTC',
  accounts: { total: 240, done: 180, failed: 1, skipped: 3 },
  steps: [
    {
      name: 'contain',
      words: 'Contain accounts',
      status: 'running',
      startedAt: after(1),
      finishedAt: null,
      done: 180,
      total: 240,
      failed: 1,
    },
    {
      name: 'check',
      words: 'Check every account',
      status: 'waiting',
      startedAt: null,
      finishedAt: null,
      done: 0,
      total: 240,
      failed: 0,
    },
    {
      name: 'notify',
      words: 'Write to people',
      status: 'waiting',
      startedAt: null,
      finishedAt: null,
      done: 0,
      total: 240,
      failed: 0,
    },
  ],
  samples: Array.from({ length: 10 }, (_, nth) => ({
    step: 'contain',
    at: after(2 + nth * 1.5),
    done: 18 * (nth + 1),
  })),
  deliveries: { pending: 41, delivered: 260, rejected: 2, abandoned: 0 },
  clients: [
    {
      id: 'player',
      name: 'Lumen Player',
      delivered: 180,
      pending: 0,
      rejected: 0,
      abandoned: 0,
      sessions: 201,
      endpoint: true,
    },
    {
      id: 'attic',
      name: 'Attic media server, on the third floor of the old building behind the harbour',
      delivered: 80,
      pending: 41,
      rejected: 2,
      abandoned: 0,
      sessions: 123,
      endpoint: true,
    },
    { id: 'tv', name: 'Lumen TV', delivered: 0, pending: 0, rejected: 0, abandoned: 0, sessions: 44, endpoint: false },
  ],
  mails: { pending: 120, sent: 60, rejected: 0, abandoned: 0 },
  timeline: { deliveries: emptying(260, 15, 15), mails: emptying(60, 14, 5) },
  failures: [{ accountId: '3vJ0m8c1Qx2bT5nR7wYzLA', why: 'deleted meanwhile' }],
  check: null,
};

const TOTAL = 1_000_000;
const many: IncidentReport = {
  ...base,
  finishedAt: after(4 * 3600 + 812),
  reason: 'The password database of a supplier was published on 23 November',
  cohort: 'Every account created before 2026-11-23 22:00:00 UTC',
  accounts: { total: TOTAL, done: 999_377, failed: 611, skipped: 12 },
  steps: [
    {
      name: 'end-access',
      words: 'End all access',
      status: 'done',
      startedAt: after(1),
      finishedAt: after(1.2),
      done: 1,
      total: 0,
      failed: 0,
    },
    {
      name: 'contain',
      words: 'Require new passwords',
      status: 'done',
      startedAt: after(2),
      finishedAt: after(1260),
      done: 999_377,
      total: TOTAL,
      failed: 611,
    },
    {
      name: 'check',
      words: 'Check every account',
      status: 'done',
      startedAt: after(1262),
      finishedAt: after(1390),
      done: TOTAL,
      total: TOTAL,
      failed: 0,
    },
    {
      name: 'signing-keys',
      words: 'Replace signing keys',
      status: 'done',
      startedAt: after(1391),
      finishedAt: after(1392),
      done: 1,
      total: 0,
      failed: 0,
    },
    {
      name: 'client-secrets',
      words: 'Replace secrets of apps',
      status: 'done',
      startedAt: after(1393),
      finishedAt: after(1401),
      done: 188,
      total: 188,
      failed: 0,
    },
    {
      name: 'notify',
      words: 'Write to people',
      status: 'done',
      startedAt: after(1402),
      finishedAt: after(4 * 3600 + 800),
      done: 998_204,
      total: TOTAL,
      failed: 1173,
    },
  ],
  samples: Array.from({ length: 240 }, (_, nth) => ({
    step: 'contain',
    at: after(2 + (nth + 1) * 5.2),
    done: Math.round(999_377 * ((nth + 1) / 240) ** 0.85),
  })),
  deliveries: { pending: 1204, delivered: 2_713_902, rejected: 5120, abandoned: 9871 },
  clients: Array.from({ length: 200 }, (_, nth) => ({
    id: `app-${String(nth).padStart(3, '0')}`,
    name: `Northern Lights ${nth}`,
    delivered: nth % 41 === 3 ? 0 : 13_000 + ((nth * 7919) % 4000),
    pending: nth % 50 === 7 ? 301 : 0,
    rejected: nth % 40 === 5 ? 1024 : 0,
    abandoned: nth % 41 === 3 ? 1974 : 0,
    sessions: nth % 29 === 28 ? null : 13_900 + nth,
    endpoint: nth % 60 !== 59,
  })),
  mails: { pending: 0, sent: 997_031, rejected: 802, abandoned: 371 },
  timeline: { deliveries: emptying(2_713_902, 3 * 3600, 900), mails: emptying(997_031, 4 * 3600, 480) },
  byHand: [
    '611 accounts have no mail address: give them a new password by `curfew account set-password`.',
    'Secrets in the configuration file are changed by hand: attic, billing.',
  ],
  failures: Array.from({ length: 500 }, (_, nth) => ({
    accountId: `${String(nth).padStart(4, '0')}Qx2bT5nR7wYzLAc1k`,
    why: nth % 7 === 0 ? 'not contained' : 'no mail address',
  })),
  check: { at: after(1390), lookedAt: 999_988, missed: 0 },
  record: {
    seq: 4_118_203,
    hash: '9c1185a5c5e9fc54612808977ee8f548b2258d31a4f0b7e0d5a1f0d3c2b1a09f',
    at: after(4 * 3600 + 820),
  },
};

const awkward: IncidentReport = {
  ...few,
  status: 'interrupted',
  reason: `Somebody's "quick" test of <b>${'everything at once '.repeat(12)}</b>`,
  cohort: 'A list of 240 accounts',
  check: { at: after(200), lookedAt: 240, missed: 7 },
  clients: [
    {
      id: 'one',
      name: 'A'.repeat(120),
      delivered: 0,
      pending: 3,
      rejected: 4,
      abandoned: 5,
      sessions: 12,
      endpoint: true,
    },
    { id: 'two', name: 'נגן', delivered: 1, pending: 1, rejected: 1, abandoned: 1, sessions: 4, endpoint: true },
  ],
  // Within one moment, and over a week.
  samples: [{ step: 'contain', at: after(1), done: 180 }],
  timeline: {
    deliveries: [0, 1, 2, 3, 4, 5, 6].map((day) => ({ at: after(day * 86_400 + 900), count: 40 })),
    mails: [],
  },
  byHand: [`Ask ${'a-very-long-word-without-a-break'.repeat(5)}.`],
};

export const incidentReports: Readonly<Record<'none' | 'few' | 'many' | 'awkward', IncidentReport>> = {
  none: base,
  few,
  many,
  awkward,
};
