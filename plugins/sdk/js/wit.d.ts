// The interfaces of wit/ as modules, with the names and shapes that componentize-qjs gives them. What may be absent is null
// in values from banhook, and undefined, null or left out in values for it.

declare module 'banhook:plugin/types@0.1.0' {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  export type Timestamp = number;
  /** Sorted pairs of a name and a text. */
  export type Labels = [name: string, text: string][];

  /** One thing fail2ban did. */
  export interface Event {
    id: string;
    at: Timestamp;
    host: string;
    jail: string;
    action: Action;
    labels: Labels;
  }

  export type Action =
    | { tag: 'start' }
    | { tag: 'stop' }
    | { tag: 'flush' }
    | { tag: 'ban'; val: Ban }
    | { tag: 'unban'; val: Ban }
    | { tag: 'other'; val: OtherAction };

  export interface OtherAction {
    name: string;
    ban: Ban | null;
  }

  /** A ban, when it begins and when it ends. */
  export interface Ban {
    subject: string | null;
    family: 'ipv4' | 'ipv6' | 'ipv4-network' | 'ipv6-network' | 'name' | 'other';
    failures: number | null;
    byHand: boolean | null;
    count: number | null;
    duration: { tag: 'seconds'; val: number } | { tag: 'permanent' } | null;
    restored: boolean;
    began: Timestamp | null;
    matches: string[];
  }
}

declare module 'banhook:plugin/digester@0.1.0' {
  import type { Event, Labels, Timestamp } from 'banhook:plugin/types@0.1.0';

  /** The events of one digest. */
  export interface Batch {
    key: string | null;
    cause: 'held' | 'storm' | 'backlog' | 'restart' | 'stop' | 'other';
    first: Timestamp;
    last: Timestamp;
    totals: Totals;
    /** At most 100: the first 50 and the last 50. */
    events: Event[];
    labels: Labels;
  }

  export interface Totals {
    events: number;
    starts: number;
    stops: number;
    flushes: number;
    bans: number;
    restored: number;
    unbans: number;
    subjects: number;
    jails: number;
    hosts: number;
    byJail: Tally[];
    byHost: Tally[];
    bySubject: Tally[];
    byTag: Tally[];
    labels: Labels;
  }

  export interface Tally {
    name: string;
    events: number;
    bans: number;
  }
}

declare module 'banhook:plugin/log@0.1.0' {
  export function write(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
}

declare module 'banhook:plugin/settings@0.1.0' {
  /** null: not set. */
  export function get(key: string): string | null;
  export function all(): [key: string, value: string][];
}

declare module 'banhook:plugin/clock@0.1.0' {
  import type { Timestamp } from 'banhook:plugin/types@0.1.0';

  export interface LocalTime {
    year: number;
    month: number;
    day: number;
    weekday: 'monday' | 'tuesday' | 'wednesday' | 'thursday' | 'friday' | 'saturday' | 'sunday';
    hour: number;
    minute: number;
    second: number;
    offsetMinutes: number;
  }

  export function now(): Timestamp;
  /** In the route's `timezone`. */
  export function local(at: Timestamp): LocalTime;
  export function at(local: LocalTime): Timestamp;
}

declare module 'banhook:plugin/history@0.1.0' {
  import type { Labels, Timestamp } from 'banhook:plugin/types@0.1.0';

  export interface Query {
    subject?: { tag: 'exact'; val: string } | { tag: 'network'; val: string } | null;
    jail?: string | null;
    host?: string | null;
    /** Seconds back from `now`, less than 2^31. */
    within?: number | null;
    hints?: Labels | null;
  }

  export interface Summary {
    bans: number;
    subjects: number;
    hosts: number;
    first: Timestamp | null;
    last: Timestamp | null;
    byJail: [jail: string, bans: number][];
    byHost: [host: string, bans: number][];
    labels: Labels;
  }

  /** Throws an Error with a `payload` `{ code, message }` if there is no answer. */
  export function bans(of: Query): Summary;
}

declare module 'banhook:plugin/geo@0.1.0' {
  import type { Labels } from 'banhook:plugin/types@0.1.0';

  export interface Place {
    country: string | null;
    countryName: string | null;
    asNumber: number | null;
    asName: string | null;
    labels: Labels;
  }

  /** Throws an Error with a `payload` `{ code, message }` if there is no answer. */
  export function lookup(subject: string): Place | null;
}
