import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { LANGUAGES } from '../../src/languages/languages.ts';
import { createViews, type PageName, type ViewModels } from '../../src/web/views.ts';
import { RIGHT_TO_LEFT } from '../support/right-to-left.ts';
import { everyFixture, fixtures } from '../support/view-fixtures.ts';

const directory = fileURLToPath(new URL('../../views', import.meta.url));
const views = createViews({ directory, cache: true });
const cases = everyFixture();
const pages = cases.filter(({ page }) => page !== 'receipt-body');

/** Closes an attribute, closes a tag, opens a script: whatever place it lands in, unescaped it would show. */
const hostile = `"'><script>alert(1)</script><b onclick=x style=y>&amp;`;

/** The model with a hostile text after each text a person could have written. Closed words and the provider's form stay. */
function poisoned<Model>(model: Model, key = ''): Model {
  const closed = ['form', 'tone', 'kind', 'outcome', 'field'];
  if (typeof model === 'string') return (closed.includes(key) ? model : `${model}${hostile}`) as Model;
  if (Array.isArray(model)) return model.map((item) => poisoned(item)) as Model;
  if (typeof model !== 'object' || model === null) return model;
  return Object.fromEntries(Object.entries(model).map(([name, value]) => [name, poisoned(value, name)])) as Model;
}

type Tag = { name: string; attributes: Record<string, string> };

