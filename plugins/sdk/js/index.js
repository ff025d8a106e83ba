// Sugar over banhook's plugin interface: decisions and messages, text that nobody can break out of, and mistakes that are
// explained. The engine traps without a reason when a value has another shape than the interface says, so everything that
// a plugin returns is read here first. A reader takes a value and its path, and returns it as the interface has it.
import { at, local, now } from 'banhook:plugin/clock@0.1.0';
import { write } from 'banhook:plugin/log@0.1.0';
import { all, get } from 'banhook:plugin/settings@0.1.0';

// A value of the wrong shape. Its message says where, what was expected, what was found, and what to do.
class ShapeError extends TypeError {}

function fail(path, expected, value, remedy) {
  const isMissing = value === undefined;
  const found = isMissing
    ? `${path} is missing: expected ${expected}`
    : `${path}: expected ${expected}, found ${shown(value)}`;
  throw new ShapeError(remedy === undefined ? found : `${found}; ${remedy}`);
}

// Characters that are shown of a text.
const SHOWN = 40;

function shown(value) {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string')
    return `the text ${JSON.stringify(value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value)}`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Date) return 'a Date';
  if (value instanceof Promise) return 'a promise';
  if (value === null) return 'null';
  if (typeof value !== 'object') return `the ${typeof value} ${String(value)}`;
  if (typeof value.tag === 'string') return `an object with the tag "${value.tag}"`;
  const keys = Object.keys(value);
  return keys.length === 0 ? 'an empty object' : `an object with ${keys.slice(0, 5).join(', ')}`;
}

// Readers of plain values.

const string = (value, path) => {
  if (typeof value !== 'string') {
    const canBeText = typeof value === 'number' || typeof value === 'boolean';
    fail(path, 'a text', value, canBeText ? `write \`\${…}\` or String(…)` : undefined);
  }
  // Half of a character, as `slice` leaves it, cannot be passed on.
  return value.toWellFormed();
};

const boolean = (value, path) => (typeof value === 'boolean' ? value : fail(path, 'true or false', value));

const integer = (least, most) => (value, path) =>
  Number.isInteger(value) && value >= least && value <= most
    ? value
    : fail(path, `a whole number from ${least} to ${most}`, value);

const timestamp = (value, path) => {
  const at = value instanceof Date ? value.getTime() : value;
  if (typeof at === 'number' && Number.isFinite(at)) return Math.round(at);
  return fail(
    path,
    'a time: milliseconds since 1970, or a Date',
    value,
    value instanceof Date ? 'the Date is invalid' : undefined,
  );
};

const oneOf =
  (...names) =>
  (value, path) =>
    names.includes(value) ? value : fail(path, listed(names.map(quoted)), value, meant(value, names));

// Readers of what is made of others.

const option = (of) => (value, path) => (value === undefined || value === null ? undefined : of(value, path));

const list = (of) => (value, path) => {
  if (!Array.isArray(value)) fail(path, 'a list', value, 'write […] around it');
  return Array.from(value, (item, index) => of(item, `${path}[${index}]`));
};

// A list in which an item may be left out: `condition && item`.
const sparse = (of) => {
  const every = list(of);
  const isThere = (item) => item !== undefined && item !== null && item !== false;
  return (value, path) => every(Array.isArray(value) ? value.filter(isThere) : value, path);
};

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

const record = (fields) => {
  const names = Object.keys(fields);
  return (value, path) => {
    if (!isObject(value)) fail(path, `an object with ${names.join(', ')}`, value);
    const unknown = Object.keys(value).find((key) => !names.includes(key));
    if (unknown !== undefined) throw new ShapeError(`${path}: ${isUnknown('field', unknown, names)}`);
    return Object.fromEntries(names.map((name) => [name, fields[name](value[name] ?? undefined, `${path}.${name}`)]));
  };
};

// By tag the reader of `val`; null: a tag without `val`.
const variant = (cases) => {
  const tags = Object.keys(cases);
  return (value, path) => {
    if (!isObject(value) || typeof value.tag !== 'string')
      fail(path, `an object with the tag ${listed(tags.map(quoted))}`, value);
    const { tag, val } = value;
    if (!tags.includes(tag)) throw new ShapeError(`${path}: ${isUnknown('tag', tag, tags)}`);
    const of = cases[tag];
    return of === null ? { tag } : { tag, val: of(val ?? undefined, `${path}.${tag}`) };
  };
};

const flags = (...names) => record(Object.fromEntries(names.map((name) => [name, option(boolean)])));

