import {
  block,
  bold,
  clock,
  code,
  date,
  definePlugin,
  hold,
  post,
  rich,
  settings,
  skip,
} from './sdk/banhook-plugin.js';

const OPENS = '08:00';
const CLOSES = '18:00';
// Jails that the digest lists.
const LISTED_JAILS = 10;

export default definePlugin({
  format({ action, at, host, jail }) {
    if (action.tag !== 'ban') return skip('only bans');
    const ban = action.val;
    if (ban.restored) return skip('restored after a restart');

    const isCritical = lines('critical').includes(jail);
    const now = clock.local(at);
    if (!isCritical && !isOpen(now)) return hold('closed', { until: nextOpening(now) });
    const text = rich`${code(ban.subject ?? 'somebody')} banned in ${bold(jail)} on ${host}`;
    return post(text, { color: isCritical ? 'danger' : 'warning' });
  },

  digest({ cause, first, totals }) {
    // Storms and restarts: banhook's own text goes out.
    if (cause !== 'held') return post('a digest', { hints: { digest: 'built-in' } });
    const bans = totals.bans === 1 ? '1 ban' : `${totals.bans} bans of ${totals.subjects} subjects`;
    const text = rich`${bold(bans)} while the office was closed, the first at ${date(first, 'time')}`;
    const rows = totals.byJail.slice(0, LISTED_JAILS).map((tally) => [tally.name, String(tally.bans)]);
    const more = totals.jails - rows.length;
    return post(text, {
      color: 'good',
      blocks: [
        block.section(text),
        block.table([['Jail', 'Bans'], ...rows]),
        more > 0 && block.context(`and ${more} more`),
      ],
    });
  },

  describe: {
    name: 'office-hours',
    version: '1.0.0',
    settings: [
      { name: 'opens', kind: 'text', description: 'When the office opens', default: OPENS },
      { name: 'closes', kind: 'text', description: 'When it closes', default: CLOSES },
      { name: 'weekends', kind: 'boolean', description: 'Whether it opens on weekends, too', default: 'false' },
      { name: 'critical', kind: 'lines', description: 'Jails whose bans are posted at any time' },
    ],
  },

  check() {
    const error = (setting, message) => ({ setting, level: 'error', message });
    for (const setting of ['opens', 'closes']) {
      const value = settings.get(setting);
      if (value !== null && minutesOf(value) === undefined) return [error(setting, 'write a time as "08:30"')];
    }
    const { opens, closes } = hours();
    return opens < closes ? [] : [error('closes', 'the office must close after it opens')];
  },
});

// The entries of a setting that is a list.
function lines(name) {
  return settings.get(name)?.split('\n') ?? [];
}

// Minutes of the day at which the office opens and closes.
function hours() {
  return {
    opens: minutesOf(settings.get('opens') ?? OPENS),
    closes: minutesOf(settings.get('closes') ?? CLOSES),
  };
}

function minutesOf(text) {
  const time = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text);
  return time === null ? undefined : Number(time[1]) * 60 + Number(time[2]);
}

function isOpen({ weekday, hour, minute }) {
  const isWeekend = weekday === 'saturday' || weekday === 'sunday';
  if (isWeekend && settings.get('weekends') !== 'true') return false;
  const { opens, closes } = hours();
  const time = hour * 60 + minute;
  return opens <= time && time < closes;
}

// When the office opens next. A hold lasts a day at most, so on a weekend the digest goes out at that time of the day,
// too.
function nextOpening(now) {
  const { opens } = hours();
  const isToday = now.hour * 60 + now.minute < opens;
  return clock.at({
    ...now,
    day: isToday ? now.day : now.day + 1,
    hour: Math.floor(opens / 60),
    minute: opens % 60,
    second: 0,
  });
}
