/** The URL of a MongoDB server, taken apart: Curfew refuses a password in it, and each test has a database of its own. */

/** The same server, another database; the password apart, as it is and not as a URL spells it. */
export function forDatabase(url: string, database: string): { url: string; password: string | undefined } {
  const parts = /^(mongodb(?:\+srv)?:\/\/)(?:([^@/]*)@)?([^/?]+)(?:\/([^?]*))?(?:\?(.*))?$/.exec(url);
  if (parts === null) throw new Error('this is not the URL of a MongoDB server');
  const [, scheme = '', credentials, hosts = '', present = '', query = ''] = parts;
  const options = new URLSearchParams(query);
  const [user, ...rest] = credentials?.split(':') ?? [];
  // Where a user is known depends on the database in the URL, which is about to be another.
  if (user !== undefined && !options.has('authSource')) options.set('authSource', present === '' ? 'admin' : present);
  const written = options.toString();
  return {
    url: `${scheme}${user === undefined ? '' : `${user}@`}${hosts}/${database}${written === '' ? '' : `?${written}`}`,
    password: rest.length === 0 ? undefined : decodeURIComponent(rest.join(':')),
  };
}
