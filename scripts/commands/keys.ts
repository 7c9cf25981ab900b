/** `curfew keys …`: the keys that tokens are signed with. */
import { type Command, Option } from 'commander';

import { type Core, SIGNING_ALGORITHMS } from '../../src/compose.ts';
import type { ExitCode } from '../terminal/outcome.ts';
import { instant } from './arguments.ts';
import { agree, type House, type Shell } from './house.ts';

type Algorithm = (typeof SIGNING_ALGORITHMS)[number];
type Rotate = { algorithm: readonly Algorithm[]; immediately?: boolean; revoke?: boolean; yes?: boolean };

export function keysCommands(program: Command, shell: Shell): void {
  const keys = program.command('keys').description('the keys that tokens are signed with');
  keys
    .command('list')
    .description('every key that is published or was')
    .action(() =>
      shell.inHouse(async (house) => {
        await present(house);
        return 0;
      }),
    );
  keys
    .command('rotate')
    .description(
      'sign with new keys; the present ones stay published until their last token has expired; asks at a terminal',
    )
    .addOption(
      new Option('--algorithm <names...>', 'of these algorithms only')
        .choices(SIGNING_ALGORITHMS)
        .default([...SIGNING_ALGORITHMS], 'all of them'),
    )
    .option('--immediately', 'sign with them at once, before apps have had time to fetch them')
    .option('--revoke', 'for keys that may be in strangers’ hands: stop publishing the present ones at once')
    .option('--yes', 'do not ask')
    .action((options: Rotate) => shell.inHouse((house) => rotate(house, options)));
}

async function rotate(house: House, { algorithm, yes = false, ...options }: Rotate): Promise<ExitCode> {
  const { core, terminal } = house;
  const algorithms = SIGNING_ALGORITHMS.filter((each) => algorithm.includes(each));
  const { revoke = false, immediately = revoke } = options;
  await agree(terminal, {
    yes,
    about: [
      `A new key for ${algorithms.join(', ')} is published now${immediately ? ' and signs at once' : ' and signs in a minute'}.`,
      ...(immediately ? ['Apps that keep the key set refuse new tokens until they fetch it again.'] : []),
      ...(revoke ? WHAT_REVOKING_BREAKS : []),
    ],
    question: revoke ? 'Rotate, and take the present keys back?' : 'Rotate?',
    byScript: revoke ? 'refused' : 'goes-on',
  });
  await core.signingKeys.rotate({ algorithms, immediately, revoke });
  await core.journal.record({
    kind: 'signing-keys.rotated',
    accountId: null,
    actor: { kind: 'operator' },
    facts: { algorithms: algorithms.join(' '), immediately, revoked: revoke },
  });
  await present(house);
  return 0;
}

const WHAT_REVOKING_BREAKS = [
  'The present keys are not published any more: no token they have signed verifies here, or at an app that fetches the key set.',
  'That ends access tokens in JWT form, ID Tokens that are still looked at, and logout tokens on their way, which are made anew.',
  'Sessions and refresh tokens go on. An app that keeps the old key set trusts it until it fetches: tell apps to fetch it now.',
  'Servers that run notice within five seconds.',
];

async function present({ core, terminal }: House): Promise<void> {
  await terminal.printList({
    pages: listed(core),
    columns: [
      { title: 'algorithm', of: ({ alg }) => alg, whole: true },
      { title: 'status', of: ({ status }) => status, whole: true },
      { title: 'signs from', of: ({ signsFrom }) => instant(signsFrom) },
      { title: 'published until', of: ({ retiresAt }) => instant(retiresAt) },
      { title: 'key id', of: ({ kid }) => kid },
    ],
    json: ({ kid, alg, status, createdAt, signsFrom, retiresAt }) => ({
      kid,
      alg,
      status,
      createdAt: createdAt.toISOString(),
      signsFrom: signsFrom.toISOString(),
      retiresAt: retiresAt?.toISOString() ?? null,
    }),
    none: 'There are none.',
  });
}

async function* listed({ signingKeys }: Core) {
  yield await signingKeys.list();
}
