import { bans } from 'banhook:plugin/history@0.1.0';

import { block, bold, code, date, definePlugin, emoji, post, rich, settings, skip } from './sdk/banhook-plugin.js';

const WEEK = 7 * 86400;
// Bans within a week.
const POST_FROM = '3';
const ESCALATE_AFTER = '5';
const ESCALATE_TO = 'ops';

export default definePlugin({
  format({ action, host, jail }) {
    if (action.tag !== 'ban') return skip('only bans');
    const { restored, subject } = action.val;
    if (restored) return skip('restored after a restart');
    const past = subject === null ? null : pastBans(subject);
    // Better a message too many than an offender nobody hears of.
    if (past === null) return post(headline(subject, jail, host), { color: 'warning' });

    const count = past.bans + 1;
    if (count < number('post-from', POST_FROM)) return skip(`ban ${count} within a week`);
    const text = rich`${headline(subject, jail, host)}, ${bold(`ban ${count} within a week`)}`;
    const isEscalated = count >= number('escalate-after', ESCALATE_AFTER);
    return post(text, {
      color: 'danger',
      blocks: [
        block.section(isEscalated ? rich`${emoji('rotating_light')} ${text}` : text),
        block.bullets(past.byJail.map(([name, times]) => rich`${bold(name)}: ${times} before`)),
        past.first !== null && block.context(rich`since ${date(past.first)}, on ${hosts(past.hosts)}`),
      ],
      // All bans of an offender are one conversation. The name is that of this ban, for a message about its end.
      thread: subject,
      name: `${subject} in ${jail} on ${host}`,
      hints: isEscalated ? { webhook: settings.get('escalate-to') ?? ESCALATE_TO } : {},
    });
  },

  describe: {
    name: 'repeat-offender',
    version: '1.0.0',
    settings: [
      { name: 'post-from', kind: 'number', description: 'The ban within a week that is posted', default: POST_FROM },
      {
        name: 'escalate-after',
        kind: 'number',
        description: 'From how many bans within a week on it goes to another webhook',
        default: ESCALATE_AFTER,
      },
      { name: 'escalate-to', kind: 'text', description: 'One of the plugin_webhooks', default: ESCALATE_TO },
    ],
  },

  check() {
    return ['post-from', 'escalate-after']
      .filter((setting) => !/^[1-9]\d*$/.test(settings.get(setting) ?? '1'))
      .map((setting) => ({ setting, level: 'error', message: 'write a whole number from 1' }));
  },
});

function number(name, otherwise) {
  return Number(settings.get(name) ?? otherwise);
}

// The bans of a subject within a week, without the one that is decided on; null if that is not known.
function pastBans(subject) {
  try {
    return bans({ subject: { tag: 'exact', val: subject }, within: WEEK });
  } catch {
    return null; // banhook has logged why there is no answer.
  }
}

function headline(subject, jail, host) {
  return rich`${code(subject ?? 'somebody')} banned in ${bold(jail)} on ${host}`;
}

function hosts(count) {
  return count === 1 ? '1 host' : `${count} hosts`;
}