const pair = (value, path) => {
  if (!Array.isArray(value) || value.length !== 2) fail(path, 'a pair [name, text]', value);
  return [string(value[0], `${path}[0]`), string(value[1], `${path}[1]`)];
};

// Pairs, or an object.
const pairs = (value, path) =>
  isObject(value)
    ? Object.entries(value).map(([name, text]) => [name, string(text, `${path}.${name}`)])
    : list(pair)(value, path);

// The types of the interface.

const styles = flags('bold', 'italic', 'strike', 'code');
const spanCases = {
  text: record({ text: string, style: option(styles) }),
  emoji: (value, path) => string(value, path).replace(/^:(.*):$/, '$1'),
  link: record({ label: option(string), url: string, style: option(styles) }),
  date: record({ at: timestamp, format: option(oneOf('date-time', 'date', 'time', 'relative')) }),
  mention: variant({ user: string, group: string, channel: null, here: null }),
};
const span = variant(spanCases);
const tagged = variant({ plain: string, mrkdwn: string, rich: list(span) });
// Not an element of a context, whose tag `text` has a text.
const isSpan = (value) =>
  isObject(value) &&
  Object.hasOwn(spanCases, value.tag) &&
  (value.tag !== 'text' || (isObject(value.val) && value.val.tag === undefined));
const isText = (value) =>
  typeof value === 'string' || (isObject(value) && ['plain', 'mrkdwn', 'rich'].includes(value.tag));
const textual = (value, path) => {
  if (typeof value === 'string') return { tag: 'plain', val: string(value, path) };
  if (isSpan(value)) return { tag: 'rich', val: [span(value, path)] };
  if (!isObject(value))
    fail(path, 'a text, rich`…` or mrkdwn`…`', value, Array.isArray(value) ? 'write rich`${…}` around it' : undefined);
  return tagged(value, path);
};

const thumbnail = record({ url: string, alt: string });
const field = record({ label: string, value: textual });
// Fields, or an object of labels and values; those without a value are left out.
const fields = (value, path) => {
  if (!isObject(value)) return list(field)(value, path);
  const known = Object.entries(value).filter(([, known]) => known !== undefined && known !== null);
  return known.map(([label, known]) => ({
    label,
    value: textual(typeof known === 'number' || typeof known === 'boolean' ? String(known) : known, `${path}.${label}`),
  }));
};
const element = variant({ text: textual, image: thumbnail });
const contextElement = (value, path) =>
  isText(value) || isSpan(value) ? { tag: 'text', val: textual(value, path) } : element(value, path);
const blockKit = (value, path) => {
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  const text = string(value, path);
  try {
    JSON.parse(text);
  } catch (error) {
    fail(
      path,
      'Block Kit JSON',
      text,
      `${error.message}; write block.raw({ type: … }) with an object, which cannot be wrong JSON`,
    );
  }
  return text;
};
const blocks = {
  header: string,
  section: record({ text: option(textual), fields: option(fields), accessory: option(thumbnail) }),
  context: sparse(contextElement),
  divider: null,
  image: record({ url: string, alt: string, title: option(string) }),
  buttons: sparse(record({ label: string, url: string, style: option(oneOf('primary', 'danger')) })),
  preformatted: string,
  table: list(list(textual)),
  raw: blockKit,
  bullets: list(textual),
  numbers: list(textual),
  quote: textual,
};

const byte = integer(0, 255);
const rgb = (value, path) => {
  if (!Array.isArray(value) || value.length !== 3) fail(path, 'a color [red, green, blue]', value);
  return value.map((part, index) => byte(part, `${path}[${index}]`));
};
const colorTag = variant({ good: null, warning: null, danger: null, rgb });
const color = (value, path) => {
  if (Array.isArray(value)) return { tag: 'rgb', val: rgb(value, path) };
  if (typeof value !== 'string') return colorTag(value, path);
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(value);
  if (hex !== null) return { tag: 'rgb', val: hex.slice(1).map((part) => parseInt(part, 16)) };
  const named = ['good', 'warning', 'danger'];
  return named.includes(value)
    ? { tag: value }
    : fail(path, `${listed(named.map(quoted))}, or "#rrggbb"`, value, meant(value, named));
};

const message = record({
  text: textual,
  blocks: option(sparse(variant(blocks))),
  color: option(color),
  hints: option(pairs),
  tags: option(sparse(string)),
  thread: option(string),
  name: option(string),
  replaces: option(string),
});
const holding = record({ key: string, until: option(timestamp), tags: option(sparse(string)), hints: option(pairs) });

