/// <reference path="./wit.d.ts" />
import type { LocalTime } from 'banhook:plugin/clock@0.1.0';
import type { Batch } from 'banhook:plugin/digester@0.1.0';
import type { Event, Timestamp } from 'banhook:plugin/types@0.1.0';

export type { LocalTime } from 'banhook:plugin/clock@0.1.0';
export type { Batch, Tally, Totals } from 'banhook:plugin/digester@0.1.0';
export type { Action, Ban, Event, Labels, OtherAction, Timestamp } from 'banhook:plugin/types@0.1.0';

/** What may be left out. */
type Absent = undefined | null;
/** A list in which an item may be left out: `condition && item`. */
type Sparse<T> = readonly (T | Absent | false)[];

export type Style = {
  bold?: boolean | Absent;
  italic?: boolean | Absent;
  strike?: boolean | Absent;
  code?: boolean | Absent;
};

export type Mention =
  { tag: 'user'; val: string } | { tag: 'group'; val: string } | { tag: 'channel' } | { tag: 'here' };

/** A piece of rich text. */
export type Span =
  | { tag: 'text'; val: { text: string; style?: Style | Absent } }
  | { tag: 'emoji'; val: string }
  | { tag: 'link'; val: { url: string; label?: string | Absent; style?: Style | Absent } }
  | { tag: 'date'; val: { at: Timestamp | Date; format?: DateFormat | Absent } }
  | { tag: 'mention'; val: Mention };

export type DateFormat = 'date-time' | 'date' | 'time' | 'relative';

export type RichText = { tag: 'rich'; val: readonly Span[] };
export type Mrkdwn = { tag: 'mrkdwn'; val: string };

/** A text. A plain string is shown as it is, whatever it contains. */
export type Text = string | { tag: 'plain'; val: string } | Mrkdwn | RichText | Span;

export type Thumbnail = { url: string; alt: string };
export type Fields =
  readonly { label: string; value: Text }[] | { readonly [label: string]: Text | number | boolean | Absent };
export type Button = { label: string; url: string; style?: 'primary' | 'danger' | Absent };
export type ContextElement = Text | { tag: 'text'; val: Text } | { tag: 'image'; val: Thumbnail };

/** A part of a message; made by `block`. */
export type Block =
  | { tag: 'header'; val: string }
  | { tag: 'section'; val: { text?: Text | Absent; fields?: Fields | Absent; accessory?: Thumbnail | Absent } }
  | { tag: 'context'; val: Sparse<ContextElement> }
  | { tag: 'divider' }
  | { tag: 'image'; val: { url: string; alt: string; title?: string | Absent } }
  | { tag: 'buttons'; val: Sparse<Button> }
  | { tag: 'preformatted'; val: string }
  | { tag: 'table'; val: readonly (readonly Text[])[] }
  | { tag: 'raw'; val: string | object }
  | { tag: 'bullets'; val: readonly Text[] }
  | { tag: 'numbers'; val: readonly Text[] }
  | { tag: 'quote'; val: Text };

export type Color =
  | 'good'
  | 'warning'
  | 'danger'
  | `#${string}`
  | readonly [red: number, green: number, blue: number]
  | { tag: 'good' | 'warning' | 'danger' }
  | { tag: 'rgb'; val: readonly [red: number, green: number, blue: number] };

export type Hints = readonly (readonly [name: string, text: string])[] | { readonly [name: string]: string };

/** What a message has besides its text. */
export interface MessageOptions {
  /** What the channel shows instead of the text. */
  blocks?: Sparse<Block> | Absent;
  /** The bar at the left. */
  color?: Color | Absent;
  hints?: Hints | Absent;
  /** What the event counts as in a digest's `totals.byTag`. */
  tags?: Sparse<string> | Absent;
  /** The conversation that it belongs to. */
  thread?: string | Absent;
  /** Its own name, by which a later message can replace it. */
  name?: string | Absent;
  /** The name of the message that this one changes. */
  replaces?: string | Absent;
}

export type Message = { text: Text } & MessageOptions;

export interface HoldOptions {
  /** The latest time; a day away at most. */
  until?: Timestamp | Date | Absent;
  tags?: Sparse<string> | Absent;
  hints?: Hints | Absent;
}

type Post = { tag: 'post'; val: Message };
type Skip = { tag: 'skip'; val: string };

/** What becomes of an event. */
export type Decision = Post | Skip | { tag: 'hold'; val: { key: string } & HoldOptions };
/** What becomes of a digest. */
export type DigestDecision = Post | Skip | { tag: 'hold'; val: Timestamp | Date };

