/**
 * Where everything is kept, as an operator writes it: `sqlite:PATH` or `mongodb://…`.
 *
 * Invariant: an address that is accepted holds no secret (the file it stands in is copied, mailed and committed) and no option
 * that would weaken a promise of the store: an acknowledged write is on the disks of a majority, a read sees it. It refuses to
 * know how either engine is opened.
 */
import { rule } from './client-metadata.ts';

export type StoreAddress =
  { readonly engine: 'sqlite'; readonly path: string } | { readonly engine: 'mongodb'; readonly url: string };

type Refusal = ReturnType<typeof rule>;

/** Scheme, user information, hosts, database, options. A list of hosts is why this is no URL to `new URL`. */
const MONGODB = /^mongodb(?:\+srv)?:\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^/?#]*))?(?:\?([^#]*))?$/;

/** MongoDB's own limits on the name of a database. */
const DATABASE = /^[A-Za-z0-9_-]{1,63}$/;

/** Options that Curfew sets itself, because its promises rest on them. */
const OURS = [
  'w',
  'journal',
  'j',
  'wtimeoutms',
  'readconcernlevel',
  'readpreference',
  'readpreferencetags',
  'retrywrites',
];

/** The address, or why it is none. */
export function parseStoreAddress(text: string): StoreAddress | Refusal {
  const [, path] = /^sqlite:([^:].*)$/s.exec(text) ?? [];
  if (path !== undefined) return { engine: 'sqlite', path };
  if (!/^mongodb(\+srv)?:/.test(text)) {
    return rule('must be sqlite: and a path, or a mongodb:// address', 'for example sqlite:./data/curfew.db');
  }
  const parts = MONGODB.exec(text);
  if (parts === null) {
    return rule('is not a MongoDB connection string', 'write mongodb://user@host1,host2/curfew?replicaSet=name');
  }
  const [, user = '', , database = '', options = ''] = parts;
  if (user.includes(':')) {
    return rule(
      'holds a password',
      'put it in a file, name that in storePasswordFile, and write mongodb://user@host/…',
    );
  }
  if (database === '') {
    return rule('names no database', 'end it with one, for example mongodb://host/curfew');
  }
  if (!DATABASE.test(database)) {
    return rule('names a database that MongoDB would not take', 'use letters, digits, hyphens and underscores');
  }
  const taken = [...new URLSearchParams(options).keys()].find((name) => OURS.includes(name.toLowerCase()));
  if (taken !== undefined) {
    return rule(
      `must not set ${taken}: what a sign-out promises rests on it`,
      `leave ${taken} out; Curfew writes to a majority and reads from the primary`,
    );
  }
  return { engine: 'mongodb', url: text };
}

/** Whether it is a refusal. */
export function isRefusal(address: StoreAddress | Refusal): address is Refusal {
  return !('engine' in address);
}
