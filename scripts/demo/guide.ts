/** What the demo says once everything answers: where to go, as whom, and what to try. Each URL stands on a line of its own. */

export type Account = { readonly username: string; readonly password: string };
export type Urls = Readonly<
  Record<'curfew' | 'lumen' | 'marquee' | 'tv' | 'media-server' | 'company' | 'inbox', string>
>;

export function guide({
  urls,
  account,
  companyAccount,
  folder,
}: {
  urls: Urls;
  account: Account;
  companyAccount: Account;
  folder: string;
}): string {
  return `
Everything is ready, and everything runs on this machine alone.

Curfew: ${urls.curfew}
Lumen: ${urls.lumen}
Marquee: ${urls.marquee}
TV: ${urls.tv}
Media server: ${urls['media-server']}
Pinwhistle Pictures: ${urls.company}
Inbox: ${urls.inbox}
Connect a device: ${urls.curfew}/device
Security page: ${urls.curfew}/account/security

username: ${account.username}
password: ${account.password}
company username: ${companyAccount.username}
company password: ${companyAccount.password}

What to try
  1. Sign in to Lumen, then to Marquee: one sign-in serves both.
     If you can, do it again in a second browser or on another profile.
  2. Open the TV and the Media server: each shows a code. Type it at "Connect a device" and allow it.
     Then load the players again: they show the media server's shelf.
  3. On the security page press "Sign out of all devices".
     The receipt shows who has been told, and when.
  4. Look at every app again: the players ask you to sign in, the TV shows a new code,
     and the media server kept its name and waits for its owner.
  5. Sign in again: the security page lists the TV and the media server as waiting.
     Compare the code and press "Re-attach": one tap each, and they are who they were.

Through a company: Pinwhistle Pictures has its own sign-in, which Curfew trusts
  6. In a private window open Lumen, press "Continue with Pinwhistle Pictures" and sign in there.
     Then open Marquee: nothing is asked. Typing ${companyAccount.username}@pinwhistle.example on Curfew's sign-in page leads
     there too. The (SAML) button does the same over the other protocol; to Curfew that is another
     account. To have one of both, link it on the security page first, before you use the button.
  7. Press "Sign out of all devices", and go to Lumen once more: although you are still signed in
     at Pinwhistle Pictures, it has to ask for your password again before Curfew lets you back in.
  8. Open Pinwhistle Pictures and press "Sign out here". It shows what Curfew answered, and within
     seconds the players ask you to sign in.

The operator's command on all this: npx curfew doctor --config ${folder}/curfew.yaml
Logs and data are in ${folder}. A restart keeps them; --fresh begins anew.
Press Ctrl-C to end it all.
`;
}
