// @if history
import { bans } from 'banhook:plugin/history@0.1.0';
// @end
// @if geo
import { lookup } from 'banhook:plugin/geo@0.1.0';
// @end
import { bold, code, definePlugin, emoji, post, rich, settings, skip } from './sdk/banhook-plugin.js';
// @if history

const WEEK = 7 * 86400;
// @end

export default definePlugin({
  // What becomes of an event: `post` a message, `skip` it for a reason, or `hold` it for a digest.
  format({ action, host, jail }) {
    if (action.tag !== 'ban' && action.tag !== 'unban') return skip('only bans and unbans');
    const ban = action.val;
    if (ban.restored) return skip('restored after a restart');
    const office = settings.get('office');
    if (office !== null && ban.subject?.startsWith(office)) return skip('our own office');

    const isBan = action.tag === 'ban';
    const sign = emoji(isBan ? 'no_entry' : 'white_check_mark');
    const subject = code(ban.subject ?? 'somebody');
    // A value in `rich` is shown as it is, whatever an attacker wrote into it.
    let text = rich`${sign} ${subject} ${isBan ? 'banned' : 'unbanned'} in ${bold(jail)} on ${host}`;
    // @if geo
    const place = whereFrom(ban.subject);
    if (place !== null) text = rich`${text}, from ${place}`;
    // @end
    // @if history
    const times = isBan ? timesBanned(ban.subject) : 1;
    if (times > 1) text = rich`${text}, ban ${times} within a week`;
    // @end
    return post(text);
  },
  // @if digest

  digest({ totals }) {
    // banhook's own text goes out.
    if (totals.bans === 0) return post(`${totals.events} events`, { hints: { digest: 'built-in' } });
    const jails = totals.byJail.map((jail) => `${jail.name} ${jail.bans}`).join(', ');
    return post(`${totals.bans} bans of ${totals.subjects} subjects: ${jails}`);
  },
  // @end
  // @if check

  describe: {
    name: '{{name}}',
    version: '0.1.0',
    settings: [
      { name: 'office', kind: 'text', description: 'What the addresses of our own office begin with' },
    ],
  },

  check() {
    if (settings.get('office') !== '') return [];
    const message = 'every address begins with an empty text; leave the setting out instead';
    return [{ setting: 'office', level: 'error', message }];
  },
  // @end
});
// @if history

// How many times a subject was banned within a week, this time included.
function timesBanned(subject) {
  if (subject === null) return 1;
  try {
    return bans({ subject: { tag: 'exact', val: subject }, within: WEEK }).bans + 1;
  } catch {
    return 1; // banhook has logged why there is no answer.
  }
}
// @end
// @if geo

// The country in which an address is registered, or null if that is not known.
function whereFrom(subject) {
  if (subject === null) return null;
  try {
    const place = lookup(subject);
    return place?.countryName ?? place?.country ?? null;
  } catch {
    return null; // banhook has logged why there is no answer.
  }
}
// @end