// What a function of a plugin returns.
const decision = (name, cases) => {
  const of = variant(cases);
  return (value) => {
    if (isObject(value) && typeof value.tag === 'string') return of(value, 'decision');
    const isPromise = value instanceof Promise;
    const remedy = isPromise
      ? 'it cannot be async, since nothing is worth waiting for'
      : 'return one of them on every path';
    throw new ShapeError(`${name} must return post(…), skip(…) or hold(…), and returned ${shown(value)}; ${remedy}`);
  };
};

const PARTS = {
  format: decision('format', { post: message, skip: string, hold: holding }),
  digest: decision('digest', { post: message, skip: string, hold: timestamp }),
  check: (value) =>
    sparse(
      record({
        setting: option(string),
        line: option(integer(1, 2 ** 31 - 1)),
        level: oneOf('warn', 'error'),
        message: string,
        hints: option(pairs),
      }),
    )(value ?? [], 'problems'),
  describe: (value) =>
    record({
      name: string,
      version: option(string),
      settings: list(
        record({
          name: string,
          kind: oneOf('text', 'number', 'boolean', 'lines'),
          description: string,
          default: option(string),
        }),
      ),
      hints: option(pairs),
    })(value, 'description'),
};

// Decisions.

/** Sends a message: its text, and `{ blocks, color, tags, thread, name, replaces, hints }`. */
export const post = (text, options = {}) => {
  if (!isObject(options)) fail('post', 'an object of options after the text', options);
  return { tag: 'post', val: message({ text, ...options }, 'post') };
};

/** Sends nothing. The reason is counted in `banhook status`. */
export const skip = (reason) => ({ tag: 'skip', val: string(reason, 'skip') });

/** Of an event: holds it for a digest of this key. Of a digest: keeps it open until then. */
export const hold = (keyOrUntil, options = {}) => {
  const isUntil = typeof keyOrUntil === 'number' || keyOrUntil instanceof Date;
  return {
    tag: 'hold',
    val: isUntil ? timestamp(keyOrUntil, 'hold') : holding({ ...options, key: keyOrUntil }, 'hold'),
  };
};

// Text.

const isAbsent = (value) => value === undefined || value === null || value === false;

// The text of a value in a template.
const inert = (value, path, remedy) => {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  return fail(path, 'a text or a number', value, remedy);
};

/**
 * Text with pieces that have a style, as a tagged template. Every value is shown as it is, whatever it contains; one that
 * is undefined, null or false shows nothing.
 */
export function rich(strings, ...values) {
  const spans = [];
  let text = '';
  const flush = () => {
    if (text !== '') spans.push({ tag: 'text', val: { text, style: undefined } });
    text = '';
  };
  const add = (value, path) => {
    if (isAbsent(value)) return;
    if (Array.isArray(value)) value.forEach((item, index) => add(item, `${path}[${index}]`));
    else if (isObject(value) && value.tag === 'rich') {
      flush();
      spans.push(...tagged(value, path).val);
    } else if (isSpan(value)) {
      flush();
      spans.push(span(value, path));
    } else
      text += inert(
        value,
        path,
        value instanceof Date ? 'write date(…)' : 'write a piece of text such as bold(…), or its text',
      );
  };
  strings.forEach((string, index) => {
    text += string;
    if (index < values.length) add(values[index], `rich: value ${index + 1}`);
  });
  flush();
  return { tag: 'rich', val: spans };
}

/**
 * Slack's mrkdwn, as a tagged template: the markup is the plugin's, and every value is text. Text of other `mrkdwn` is not
 * escaped twice.
 */
export function mrkdwn(strings, ...values) {
  const escaped = (value, path) => {
    if (isAbsent(value)) return '';
    if (isObject(value) && value.tag === 'mrkdwn') return string(value.val, path);
    return inert(value, path, 'write its markup around a text, as in *${text}*, or use rich')
      .replace(/&/g, '&amp;')
      .replace(/</g, '&lt;')
      .replace(/>/g, '&gt;');
  };
  return {
    tag: 'mrkdwn',
    val: String.raw({ raw: strings }, ...values.map((value, index) => escaped(value, `mrkdwn: value ${index + 1}`))),
  };
}

const styled = (style) => (text) => {
  const piece = isSpan(text) ? text : { tag: 'text', val: { text: isAbsent(text) ? '' : inert(text, style) } };
  if (piece.tag !== 'text' && piece.tag !== 'link') fail(style, 'a text or a link', piece);
  return span({ tag: piece.tag, val: { ...piece.val, style: { ...piece.val.style, [style]: true } } }, style);
};

