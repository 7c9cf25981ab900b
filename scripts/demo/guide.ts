/** What the demo says once everything answers: where to go, as whom, and what to try. Each URL stands on a line of its own. */

export type Account = { readonly username: string; readonly password: string };
export type Urls = Readonly<Record<'curfew' | 'lumen' | 'marquee' | 'tv' | 'media-server', string>>;

export function guide({ urls, account, folder }: { urls: Urls; account: Account; folder: string }): string {
  return `
Everything is ready, and everything runs on this machine alone.

Curfew: ${urls.curfew}
Lumen: ${urls.lumen}
Marquee: ${urls.marquee}
TV: ${urls.tv}
Media server: ${urls['media-server']}
Connect a device: ${urls.curfew}/device
Security page: ${urls.curfew}/account/security

username: ${account.username}
password: ${account.password}

What to try
  1. Sign in to Lumen, then to Marquee: one sign-in serves both.
     If you can, do it again in a second browser or on another profile.
  2. Open the TV and the Media server. Type the code of each at "Connect a device" and allow it.
     The players now show the server's shelf.
  3. On the security page press "Sign out of all devices".
     The receipt shows who has been told, and when.
  4. Look at every app again: the players ask you to sign in, the TV shows a new code,
     and the media server kept its name and waits for its owner.
  5. Sign in again, and type the new codes. That is all it takes to come back.

Logs and data are in ${folder}. A restart keeps them; --fresh begins anew.
Press Ctrl-C to end it all.
`;
}
