/** What went wrong, and what to do next, in German. */
import { text } from '../text.ts';
import type { Texts } from '../en.ts';

export const errors: Texts['errors'] = {
  status: 'Status',
  request: 'Anfrage',
  toAccount: 'Zu Ihrem Konto',
  toSignIn: 'Zurück zur Anmeldung',
  statuses: {
    400: {
      headline: 'Mit dieser Anfrage geht es nicht weiter',
      message: 'Etwas darin fehlt, ist doppelt oder unverständlich.',
      next: 'Gehen Sie zurück, und versuchen Sie es noch einmal. Wenn eine App Sie hergeschickt hat, beginnen Sie dort von vorn.',
    },
    403: {
      headline: 'Dieses Formular ist abgelaufen',
      message: 'Die Seite, von der es kam, ist zu alt oder war nicht von hier. Es wurde nichts geändert.',
      next: 'Gehen Sie zurück, laden Sie die Seite neu, und versuchen Sie es noch einmal.',
    },
    404: {
      headline: 'Hier ist nichts',
      message: 'Die Adresse ist falsch, oder was sie meint, ist nicht für Sie bestimmt.',
      next: 'Prüfen Sie die Adresse, oder gehen Sie zu Ihrem Konto.',
    },
    405: {
      headline: 'Das geht hier nicht',
      message: 'Die Adresse gibt es, aber nicht für diese Art von Anfrage.',
      next: 'Gehen Sie zurück, und versuchen Sie es noch einmal.',
    },
    413: {
      headline: 'Das ist zu viel',
      message: 'Die Anfrage ist größer als alles, was Curfew liest.',
      next: 'Gehen Sie zurück, und senden Sie weniger.',
    },
    415: {
      headline: 'Mit dieser Anfrage geht es nicht weiter',
      message: 'Sie ist kein Formular.',
      next: 'Gehen Sie zurück, und verwenden Sie das Formular auf der Seite.',
    },
    429: {
      headline: 'Zu viele Versuche',
      message: 'Von hier kamen in kurzer Zeit zu viele Versuche.',
      next: 'Warten Sie eine Minute, und versuchen Sie es dann noch einmal.',
    },
    500: {
      headline: 'Hier ist etwas schiefgegangen',
      message: 'Ihre Anfrage wurde nicht zu Ende gebracht. Das liegt an uns, nicht an Ihnen.',
      next: 'Versuchen Sie es noch einmal. Wenn es so bleibt, nennen Sie dem Betreiber dieses Dienstes die Nummer der Anfrage unten.',
    },
    503: {
      headline: 'Gerade nicht',
      message: 'Curfew erreicht seine Aufzeichnungen nicht, und lässt niemanden auf gut Glück ein.',
      next: 'Versuchen Sie es gleich noch einmal. Es ging nichts verloren.',
    },
  },
  startAgain: {
    headline: 'Beginnen Sie von vorn',
    message: 'Diese Anmeldung ist abgelaufen, schon abgeschlossen oder wurde durch eine Abmeldung beendet.',
    elsewhere:
      'Diese Anmeldung ist abgelaufen, schon abgeschlossen, wurde in einem anderen Browser begonnen oder durch eine Abmeldung beendet.',
    next: 'Gehen Sie zurück zur App, und melden Sie sich noch einmal an.',
    whereYouCameFrom: 'Gehen Sie dorthin zurück, woher Sie kamen, und melden Sie sich noch einmal an.',
  },
  badRequest: {
    headline: 'Die App hat eine Anfrage geschickt, mit der es nicht weitergeht',
    message: (said, code) => `Was daran nicht stimmt: ${said} (${code}).`,
    next: 'Gehen Sie zurück zur App, und versuchen Sie es noch einmal. Wenn es so bleibt, sagen Sie es den Leuten, die die App machen.',
  },
};

