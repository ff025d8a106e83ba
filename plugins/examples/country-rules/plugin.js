import { lookup } from 'banhook:plugin/geo@0.1.0';

import { bold, code, definePlugin, post, rich, settings, skip } from './sdk/banhook-plugin.js';

// An entry of a list: `DE`, or `AS64496`.
const RULE = /^(?:[A-Z]{2}|AS\d{1,10})$/;

export default definePlugin({
  format({ action, host, jail }) {
    if (action.tag !== 'ban') return skip('only bans');
    const { restored, subject } = action.val;
    if (restored) return skip('restored after a restart');

    const place = subject === null ? null : placeOf(subject);
    const isWatched = isListed(place, 'watch');
    // What is watched is an exception from what is ignored: a network of an ignored country.
    if (!isWatched && isListed(place, 'ignore')) return skip('an ignored country or network');
    const text = rich`${code(subject ?? 'somebody')} banned in ${bold(jail)} on ${host}`;
    const from = described(place);
    return post(from === null ? text : rich`${text}, from ${from}`, {
      color: isWatched ? 'danger' : undefined,
      tags: [place?.country],
    });
  },

  describe: {
    name: 'country-rules',
    version: '1.0.0',
    settings: [
      { name: 'watch', kind: 'lines', description: 'Countries and AS numbers whose bans are posted in red' },
      { name: 'ignore', kind: 'lines', description: 'Countries and AS numbers whose bans are skipped' },
    ],
  },

  check() {
    const message = 'write a country as "DE", and a network as "AS64496"';
    return ['watch', 'ignore'].flatMap((setting) =>
      lines(setting).map((rule, index) => !RULE.test(rule) && { setting, line: index + 1, level: 'error', message }),
    );
  },
});

// The entries of a setting that is a list.
function lines(name) {
  return settings.get(name)?.split('\n') ?? [];
}

// Where a subject is registered; null if that is not known.
function placeOf(subject) {
  try {
    const place = lookup(subject);
    // The engine passes a number from 2³¹ on as a negative one.
    return place === null ? null : { ...place, asNumber: place.asNumber === null ? null : place.asNumber >>> 0 };
  } catch {
    return null; // banhook has logged why there is no answer.
  }
}

function isListed(place, setting) {
  if (place === null) return false;
  return lines(setting).some((rule) => rule === place.country || rule === `AS${place.asNumber}`);
}

// The country and network in words; null if neither is known.
function described(place) {
  const country = place?.countryName ?? place?.country;
  const parts = [
    country && [flag(place.country), country].filter(Boolean).join(' '),
    place?.asNumber && [`AS${place.asNumber}`, place.asName].filter(Boolean).join(' '),
  ].filter(Boolean);
  return parts.length === 0 ? null : parts.join(', ');
}

// A flag is two letters of its own. Its emoji have other names in every chat, so it is text.
function flag(country) {
  if (!/^[A-Z]{2}$/.test(country ?? '')) return null;
  return String.fromCodePoint(...[...country].map((letter) => 0x1f1e6 + letter.charCodeAt(0) - 65));
}
