/** What is counted for operators: requests, deliveries, sign-outs. Labels are few words, never a person or a token. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export type Metrics = {
  /** Seconds one request took, by route family, method and status class. */
  request(route: string, method: string, status: number, seconds: number): void;
  /** What came of attempts to tell Clients. */
  readonly deliveries: {
    delivered(clientId: string, seconds: number): void;
    failed(clientId: string, status: string, outcome: string): void;
  };
  /** What came of attempts to send mail. */
  readonly mails: {
    sent(kind: string): void;
    failed(kind: string, status: string, outcome: string): void;
  };
  signedOut(scope: string): void;
  signIn(outcome: string): void;
  /** Deliveries by status, read when asked for. */
  deliveryStatuses(counts: Readonly<Record<string, number>>): void;
  /** Mails by status, read when asked for. */
  mailStatuses(counts: Readonly<Record<string, number>>): void;
  /** Prometheus text format 0.0.4. */
  text(): Promise<string>;
  readonly contentType: string;
};

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const requests = new Histogram({
    name: 'curfew_http_request_seconds',
    help: 'Time to answer a request.',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  const delivered = new Histogram({
    name: 'curfew_delivery_seconds',
    help: 'Time from a sign-out to a client having heard of it.',
    buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 3600, 86_400],
    registers,
  });
  const attempts = new Counter({
    name: 'curfew_delivery_failures_total',
    help: 'Attempts to tell a client that failed, by what became of the delivery.',
    labelNames: ['status', 'outcome'],
    registers,
  });
  const mailsSent = new Counter({
    name: 'curfew_mails_sent_total',
    help: 'Mails that a mail server took, or that were put into the folder.',
    labelNames: ['kind'],
    registers,
  });
  const mailFailures = new Counter({
    name: 'curfew_mail_failures_total',
    help: 'Attempts to send a mail that failed, by what became of the mail.',
    labelNames: ['status', 'outcome'],
    registers,
  });
  const mailStatuses = new Gauge({
    name: 'curfew_mails',
    help: 'Mails in the store, by status. Rejected and abandoned ones did not arrive: look at them.',
    labelNames: ['status'],
    registers,
  });
  const signOuts = new Counter({
    name: 'curfew_sign_outs_total',
    help: 'Sign-outs asked for by people, by scope.',
    labelNames: ['scope'],
    registers,
  });
  const signIns = new Counter({
    name: 'curfew_sign_ins_total',
    help: 'Attempts to sign in, by outcome.',
    labelNames: ['outcome'],
    registers,
  });
  const statuses = new Gauge({
    name: 'curfew_deliveries',
    help: 'Deliveries in the store, by status. Rejected and abandoned ones are dead letters: look at them.',
    labelNames: ['status'],
    registers,
  });
  return {
    request: (route, method, status, seconds) =>
      requests.observe({ route, method, status: `${Math.floor(status / 100)}xx` }, seconds),
    deliveries: {
      delivered: (_clientId, seconds) => delivered.observe(seconds),
      failed: (_clientId, status, outcome) => attempts.inc({ status, outcome }),
    },
    mails: {
      sent: (kind) => mailsSent.inc({ kind }),
      failed: (_kind, status, outcome) => mailFailures.inc({ status, outcome }),
    },
    signedOut: (scope) => signOuts.inc({ scope }),
    signIn: (outcome) => signIns.inc({ outcome }),
    deliveryStatuses(counts) {
      for (const [status, count] of Object.entries(counts)) statuses.set({ status }, count);
    },
    mailStatuses(counts) {
      for (const [status, count] of Object.entries(counts)) mailStatuses.set({ status }, count);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
