// The example plugin in JavaScript: posts bans, skips events that are not news, and holds flushes for a digest.
//
// A thrown string is the `err` of `format`. So is a thrown Error with componentize-qjs; with componentize-js it traps.
import { local, now } from 'banhook:plugin/clock@0.1.0';
import { write } from 'banhook:plugin/log@0.1.0';
import { all, get } from 'banhook:plugin/settings@0.1.0';

export const formatter = {
  format(event) {
    write('info', `${event.jail} on ${event.host}`);
    write('debug', `settings: ${all().map(([key]) => key).join(', ')}`);

    if (get('retired') === event.host) throw `${event.host} is retired and should not ban anybody`;
    switch (event.action.tag) {
      case 'flush':
        return { tag: 'hold', val: { key: event.jail, until: until(), tags: [site(event)].filter((tag) => tag != null) } };
      case 'ban':
        if (event.action.val.restored) return { tag: 'skip', val: 'told before the restart' };
        return { tag: 'post', val: message(event, event.action.val) };
      default:
        return { tag: 'skip', val: 'only bans are told' };
    }
  },
};

// When the digest closes, from the setting `hold` (seconds). `undefined`: not set.
function until() {
  const hold = get('hold');
  if (hold == null) return undefined;
  if (!/^\d+$/.test(hold)) throw `setting "hold" is no number of seconds: ${hold}`;
  return now() + Number(hold) * 1000;
}

function message(event, ban) {
  const text = headline(event, ban);
  const blocks = [{ tag: 'section', val: { text, fields: fields(event, ban) } }];
  if (ban.matches.length > 0) blocks.push({ tag: 'preformatted', val: ban.matches.at(-1) });
  const url = get('runbook');
  if (url != null) {
    const link = { tag: 'link', val: { label: 'What to do', url } };
    blocks.push({ tag: 'context', val: [{ tag: 'rich', val: [link] }] });
  }
  if (ban.duration?.tag !== 'permanent') return { text, blocks };
  // A permanent ban does not vanish in a storm's digest; in that of a backlog it counts as permanent.
  return { text, blocks, color: 'danger', hints: [['digest', 'never']], tags: ['permanent'] };
}

// The label `site` of the configuration.
function site(event) {
  return event.labels.find(([name]) => name === 'site')?.[1];
}

// The host escapes spans of `rich` text, so text from outside needs no escaping here.
function headline(event, ban) {
  const place = site(event);
  return { tag: 'rich', val: [
    { tag: 'emoji', val: 'no_entry' },
    { tag: 'text', val: ' ' },
    { tag: 'code', val: ban.subject ?? 'somebody' },
    { tag: 'text', val: ' banned in ' },
    { tag: 'bold', val: event.jail },
    { tag: 'text', val: ` on ${event.host}${place != null ? ` (${place})` : ''}` },
  ] };
}

function fields(event, ban) {
  const duration = ban.duration && (ban.duration.tag === 'seconds' ? `${unsigned(ban.duration.val)} s` : 'permanent');
  return [
    ['Failures', ban.failures != null ? unsigned(ban.failures) : null],
    ['By hand', ban.byHand ? 'yes' : null],
    ['Bans so far', ban.count != null ? unsigned(ban.count) : null],
    ['For', duration],
    ['Local time', localTime(event.at)],
  ]
    .filter(([, value]) => value != null)
    .map(([label, value]) => ({ label, value: { tag: 'plain', val: String(value) } }));
}

// componentize-qjs 0.4 passes a `u32` from 2³¹ on as a negative number.
function unsigned(u32) {
  return u32 >>> 0;
}

// In the route's time zone, as in `Sunday 2026-11-22 11:56`.
function localTime(at) {
  const { weekday, year, month, day, hour, minute } = local(at);
  const two = (number) => String(number).padStart(2, '0');
  const name = weekday[0].toUpperCase() + weekday.slice(1);
  return `${name} ${year}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}`;
}