/** The start tags of a page whose attribute values are quoted and escaped, as those of every page here are. */
function tags(html: string, name?: string): Tag[] {
  const found = html.matchAll(/<([a-z][a-z0-9]*)((?:\s+[^\s=>"]+(?:="[^"]*")?)*)\s*\/?>/g);
  return Array.from(found, ([, tag = '', text = '']) => ({
    name: tag,
    attributes: Object.fromEntries(
      Array.from(text.matchAll(/([^\s=>"]+)(?:="([^"]*)")?/g), ([, attribute = '', value = '']) => [attribute, value]),
    ),
  })).filter((tag) => name === undefined || tag.name === name);
}

function field(html: string, name: string): Record<string, string> | undefined {
  return tags(html, 'input').find(({ attributes }) => attributes['name'] === name)?.attributes;
}

/** The visible words of each button, in the order of the page. */
function buttons(html: string): string[] {
  return Array.from(html.matchAll(/<button[^>]*>([^<]*)<\/button>/g), ([, label = '']) => label.trim());
}

function render<Name extends PageName>(page: Name, state: keyof (typeof fixtures)[Name] & string): Promise<string> {
  const model = fixtures[page][state];
  if (!model) throw new Error(`no fixture ${page}/${state}`);
  return views.render(page, model as ViewModels[Name]);
}

describe.each(cases)('$page ($state)', ({ page, model }) => {
  test('shows hostile text as text', async () => {
    const html = await views.render(page, poisoned(model));
    expect(html).toContain('&lt;script&gt;alert(1)');
    expect(html).not.toContain('<script>alert');
    expect(html).not.toMatch(/<b onclick/);
    expect(html).not.toContain(`"'>`);
    expect(tags(html).length).toBe(tags(await views.render(page, model)).length);
  });

  test('holds nothing its content security policy would block', async () => {
    const html = await views.render(page, model);
    for (const { name, attributes } of tags(html)) {
      expect(name).not.toBe('style');
      if (name === 'script') expect(attributes['src']).toMatch(/^\/assets\//);
      expect(Object.keys(attributes).filter((attribute) => /^(?:on.*|style)$/.test(attribute))).toEqual([]);
    }
    expect(html).not.toContain('javascript:');
    expect(html).not.toContain('undefined');
  });

  test('has one first heading, unique ids, and a label for each field a person fills', async () => {
    const all = tags(await views.render(page, model));
    expect(all.filter(({ name }) => name === 'h1')).toHaveLength(1);
    const ids = all.flatMap(({ attributes }) => attributes['id'] ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    const labelled = all.flatMap(({ name, attributes }) => (name === 'label' ? (attributes['for'] ?? []) : []));
    const filled = all.filter(
      ({ name, attributes }) => name === 'input' && attributes['type'] !== 'hidden' && !('hidden' in attributes),
    );
    expect(filled.map(({ attributes }) => attributes['id']).toSorted()).toEqual(labelled.toSorted());
  });
});

test.each(pages)(
  '$page ($state) is a whole document in one language, with a main landmark',
  async ({ page, model }) => {
    const html = await views.render(page, model);
    expect(html.trimStart()).toMatch(/^<!doctype html>\s*<html lang="en">/);
    expect(html.trimEnd()).toMatch(/<\/html>$/);
    expect(tags(html, 'main')).toHaveLength(1);
    expect(html).toContain(' · Curfew</title>');
  },
);

test.each(pages)('each form of $page ($state) that posts to us carries the csrf token', async ({ page, model }) => {
  const html = await views.render(page, model);
  for (const [form] of html.matchAll(/<form\b[\s\S]*?<\/form>/g)) {
    expect(form).toContain('method="post"');
    // What leads to a provider is none of ours, and carries nothing of ours.
    if (/ action="https?:/.test(form)) expect(form).not.toContain('csrf');
    else expect(form).toMatch(form.includes('id="op.') ? /name="xsrf"/ : /name="csrf" value="[^"]+"/);
  }
});

describe('signing in', () => {
  test('asks with the fields password managers know', async () => {
    const html = await render('sign-in', 'plain');
    expect(field(html, 'username')).toMatchObject({
      autocomplete: 'username',
      autocapitalize: 'none',
      spellcheck: 'false',
    });
    expect(field(html, 'password')).toMatchObject({ type: 'password', autocomplete: 'current-password' });
    expect(buttons(html)).toEqual(['Sign in']);
  });

  test('announces a refusal and moves to the field to mend', async () => {
    const html = await render('sign-in', 'full');
    expect(tags(html).find(({ attributes }) => attributes['role'] === 'alert')).toBeDefined();
    expect(field(html, 'password')).toMatchObject({ 'aria-describedby': 'refusal', autofocus: '' });
    expect(field(html, 'username')).not.toHaveProperty('autofocus');
    expect(field(html, 'username')?.['value']).toBe('mira.lindqvist');
  });

  test('offers each connection by name', async () => {
    const html = await render('sign-in', 'full');
    expect(buttons(html)).toEqual([
      'Sign in',
      'Use a passkey',
      'Continue with Acme',
      'Continue with Corp of Northern Lights',
      'Cancel and go back',
    ]);
  });

  test('again, before a sensitive act, carries the act along', async () => {
    const html = await render('confirm-identity', 'plain');
    expect(field(html, 'act')).toMatchObject({ type: 'hidden', value: 'sign-out-all' });
    expect(field(html, 'password')).toMatchObject({ autocomplete: 'current-password' });
    expect(tags(html, 'input').find(({ attributes }) => attributes['autocomplete'] === 'username')).toBeDefined();
    expect(field(html, 'username')).toBeUndefined();
  });
});

describe('allowing', () => {
  test('a client takes one of two buttons of one form', async () => {
    const html = await render('consent', 'full');
    expect(buttons(html)).toEqual(['Allow', 'Deny']);
    expect(tags(html, 'button').map(({ attributes }) => [attributes['name'], attributes['value']])).toEqual([
      ['decision', 'allow'],
      ['decision', 'deny'],
    ]);
    expect(html).toContain('Keep its access while you are away');
    expect(await render('consent', 'bare')).not.toContain('Keep its access while you are away');
  });

  test('a device sends its code once, from our own field', async () => {
    const html = await render('device-code', 'refused');
    const codes = tags(html, 'input').filter(({ attributes }) => attributes['name'] === 'user_code');
    expect(codes).toHaveLength(1);
    expect(codes[0]?.attributes).toMatchObject({
      form: 'op.deviceInputForm',
      autocomplete: 'off',
      autocapitalize: 'characters',
      value: 'WDJB-MJHX',
    });
    expect(codes[0]?.attributes).not.toHaveProperty('pattern');
    expect(field(html, 'xsrf')).toMatchObject({ value: '9d1e7c' });
    expect(buttons(html)).toEqual(['Continue']);
  });

  test('a device shows code, app and place beside its buttons', async () => {
    const html = await render('device-confirm', 'plain');
    for (const text of ['WDJB-MJHT', 'Attic Server', '203.0.113.7', 'AtticServer/4.2']) expect(html).toContain(text);
    expect(field(html, 'user_code')).toMatchObject({ type: 'hidden', value: 'WDJB-MJHT' });
    expect(field(html, 'confirm')).toMatchObject({ value: 'yes' });
    expect(tags(html, 'button').filter(({ attributes }) => attributes['form'] === 'op.deviceConfirmForm')).toHaveLength(
      2,
    );
    expect(html).toMatch(/name="abort" value="yes">Deny</);
  });
});

describe('security', () => {
  test('changes a password, signing devices out unless told otherwise', async () => {
    const html = await render('security', 'plain');
    expect(field(html, 'currentPassword')).toMatchObject({ autocomplete: 'current-password' });
    expect(field(html, 'password')).toMatchObject({ autocomplete: 'new-password' });
    expect(field(html, 'signOutDevices')).toMatchObject({ type: 'checkbox', value: 'on', checked: '' });
    expect(html).toContain('<label for="signOutDevices">Sign out connected devices after password change</label>');
    expect(buttons(html).slice(0, 3)).toEqual([
      'Sign out of this browser',
      'Sign out of all devices',
      'Change password',
    ]);
  });

  test('keeps the box as it was left, and moves to the password to mend', async () => {
    const html = await render('security', 'refused');
    expect(field(html, 'signOutDevices')).not.toHaveProperty('checked');
    expect(field(html, 'password')).toMatchObject({ 'aria-invalid': 'true', autofocus: '' });
    expect(field(html, 'currentPassword')).not.toHaveProperty('aria-invalid');
  });

  test('says of each device that waits what it is, where it asks from, and which of them a button is for', async () => {
    const html = await render('security', 'waiting');
    expect(buttons(html).slice(2, 6)).toEqual(['Re-attach', 'Ignore', 'Re-attach', 'Ignore']);
    expect(html).toContain('aria-label="Re-attach Media library on Attic server, code WDJB-MJHT"');
    expect(html).toContain('<dd>203.0.113.24</dd>');
    expect(html).toContain('It now calls itself curl on Linux.');
    expect(html.match(/It now calls itself/g)).toHaveLength(1);
    expect(await render('security', 'plain')).not.toContain('Waiting to be re-attached');
  });
});

describe('devices', () => {
  test('each row says which device its button signs out', async () => {
    const html = await render('devices', 'some');
    expect(buttons(html)).toEqual([
      'Sign out of this browser',
      'Sign out',
      'Sign out',
      'Sign out',
      'Sign out of all other devices',
      'Sign out of all devices',
    ]);
    expect(html).toContain('aria-describedby="device-d-02">Sign out<');
    expect(html).toMatch(/<h3 id="device-d-02">Lumen .*Pixel 11/);
    expect(html.match(/This browser</g)).toHaveLength(1);
    expect(html).toContain('<time datetime="2026-11-23T07:40:00Z">today, 07:40</time>');
  });

  test('none is said in words', async () => {
    expect(await render('devices', 'none')).toContain('Nothing is signed in to your account.');
  });
});

describe('the receipt', () => {
  test('refreshes itself without script, only while something can change', async () => {
    expect(await render('receipt', 'running')).toMatch(
      /<head>[\s\S]*<noscript><meta http-equiv="refresh" content="3"><\/noscript>[\s\S]*<\/head>/,
    );
    expect(await render('receipt', 'done')).not.toContain('http-equiv="refresh"');
  });

  test('is the same alone, for the event stream, as within its page', async () => {
    const [page, body] = await Promise.all([render('receipt', 'running'), render('receipt-body', 'running')]);
    expect(page).toContain(body.trim());
    expect(page).toContain('data-events="/sign-outs/s-1/events" data-done="false"');
    expect(body).not.toContain('<html');
  });

  test('shows the outcome of each app and device, and when the last token runs out', async () => {
    const html = await render('receipt', 'running');
    expect(html.match(/<tr role="row">/g)).toHaveLength(8);
    expect(html).toContain('Told at <time datetime="2026-11-23T21:14:07Z">21:14:07</time>');
    expect(html).toContain('<time datetime="2026-11-23T21:19:02Z">');
    expect(html).toContain('Told: 4 of 9.');
  });

  test('says at every stage how far it is, in one line that can be read aloud', async () => {
    const stages = await Promise.all(
      (['starting', 'running', 'settled', 'done'] as const).map((state) => render('receipt-body', state)),
    );
    expect(stages.map((html) => Array.from(html.matchAll(/data-status>([^<]*)</g), ([, line]) => line))).toEqual([
      ['Access is gone already. Finding everyone who has to be told; this page keeps itself up to date.'],
      ['Told: 4 of 9. Notices are still going out; this page keeps itself up to date.'],
      ['Told: 4 of 9. No more notices will be sent.'],
      ['No app was signed in, so nobody had to be told.'],
    ]);
  });
});

test('signing out for an app offers to stay', async () => {
  const html = await render('sign-out-confirm', 'client');
  expect(buttons(html)).toEqual(['Sign out', 'Stay signed in']);
  expect(tags(html, 'button').map(({ attributes }) => [attributes['form'], attributes['name']])).toEqual([
    ['op.logoutForm', 'logout'],
    ['op.logoutForm', undefined],
  ]);
});

test('an error says what to do next, and its request', async () => {
  const html = await render('error', 'expired');
  expect(html).toContain('Go back to the app you came from');
  expect(html).toContain('0193a1f2-7c4e-7d1a-9b1e-2f6f0d8c4a11');
});

test('templates put out nothing raw but includes and the form of the provider', async () => {
  const templates = globSync(`${directory}/**/*.ejs`);
  expect(templates.length).toBeGreaterThan(14);
  for (const template of templates) {
    const raw = (await readFile(template, 'utf8')).match(/<%-(?!\s*(?:include\([^%]*\)|view\.form)\s*%>).*/g) ?? [];
    expect({ template, raw }).toEqual({ template, raw: [] });
  }
});

describe('templates', () => {
  // What only operators read is in English, and lies in a folder of its own.
  const templates = globSync(`${directory}/**/*.ejs`)
    .map((template) => template.slice(directory.length + 1))
    .filter((template) => !template.startsWith('operator/'));

  test.each(templates)('%s says nothing by itself: its words come from the catalogue', async (template) => {
    const source = await readFile(`${directory}/${template}`, 'utf8');
    const bare = source.replaceAll(/<%[\s\S]*?%>/g, ' ');
    const words = (texts: Iterable<RegExpMatchArray>) =>
      Array.from(texts, ([, text = '']) => text.trim()).filter(Boolean);
    const said = [
      ...words(bare.replaceAll(/<[^>]*>/g, '\n').matchAll(/^(.*\p{L}{2}.*)$/gmu)),
      ...words(bare.matchAll(/\s(?:aria-label|alt|title|placeholder)="([^"]*\p{L}{2}[^"]*)"/gu)),
      // Within code: what is put out, or handed to another template, as it stands.
      ...words(source.matchAll(/<%(?:[^%]|%(?!>))*?'(\p{L}+ [^'%]*)'/gu)),
    ];
    // The name of the product.
    expect(said.filter((text) => !['Curfew', '· Curfew'].includes(text))).toEqual([]);
  });

  test.each(templates)('%s asks for nothing that the catalogue has not', async (template) => {
    const source = await readFile(`${directory}/${template}`, 'utf8');
    const asked = Array.from(source.matchAll(/view\.t((?:\.\w+)+)/g), ([, path = '']) => path.slice(1).split('.'));
    const found = (path: readonly string[]) =>
      path.reduce<unknown>((texts, name) => (texts as Record<string, unknown> | undefined)?.[name], LANGUAGES.en.texts);
    expect(asked.filter((path) => found(path) === undefined)).toEqual([]);
  });
});

describe('in another language', () => {
  test.each(pages)('$page ($state) says so, and is whole', async ({ page, model }) => {
    const html = await views.render(page, model, LANGUAGES.de);
    expect(html.trimStart()).toMatch(/^<!doctype html>\s*<html lang="de">/);
    expect(html).not.toContain('undefined');
    expect(tags(html)).toHaveLength(tags(await views.render(page, model)).length);
    expect(buttons(html)).toHaveLength(buttons(await views.render(page, model)).length);
  });

  test('a page that runs from right to left says that as well', async () => {
    const html = await views.render('sign-in', fixtures['sign-in']['full'] as ViewModels['sign-in'], RIGHT_TO_LEFT);
    expect(html).toContain('<html lang="he" dir="rtl">');
    expect(html).toContain('\u2068Acme\u2069</button>');
  });
});

describe('colours', () => {
  const text = [
    ['ink', 'paper'],
    ['ink', 'surface'],
    ['ink-soft', 'paper'],
    ['ink-soft', 'surface'],
    ['link', 'paper'],
    ['link', 'surface'],
    ['on-action', 'action'],
    ['on-action', 'action-hover'],
    ['on-night', 'night'],
    ['on-night-soft', 'night'],
    ['on-ember', 'ember'],
    ['on-ember', 'ember-hover'],
    ['ink', 'info-ground'],
    ['ink', 'good-ground'],
    ['ink', 'warn-ground'],
    ['ink', 'bad-ground'],
    ['good', 'surface'],
    ['warn', 'surface'],
    ['bad', 'surface'],
  ] as const;
  const marks = [
    ['edge', 'surface'],
    ['edge', 'paper'],
    ['link', 'paper'],
    ['ember', 'night'],
    ['on-night-soft', 'night'],
    ['info', 'info-ground'],
  ] as const;

  test.each(['light', 'dark'] as const)('keep WCAG AA contrast in the %s theme', async (theme) => {
    const css = await readFile(`${directory}/assets/curfew.css`, 'utf8');
    const colours = tokens(css, theme);
    const ratios = (pairs: typeof text | typeof marks) =>
      pairs.map(([ink, ground]) => ({ pair: `${ink} on ${ground}`, ratio: contrast(colours, ink, ground) }));
    expect(ratios(text).filter(({ ratio }) => ratio < 4.5)).toEqual([]);
    expect(ratios(marks).filter(({ ratio }) => ratio < 3)).toEqual([]);
  });
});

/** The colour tokens of a theme: the dark block overrides what the light one set. */
function tokens(css: string, theme: 'light' | 'dark'): Map<string, string> {
  const [light = '', dark = ''] = Array.from(css.matchAll(/:root \{([^}]*)\}/g), ([, block = '']) => block);
  const blocks = theme === 'light' ? [light] : [light, dark];
  return new Map(
    blocks.flatMap((block) =>
      Array.from(
        block.matchAll(/--([a-z-]+): (#[0-9a-f]{6});/g),
        ([, name = '', value = '']) => [name, value] as const,
      ),
    ),
  );
}

/** Contrast ratio of two colours (WCAG 2.2, "contrast ratio" and "relative luminance"). */
function contrast(colours: Map<string, string>, ink: string, ground: string): number {
  const luminance = (name: string): number => {
    const hex = colours.get(name);
    if (!hex) throw new Error(`no colour --${name}`);
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
      const channel = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
      return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [darker = 0, lighter = 0] = [luminance(ink), luminance(ground)].toSorted((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}
