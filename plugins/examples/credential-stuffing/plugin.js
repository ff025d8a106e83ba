import { block, bold, code, definePlugin, emoji, post, rich, settings, skip } from './sdk/banhook-plugin.js';

// How many different users are credential stuffing.
const USERS = '5';
const LISTED_USERS = 10;
const NAME_CHARS = 40;

// What services log before and after the name of a user. A name may contain anything, such as ` from `, so it begins
// after the first place and ends before the last one. No regular expression: whoever chose the name could make it slow.
const NAMES = [
  { before: 'Failed password for invalid user ', after: ' from ' }, // sshd
  { before: 'Failed password for ', after: ' from ' },
  { before: 'Invalid user ', after: ' from ' },
  { before: 'user=<', after: '>, ' }, // Dovecot
  { before: 'sasl_username=', after: '' }, // Postfix
  { before: 'user "', after: '": password mismatch' }, // nginx
  { before: 'user "', after: '" was not found in ' },
  { before: ' user=', after: '' }, // PAM
];

export default definePlugin({
  format({ action, host, jail }) {
    if (action.tag !== 'ban') return skip('only bans');
    const ban = action.val;
    if (ban.restored) return skip('restored after a restart');

    const subject = code(ban.subject ?? 'somebody');
    const users = linesByUser(ban.matches);
    if (users.length < Number(settings.get('users') ?? USERS))
      return post(rich`${subject} banned in ${bold(jail)} on ${host}`, { color: 'warning', tags: ['guessing'] });

    const sign = emoji('busts_in_silhouette');
    const text = rich`${sign} ${subject} tried ${bold(`${users.length} users`)} in ${jail} on ${host}`;
    const rows = users.slice(0, LISTED_USERS).map(([name, lines]) => [shown(name), String(lines)]);
    return post(text, {
      color: 'danger',
      tags: ['credential stuffing'],
      blocks: [
        block.header('Credential stuffing'),
        block.section(text, { fields: { Failures: ban.failures } }),
        block.table([['User', 'Log lines'], ...rows]),
        users.length > rows.length && block.context(`and ${users.length - rows.length} more`),
      ],
    });
  },

  describe: {
    name: 'credential-stuffing',
    version: '1.0.0',
    settings: [
      {
        name: 'users',
        kind: 'number',
        description: 'How many different users are credential stuffing',
        default: USERS,
      },
    ],
  },

  check() {
    if (/^[1-9]\d*$/.test(settings.get('users') ?? USERS)) return [];
    return [{ setting: 'users', level: 'error', message: 'write a whole number from 1' }];
  },
});

// Users, and how many log lines name them, most first.
function linesByUser(matches) {
  const users = new Map();
  for (const line of matches) {
    const name = nameIn(line);
    if (name !== undefined) users.set(name, (users.get(name) ?? 0) + 1);
  }
  return [...users].sort(([, some], [, others]) => others - some);
}

function nameIn(line) {
  for (const { before, after } of NAMES) {
    const start = line.indexOf(before) + before.length;
    const end = line.lastIndexOf(after);
    if (start >= before.length && end >= start) return line.slice(start, end);
  }
  return undefined;
}

function shown(name) {
  const characters = [...name];
  if (characters.length === 0) return '(empty)';
  return characters.length > NAME_CHARS ? `${characters.slice(0, NAME_CHARS).join('')}…` : name;
}
