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
  const picture = get('picture');
  const accessory = picture != null ? { url: picture, alt: 'a picture' } : undefined;
  const blocks = [{ tag: 'section', val: { text, fields: fields(event, ban), accessory } }];
  if (ban.matches.length === 1) blocks.push({ tag: 'preformatted', val: ban.matches[0] });
  if (ban.matches.length > 1) blocks.push({ tag: 'bullets', val: ban.matches.map((val) => ({ tag: 'plain', val })) });
  const url = get('runbook');
  if (url != null) {
    const link = { tag: 'link', val: { label: 'What to do', url } };
    blocks.push({ tag: 'context', val: [{ tag: 'text', val: { tag: 'rich', val: [link] } }] });
  }
  // All bans in a jail are one conversation.
  const message = { text, blocks, thread: event.jail, name: event.id };
  if (ban.duration?.tag === 'permanent') {
    // A permanent ban does not vanish in a storm's digest; in that of a backlog it counts as permanent.
    return { ...message, color: { tag: 'danger' }, hints: [['digest', 'never']], tags: ['permanent'] };
  }
  return ban.byHand ? { ...message, color: { tag: 'rgb', val: [0x80, 0x40, 0xc0] } } : message;
}

// The label `site` of the configuration.
function site(event) {
  return event.labels.find(([name]) => name === 'site')?.[1];
}

// The host escapes spans of `rich` text, so text from outside needs no escaping here.
function headline(event, ban) {
  const place = site(event);
  const spans = [
    { tag: 'emoji', val: 'no_entry' },
    plain(' '),
    plain(ban.subject ?? 'somebody', { code: true }),
    plain(' banned in '),
    plain(event.jail, { bold: true }),
    plain(` on ${event.host}${place != null ? ` (${place})` : ''}`),
  ];
  if (ban.began != null) spans.push(plain(', '), { tag: 'date', val: { at: ban.began, format: 'relative' } });
  const user = get('call');
  if (user != null) spans.push(plain(' '), { tag: 'mention', val: { tag: 'user', val: user } });
  return { tag: 'rich', val: spans };
}

function plain(text, style) {
  return { tag: 'text', val: { text, style } };
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
