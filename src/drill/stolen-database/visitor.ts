/**
 * A browser for the drill, with as much of one as forms need: cookies, redirects within the house, and a form sent by where it
 * leads. It speaks to one listener on loopback, whatever address the house goes by, and so reaches nobody else.
 */
import { request } from 'node:http';

export type Answer = {
  readonly status: number;
  readonly text: string;
  /** Where it leads, whole; null when nowhere. */
  readonly location: URL | null;
  readonly setCookies: readonly string[];
};

export type Call = {
  readonly method?: 'GET' | 'POST';
  readonly form?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Asks the listener once: a path, or an address within the house. */
export type Ask = (target: string, call?: Call) => Promise<Answer>;

export function askAt(port: number, issuer: string): Ask {
  return (target, { method, form, json, headers = {} } = {}) => {
    const url = new URL(target, issuer);
    const body =
      json === undefined ? (form === undefined ? null : new URLSearchParams(form).toString()) : JSON.stringify(json);
    const type = json === undefined ? 'application/x-www-form-urlencoded' : 'application/json';
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          host: '127.0.0.1',
          port,
          method: method ?? (body === null ? 'GET' : 'POST'),
          path: `${url.pathname}${url.search}`,
          headers: {
            ...(body === null ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) }),
            ...headers,
          },
        },
        (answer) => {
          const parts: Buffer[] = [];
          answer.on('data', (part: Buffer) => void parts.push(part));
          answer.on('error', reject);
          answer.on('end', () => {
            const { location } = answer.headers;
            resolve({
              status: answer.statusCode ?? 0,
              text: Buffer.concat(parts).toString('utf8'),
              location: location === undefined ? null : new URL(location, url),
              setCookies: answer.headers['set-cookie'] ?? [],
            });
          });
        },
      );
      sent.on('error', reject);
      sent.end(body ?? undefined);
    });
  };
}

export type Visitor = {
  readonly page: Answer;
  /** The present page's path. */
  readonly path: string;
  /** Where the last redirect out of the house led; null when it led to a page of it. */
  readonly left: URL | null;
  cookie(name: string): string | undefined;
  /** The value of every cookie it has. */
  cookies(): string[];
  open(target: string): Promise<void>;
  /** Sends the form of the present page that leads there, its hidden fields filled in as they are. */
  submit(action: RegExp, fields?: Readonly<Record<string, string>>): Promise<void>;
};

const MOST_HOPS = 20;

export function createVisitor(
  ask: Ask,
  { issuer, userAgent }: { readonly issuer: string; readonly userAgent: string },
): Visitor {
  const cookies = new Map<string, { readonly name: string; readonly value: string; readonly path: string }>();
  let page: Answer = { status: 0, text: '', location: null, setCookies: [] };
  let at = new URL(issuer);
  let left: URL | null = null;

  const keep = (cookie: string): void => {
    const [pair = '', ...attributes] = cookie.split(/;\s*/);
    const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const;
    const path = attributes.find((each) => /^path=/i.test(each))?.slice(5) ?? '/';
    if (value === '') cookies.delete(`${name} ${path}`);
    else cookies.set(`${name} ${path}`, { name, value, path });
  };
  const shown = (url: URL): string =>
    [...cookies.values()]
      .filter(({ path }) => url.pathname === path || url.pathname.startsWith(path.replace(/\/?$/, '/')))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');

  const go = async (url: URL, form?: Readonly<Record<string, string>>): Promise<void> => {
    left = null;
    for (let hop = 0; hop < MOST_HOPS; hop += 1) {
      const cookie = shown(url);
      const headers = {
        'user-agent': userAgent,
        accept: 'text/html',
        'accept-language': 'en',
        ...(cookie === '' ? {} : { cookie }),
        ...(form === undefined ? {} : { origin: issuer }),
      };
      page = await ask(url.href, form === undefined ? { headers } : { headers, form });
      at = url;
      for (const each of page.setCookies) keep(each);
      if (page.location === null) return;
      if (page.location.origin !== new URL(issuer).origin) {
        left = page.location;
        return;
      }
      url = page.location;
      form = undefined;
    }
    throw new Error(`too many redirects, last at ${at.pathname}`);
  };

  return {
    get page() {
      return page;
    },
    get path() {
      return at.pathname;
    },
    get left() {
      return left;
    },
    cookie: (name) => [...cookies.values()].find((each) => each.name === name)?.value,
    cookies: () => [...cookies.values()].map(({ value }) => value),
    open: (target) => go(new URL(target, issuer)),
    async submit(action, fields = {}) {
      const forms = [...page.text.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)];
      const found = forms.find(([, attributes = '']) => action.test(attribute(attributes, 'action')));
      if (found === undefined)
        throw new Error(`no form that leads to ${action.source} at ${at.pathname} (${page.status})`);
      const [, attributes = '', inner = ''] = found;
      const hidden = [...inner.matchAll(/<input\b([^>]*)>/g)]
        .map(([, each = '']) => each)
        .filter((each) => /\btype="hidden"/.test(each))
        .map((each) => [attribute(each, 'name'), attribute(each, 'value')] as const);
      await go(new URL(attribute(attributes, 'action'), at), { ...Object.fromEntries(hidden), ...fields });
    },
  };
}

function attribute(tag: string, name: string): string {
  const value = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(tag)?.[1] ?? '';
  return value
    .replaceAll('&#34;', '"')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}