/** Styles of a text, a link, or a text with another style: `bold(strike('x'))`. */
export const bold = styled('bold');
export const italic = styled('italic');
export const strike = styled('strike');
export const code = styled('code');

/** An emoji by Slack's name. */
export const emoji = (name) => span({ tag: 'emoji', val: name }, 'emoji');

/** A link; without a label the URL is shown. */
export const link = (url, label) => span({ tag: 'link', val: { url, label } }, 'link');

/** A moment in the reader's time zone: `date-time`, `date`, `time` or `relative`. */
export const date = (at, format) => span({ tag: 'date', val: { at, format } }, 'date');

/** Notifies people, if the route permits mentions. */
export const mention = {
  user: (id) => span({ tag: 'mention', val: { tag: 'user', val: id } }, 'mention'),
  group: (id) => span({ tag: 'mention', val: { tag: 'group', val: id } }, 'mention'),
  channel: { tag: 'mention', val: { tag: 'channel' } },
  here: { tag: 'mention', val: { tag: 'here' } },
};

const blockOf = (tag) => (val) => ({ tag, val: blocks[tag](val ?? undefined, `block.${tag}`) });

/** Blocks of a message. */
export const block = {
  header: blockOf('header'),
  section: (text, options = {}) => blockOf('section')({ text, ...options }),
  context: (...elements) => blockOf('context')(elements),
  divider: { tag: 'divider' },
  image: (url, alt, title) => blockOf('image')({ url, alt, title }),
  buttons: (...buttons) => blockOf('buttons')(buttons),
  preformatted: blockOf('preformatted'),
  table: blockOf('table'),
  raw: blockOf('raw'),
  bullets: blockOf('bullets'),
  numbers: blockOf('numbers'),
  quote: blockOf('quote'),
};

// Questions to banhook. A plugin's modules are executed when it is built, and nobody answers then.

let isAsked = false;

const question =
  (name, ask) =>
  (...values) => {
    if (!isAsked)
      throw new ShapeError(`${name} has no answer while the plugin is built; call it in format, digest or check`);
    return ask(...values);
  };

const logged = (level) => question(`log.${level}`, (message) => write(level, String(message).toWellFormed()));

/** `[routes.settings]` of the route: every value is text. */
export const settings = { get: question('settings.get', get), all: question('settings.all', all) };

/** banhook's log. */
export const log = { debug: logged('debug'), info: logged('info'), warn: logged('warn'), error: logged('error') };

/** The event's time, and the wall clock of the route's time zone. */
export const clock = {
  now: question('clock.now', now),
  local: question('clock.local', (time) => local(timestamp(time, 'clock.local'))),
  at: question('clock.at', at),
};

// Plugins.

const plugins = new WeakSet();

/** Makes the exports of a plugin of its functions: `format`, and if its world has them `digest`, `check` and `describe`. */
export function definePlugin(parts) {
  if (!isObject(parts)) fail('definePlugin', 'an object with format(event) { … }', parts);
  const names = Object.keys(PARTS);
  const unknown = Object.keys(parts).find((key) => !names.includes(key));
  if (unknown !== undefined) throw new ShapeError(`definePlugin: ${isUnknown('function', unknown, names)}`);
  if (typeof parts.format !== 'function')
    fail('definePlugin.format', 'a function', parts.format, 'write format(event) { … }');
  const plugin = {
    formatter: { format: explained('format', parts.format) },
    digester: { digest: explained('digest', parts.digest ?? absent('digest', 'plugin-with-digest')) },
    checker: { check: explained('check', parts.check ?? (() => []), asProblem) },
    descriptor: { describe: explained('describe', described(parts.describe)) },
  };
  plugins.add(plugin);
  return plugin;
}

/** Returns the exports of a plugin's module, which must have `export default definePlugin({ … })`. */
export function exportsOf(module) {
  if (plugins.has(module.default)) return module.default;
  const found = Object.keys(module);
  const exported = found.length === 0 ? 'exports nothing' : `exports ${found.join(', ')}`;
  throw new ShapeError(`the plugin ${exported}; it needs: export default definePlugin({ format(event) { … } })`);
}

function absent(name, world) {
  return () => {
    throw `the plugin has no ${name}; add ${name} to definePlugin, or remove ${world} from wit/mine.wit`;
  };
}

