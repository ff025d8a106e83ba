// @if history
import { bans } from 'banhook:plugin/history@0.1.0';
// @end
// @if geo
import { lookup } from 'banhook:plugin/geo@0.1.0';
// @end
import { write } from 'banhook:plugin/log@0.1.0';
import { get } from 'banhook:plugin/settings@0.1.0';

// @if history
const WEEK = 7 * 86400;
// @end

export const formatter = {
  format: (event) => explained(() => decide(event)),
};
// @if digest

export const digester = {
  digest: (batch) => explained(() => decideDigest(batch)),
};
// @end
// @if check

export const descriptor = {
  describe: () => ({
    name: '{{name}}',
    version: '0.1.0',
    settings: [
      { name: 'office', kind: 'text', description: 'What the addresses of our own office begin with' },
    ],
  }),
};

export const checker = {
  check: () => explained(() => (get('office') === '' ? [{ setting: 'office', level: 'error', message: EMPTY_OFFICE }] : [])),
};

const EMPTY_OFFICE = 'every address begins with an empty text; leave the setting out instead';
// @end

// What becomes of an event: `post` a message, `skip` it for a reason, or `hold` it for a digest.
function decide(event) {
  const { tag, val: ban } = event.action;
  if (tag !== 'ban' && tag !== 'unban') return { tag: 'skip', val: 'only bans and unbans' };
  if (ban.restored) return { tag: 'skip', val: 'restored after a restart' };
  const office = get('office');
  if (office != null && ban.subject?.startsWith(office)) return { tag: 'skip', val: 'our own office' };
  return { tag: 'post', val: message(event, ban) };
}

// Text of `rich` is shown as it is, whatever an attacker wrote into it.
function message(event, ban) {
  const isBan = event.action.tag === 'ban';
  const spans = [
    { tag: 'emoji', val: isBan ? 'no_entry' : 'white_check_mark' },
    text(' '),
    text(ban.subject ?? 'somebody', { code: true }),
    text(isBan ? ' banned in ' : ' unbanned in '),
    text(event.jail, { bold: true }),
    text(` on ${event.host}`),
  ];
  // @if geo
  const place = whereFrom(ban.subject);
  if (place != null) spans.push(text(`, from ${place}`));
  // @end
  // @if history
  const times = isBan ? timesBanned(ban.subject) : 1;
  if (times > 1) spans.push(text(`, ban ${times} within a week`));
  // @end
  return { text: { tag: 'rich', val: spans } };
}

function text(text, style) {
  return { tag: 'text', val: { text, style } };
}
// @if history

// How many times a subject was banned within a week, this time included.
function timesBanned(subject) {
  if (subject == null) return 1;
  try {
    return bans({ subject: { tag: 'exact', val: subject }, within: WEEK }).bans + 1;
  } catch {
    return 1; // banhook has logged why there is no answer.
  }
}
// @end
// @if geo

// The country in which an address is registered, if that is known.
function whereFrom(subject) {
  if (subject == null) return null;
  try {
    const place = lookup(subject);
    return place?.countryName ?? place?.country;
  } catch {
    return null; // banhook has logged why there is no answer.
  }
}
// @end
// @if digest

function decideDigest({ totals }) {
  if (totals.bans === 0) return { tag: 'post', val: { text: plainText(`${totals.events} events`), hints: [['digest', 'built-in']] } };
  const jails = totals.byJail.map((jail) => `${jail.name} ${jail.bans}`).join(', ');
  return { tag: 'post', val: { text: plainText(`${totals.bans} bans of ${totals.subjects} subjects: ${jails}`) } };
}

function plainText(text) {
  return { tag: 'plain', val: text };
}
// @end

// Logs where an exception comes from: the message of banhook, and `banhook test`, have only its text otherwise.
function explained(work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error) {
      write('error', `${error}`);
      for (const line of (error.stack ?? '').split('\n')) if (line.trim() !== '') write('error', line.trim());
      throw `${error}`;
    }
    throw error;
  }
}
