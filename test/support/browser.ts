/**
 * A browser without script: cookies, redirects, and pressing a button by its label, with the form's own hidden fields.
 * It follows redirects within Curfew and stops where one leads away, as to a Client's redirect URI.
 */
export type Page = { readonly status: number; readonly headers: Headers; readonly text: string; readonly url: string };

export class Browser {
  readonly origin: string;
  readonly cookies = new Map<string, { value: string; path: string }>();
  readonly userAgent: string;
  /** What its person reads, as `Accept-Language` has it. */
  reads: string | undefined;
  page: Page = { status: 0, headers: new Headers(), text: '', url: '' };
  /** Where the last redirect out of Curfew led. */
  left: URL | undefined;

  constructor(origin: string, userAgent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0') {
    this.origin = origin;
    this.userAgent = userAgent;
  }

  /** The present page's path and query. */
  get path(): string {
    const { pathname, search } = new URL(this.page.url);
    return `${pathname}${search}`;
  }

  /** The text of the first heading: what the page says it is. */
  get heading(): string {
    return decode(/<h1[^>]*>([\s\S]*?)<\/h1>/.exec(this.page.text)?.[1] ?? '').trim();
  }

  async open(pathOrUrl: string): Promise<Page> {
    return this.request('GET', new URL(pathOrUrl, this.origin));
  }

  /** Presses a button of the present page by its label, filling in fields (undefined unticks one); `nth` where several have the label. */
  async press(label: string, fields: Record<string, string | undefined> = {}, { nth = 0 } = {}): Promise<Page> {
    const { form, button } = this.findButton(label, nth);
    const values = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...form.fields, ...fields })) {
      if (value !== undefined) values.append(name, value);
    }
    if (button.name !== undefined) values.append(button.name, button.value ?? '');
    return this.request('POST', new URL(form.action, this.page.url), values);
  }

  /** Every button label on the page. */
  get buttons(): string[] {
    return [...this.page.text.matchAll(/<button\b[^>]*>([\s\S]*?)<\/button>/g)].map(([, inner]) => plain(inner ?? ''));
  }

  /** Sends one request as this browser would; follows redirects inside Curfew. */
  async request(method: string, url: URL, body?: URLSearchParams, headers: Record<string, string> = {}): Promise<Page> {
    this.left = undefined;
    for (let hop = 0; hop < 20; hop++) {
      const response = await fetch(url, {
        method,
        redirect: 'manual',
        headers: {
          'user-agent': this.userAgent,
          accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.1',
          ...(this.reads === undefined ? {} : { 'accept-language': this.reads }),
          ...(this.cookieHeader(url) === '' ? {} : { cookie: this.cookieHeader(url) }),
          ...(method === 'POST' ? { origin: this.origin, 'sec-fetch-site': 'same-origin' } : {}),
          ...headers,
        },
        ...(body === undefined ? {} : { body }),
      });
      this.keepCookies(response.headers);
      const text = await response.text();
      this.page = { status: response.status, headers: response.headers, text, url: url.href };
      const location = response.headers.get('location');
      if (location === null || response.status < 300 || response.status > 399) return this.page;
      const next = new URL(location, url);
      if (next.origin !== this.origin) {
        this.left = next;
        return this.page;
      }
      url = next;
      if (response.status === 303 || response.status === 302) {
        method = 'GET';
        body = undefined;
      }
    }
    throw new Error(`too many redirects, last at ${url.href}`);
  }

  cookieHeader(url: URL): string {
    return [...this.cookies]
      .filter(
        ([, { path }]) => url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`),
      )
      .map(([key, { value }]) => `${key.slice(0, key.indexOf(' '))}=${value}`)
      .join('; ');
  }

  private keepCookies(headers: Headers): void {
    for (const cookie of headers.getSetCookie()) {
      const [pair = '', ...attributes] = cookie.split(/;\s*/);
      const name = pair.slice(0, pair.indexOf('='));
      const value = pair.slice(pair.indexOf('=') + 1);
      const attribute = (wanted: string): string | undefined =>
        attributes.find((one) => one.toLowerCase().startsWith(`${wanted}=`))?.slice(wanted.length + 1);
      const path = attribute('path') ?? '/';
      const expires = attribute('expires');
      const gone = value === '' || (expires !== undefined && Date.parse(expires) <= Date.now());
      if (gone) this.cookies.delete(`${name} ${path}`);
      else this.cookies.set(`${name} ${path}`, { value, path });
    }
  }

  private findButton(label: string, nth: number) {
    const forms = this.forms();
    const found = forms.flatMap((form) =>
      form.buttons.filter((button) => button.label === label).map((button) => ({ form, button })),
    )[nth];
    if (found === undefined) {
      throw new Error(
        `no button "${label}" on ${this.page.url} (${this.page.status} ${this.heading}): ${this.buttons.join(', ')}`,
      );
    }
    return found;
  }

  private forms() {
    const html = this.page.text;
    const forms = [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)].map(([, attributes = '', inner = '']) => ({
      id: attribute(attributes, 'id'),
      action: decode(attribute(attributes, 'action') ?? ''),
      fields: fieldsOf(inner),
      buttons: buttonsOf(inner).filter(({ form }) => form === undefined),
    }));
    for (const button of buttonsOf(html)) {
      if (button.form !== undefined) forms.find(({ id }) => id === button.form)?.buttons.push(button);
    }
    for (const [, attributes = ''] of html.matchAll(/<input\b([^>]*)>/g)) {
      const form = forms.find(({ id }) => id !== undefined && id === attribute(attributes, 'form'));
      const name = attribute(attributes, 'name');
      if (form !== undefined && name !== undefined) form.fields[name] = decode(attribute(attributes, 'value') ?? '');
    }
    return forms;
  }
}

/** Fields a person would send by pressing the button and changing nothing. */
function fieldsOf(html: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [, attributes = ''] of html.matchAll(/<input\b([^>]*)>/g)) {
    const name = attribute(attributes, 'name');
    const type = attribute(attributes, 'type') ?? 'text';
    if (name === undefined || (type === 'checkbox' && !/\schecked\b/.test(attributes))) continue;
    fields[name] = decode(attribute(attributes, 'value') ?? (type === 'checkbox' ? 'on' : ''));
  }
  return fields;
}

function buttonsOf(html: string) {
  return [...html.matchAll(/<button\b([^>]*)>([\s\S]*?)<\/button>/g)].map(([, attributes = '', inner = '']) => ({
    label: plain(inner),
    name: attribute(attributes, 'name'),
    value: attribute(attributes, 'value'),
    form: attribute(attributes, 'form'),
  }));
}

function attribute(attributes: string, name: string): string | undefined {
  return new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes)?.[1];
}

function plain(html: string): string {
  return decode(html.replaceAll(/<[^>]*>/g, ''))
    .replaceAll(/\s+/g, ' ')
    .trim();
}

function decode(html: string): string {
  return html
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&#34;', '"')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}