// A description that is no function is checked when the plugin is built.
function described(describe) {
  if (describe === undefined) return absent('describe', 'plugin-with-settings');
  if (typeof describe === 'function') return describe;
  const description = PARTS.describe(describe);
  return () => description;
}

const asProblem = (message) => [{ level: 'error', message }];

// Calls a function of a plugin, and says what is wrong with it in words that name the author's line. `instead` is returned
// for such a text where the interface has no error.
function explained(name, work, instead) {
  return (argument) => {
    isAsked = true;
    try {
      return PARTS[name](work(corrected(argument)));
    } catch (error) {
      const text = explanation(error, work);
      if (instead !== undefined) return instead(text);
      throw text;
    }
  };
}

// An event or a batch. componentize-qjs passes a `u32` from 2³¹ on as a negative number.
function corrected(argument) {
  for (const { action } of argument?.events ?? [argument ?? {}]) {
    const ban = action?.tag === 'other' ? action.val.ban : action?.val;
    if (!isObject(ban)) continue;
    for (const key of ['failures', 'count']) if (ban[key] < 0) ban[key] >>>= 0;
    if (ban.duration?.val < 0) ban.duration.val >>>= 0;
  }
  return argument;
}

function explanation(error, work) {
  if (typeof error === 'string') return error.toWellFormed();
  if (!(error instanceof Error)) return `threw ${shown(error)}; throw a text or an Error`;
  const stack = error.stack ?? '';
  write('error', String(error).toWellFormed());
  for (const line of stack.split('\n')) if (line.trim() !== '') write('error', line.trim().toWellFormed());
  const place =
    placeOf(stack) ?? (work.lineNumber === undefined ? undefined : `${short(work.fileName)}:${work.lineNumber}`);
  return `${reasonOf(error)}${place === undefined ? '' : ` (${place})`}`.toWellFormed();
}

function reasonOf(error) {
  if (error instanceof ShapeError) return error.message;
  if (isObject(error.payload)) {
    const { code, message } = error.payload;
    return `a question has no answer: ${message} (${code}); catch it, and the message goes out without the answer`;
  }
  const reason = String(error);
  if (/call stack|stack overflow/i.test(reason)) return `${reason}; a function calls itself without end`;
  if (/out of memory/i.test(reason)) return `${reason}; it may use as much as limits.memory allows`;
  if (/of (null|undefined)\b/.test(reason)) return `${reason}; a field that is not known is null: use ?. or ??`;
  return reason;
}

// Where the author's code was, by a stack: the first place that is not in this file.
function placeOf(stack) {
  const places = stack.matchAll(/([^\s()]+):(\d+):\d+\)?$/gm);
  for (const [, file, line] of places) if (file !== OWN) return `${short(file)}:${line}`;
  return undefined;
}

const OWN = /([^\s()]+):\d+:\d+\)?$/m.exec(new Error().stack ?? '')?.[1];
// The plugin's directory: this file is in a directory of it.
const ROOT = OWN?.replace(/(node_modules\/)?[^/]+\/[^/]+$/, '');

// A file in the plugin's directory. What is made of plugin.ts has its lines.
function short(file) {
  const path = ROOT !== undefined && file.startsWith(ROOT) ? file.slice(ROOT.length) : file;
  return path.replace(/\.ts\.js$/, '.ts');
}

// Names that are nearly right.

const quoted = (name) => `"${name}"`;

function isUnknown(what, found, names) {
  return `unknown ${what} "${found}"; ${meant(found, names) ?? `known are ${names.join(', ')}`}`;
}

function listed(names) {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

function meant(found, names) {
  if (typeof found !== 'string') return undefined;
  const nearest = names
    .map((name) => ({ name, distance: distance(found.toLowerCase(), name.toLowerCase()) }))
    .reduce((one, other) => (other.distance < one.distance ? other : one));
  return nearest.distance <= Math.max(1, Math.floor(nearest.name.length / 3))
    ? `did you mean "${nearest.name}"?`
    : undefined;
}

// How many characters have to be added, removed, replaced or exchanged with the next.
function distance(a, b) {
  if (Math.abs(a.length - b.length) > 4) return Infinity;
  const rows = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i += 1) {
    rows.push([i]);
    for (let j = 1; j <= b.length; j += 1) {
      const isSame = a[i - 1] === b[j - 1];
      rows[i][j] = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (isSame ? 0 : 1));
      const isExchanged = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isExchanged) rows[i][j] = Math.min(rows[i][j], rows[i - 2][j - 2] + 1);
    }
  }
  return rows[a.length][b.length];
}