export interface Problem {
  /** The setting at fault. */
  setting?: string | Absent;
  /** The line of its text, from 1. */
  line?: number | Absent;
  /** `warn`: the plugin is used all the same. */
  level: 'warn' | 'error';
  message: string;
  hints?: Hints | Absent;
}

export interface Setting {
  name: string;
  kind: 'text' | 'number' | 'boolean' | 'lines';
  description: string;
  default?: string | Absent;
}

export interface Description {
  name: string;
  version?: string | Absent;
  settings: readonly Setting[];
  hints?: Hints | Absent;
}

/** The functions of a plugin. Throw a text to fail with it. */
export interface PluginFunctions {
  /** Decides on one event. */
  format(event: Event): Decision;
  /** Decides on a digest; for a world with `plugin-with-digest`. */
  digest?(batch: Batch): DigestDecision;
  /** Finds bad settings; for a world with `plugin-with-settings`. */
  check?(): Sparse<Problem> | Absent | void;
  /** Says which settings there are; for a world with `plugin-with-settings`. */
  describe?: Description | (() => Description);
}

/** The exports of a component. */
export interface Plugin {
  formatter: { format(event: Event): Decision };
  digester: { digest(batch: Batch): DigestDecision };
  checker: { check(): Problem[] };
  descriptor: { describe(): Description };
}

/** Makes a plugin, whose results are checked and whose exceptions are explained. */
export function definePlugin(functions: PluginFunctions): Plugin;

/** Returns the exports of a module that has `export default definePlugin({ … })`. */
export function exportsOf(module: object): Plugin;

/** Sends a message. */
export function post(text: Text, options?: MessageOptions): Post;
/** Sends nothing. The reason is counted in `banhook status`. */
export function skip(reason: string): Skip;
/** Of a digest: keeps it open until then. */
export function hold(until: Timestamp | Date): { tag: 'hold'; val: Timestamp };
/** Of an event: holds it for a digest of this key. */
export function hold(key: string, options?: HoldOptions): { tag: 'hold'; val: { key: string } & HoldOptions };

/** `[routes.settings]` of the route: every value is text. null: not set. */
export const settings: { get(key: string): string | null; all(): [key: string, value: string][] };
/** banhook's log. */
export const log: { [level in 'debug' | 'info' | 'warn' | 'error']: (message: unknown) => void };
/** The event's time, and the wall clock of the route's time zone. */
export const clock: { now(): Timestamp; local(at: Timestamp | Date): LocalTime; at(local: LocalTime): Timestamp };

type Inert = string | number | bigint | boolean | Absent;

/**
 * Text with pieces that have a style: rich`${code(subject)} banned in ${bold(jail)}`. Every value is shown as it is,
 * whatever it contains; one that is undefined, null or false shows nothing.
 */
export function rich(
  strings: TemplateStringsArray,
  ...values: (Inert | Span | RichText | readonly (Inert | Span | RichText)[])[]
): RichText;
/** Slack's mrkdwn: the markup is the plugin's, and `&`, `<` and `>` of every value are escaped. */
export function mrkdwn(strings: TemplateStringsArray, ...values: (Inert | Mrkdwn)[]): Mrkdwn;

/** Styles can be combined: `bold(strike('x'))`. */
export function bold(text: Inert | Span): Span;
export function italic(text: Inert | Span): Span;
export function strike(text: Inert | Span): Span;
/** Monospaced. */
export function code(text: Inert | Span): Span;
/** An emoji by Slack's name: `no_entry`. */
export function emoji(name: string): Span;
/** A link; without a label the URL is shown. */
export function link(url: string, label?: string | Absent): Span;
/** A moment in the reader's time zone. */
export function date(at: Timestamp | Date, format?: DateFormat | Absent): Span;
/** Notifies people, if the route permits mentions. */
export const mention: { user(id: string): Span; group(id: string): Span; channel: Span; here: Span };

/** Blocks of a message. */
export const block: {
  /** Large and bold, one line. */
  header(text: string): Block;
  section(text: Text | Absent, options?: { fields?: Fields | Absent; accessory?: Thumbnail | Absent }): Block;
  /** Small and gray. */
  context(...elements: Sparse<ContextElement>): Block;
  divider: Block;
  image(url: string, alt: string, title?: string | Absent): Block;
  /** Links that look like buttons. */
  buttons(...buttons: Sparse<Button>): Block;
  /** Monospaced; cannot be broken out of. */
  preformatted(text: string): Block;
  /** Rows of cells; the first row is the heading. */
  table(rows: readonly (readonly Text[])[]): Block;
  /** Block Kit JSON, for Slack alone: an object, a list of them, or JSON. */
  raw(json: object | string): Block;
  bullets(items: readonly Text[]): Block;
  numbers(items: readonly Text[]): Block;
  /** Somebody else's words. */
  quote(text: Text): Block;
};
