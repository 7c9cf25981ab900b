/** How the Session's cookie is set, wherever it is: one place, so that what sets it can also forget it. */
export function sessionCookie(issuer: string) {
  return {
    httpOnly: true,
    signed: true,
    sameSite: 'lax',
    secure: issuer.startsWith('https:'),
    overwrite: true,
  } as const;
}