export const federation: Texts['federation'] = {
  title: 'Nicht angemeldet',
  headline: 'Sie sind nicht angemeldet',
  rules: {
    'email-missing':
      'Ihre Organisation hat uns Ihre E-Mail-Adresse nicht genannt; sie entscheidet, wer sich hier anmelden darf.',
    'email-unverified':
      'Ihre Organisation hat nicht bestätigt, dass Ihre E-Mail-Adresse Ihnen gehört. Hier darf man sich nur mit bestätigten Adressen anmelden.',
    'email-domain': 'Mit einer E-Mail-Adresse wie Ihrer darf man sich hier nicht anmelden.',
    group:
      'Sie sind in keiner Gruppe, die sich hier anmelden darf. Wer die Konten Ihrer Organisation verwaltet, kann Sie aufnehmen.',
  },
  refusals: {
    'not-admitted': {
      message: (connection) => text`${connection} kennt Sie, aber dieser Dienst lässt Sie mit jenem Konto nicht ein.`,
      next: () => 'Verwenden Sie dort ein anderes Konto, oder fragen Sie den Betreiber dieses Dienstes.',
    },
    'no-account': {
      message: (connection) => text`Mit Ihrem Konto bei ${connection} ist hier niemand verknüpft.`,
      next: (connection) =>
        text`Melden Sie sich zuerst anders an, und verknüpfen Sie ${connection} auf Ihrer Sicherheitsseite, oder bitten Sie um ein Konto.`,
    },
    'account-closed': {
      message: () => 'An diesem Konto kann sich niemand anmelden.',
      next: () => 'Fragen Sie den Betreiber dieses Dienstes.',
    },
    'another-account': {
      message: (connection) => text`Sie sind von ${connection} als jemand anderes zurückgekommen.`,
      next: () => 'Melden Sie sich dort als die Person an, der dieses Konto gehört, und versuchen Sie es noch einmal.',
    },
    'identity-taken': {
      message: (connection) => text`Mit jenem Konto bei ${connection} meldet man sich hier an einem anderen Konto an.`,
      next: () => 'Lösen Sie dort zuerst die Verknüpfung, oder verwenden Sie ein anderes.',
    },
    'email-missing': {
      message: (connection) => text`${connection} hat uns keine E-Mail-Adresse von Ihnen genannt.`,
      next: (connection) => text`Erlauben Sie es, oder fragen Sie den Betreiber von ${connection}.`,
    },
    'email-taken': {
      message: (connection) => text`Aus dem, was ${connection} uns genannt hat, konnten wir kein Konto anlegen.`,
      next: (connection) =>
        text`Wenn Sie hier ein Konto haben, melden Sie sich daran an, und verknüpfen Sie ${connection} auf dessen Sicherheitsseite.`,
    },
    'session-ended': {
      message: (connection) => text`${connection} hat Sie inzwischen abgemeldet.`,
      next: () => 'Melden Sie sich noch einmal an.',
    },
    'connection-closed': {
      message: () => 'Auf diesem Weg kann man sich hier nicht mehr anmelden.',
      next: () => 'Melden Sie sich anders an, oder fragen Sie den Betreiber dieses Dienstes.',
    },
  },
  arrivals: {
    unreachable: {
      message: (connection) => text`${connection} antwortet gerade nicht.`,
      next: () => 'Es wurde nichts geändert. Versuchen Sie es gleich noch einmal, oder melden Sie sich anders an.',
    },
    unprovable: {
      message: (connection) =>
        text`Nach einer Abmeldung müssen Sie sich bei ${connection} neu anmelden, und es kam keine Bestätigung, dass Sie das getan haben.`,
      next: (connection) =>
        text`Melden Sie sich bei ${connection} selbst ab, und versuchen Sie es noch einmal. Wenn es so bleibt, sagen Sie es dem Betreiber dieses Dienstes.`,
    },
    declined: {
      message: (connection) => text`${connection} hat Sie nicht angemeldet.`,
      next: () => 'Versuchen Sie es noch einmal, oder melden Sie sich anders an.',
    },
    unknown: {
      message: () => 'Diese Anmeldung ist abgelaufen, schon abgeschlossen oder wurde nicht hier begonnen.',
      next: () => 'Melden Sie sich noch einmal von vorn an.',
    },
    'not-verified': {
      message: (connection) =>
        text`Was ${connection} geantwortet hat, ließ sich nicht prüfen. Sie wurden nicht angemeldet.`,
      next: () =>
        'Melden Sie sich noch einmal an. Wenn es so bleibt, nennen Sie dem Betreiber dieses Dienstes die Nummer der Anfrage unten.',
    },
  },
};
