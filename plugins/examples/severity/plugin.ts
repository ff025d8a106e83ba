import { block, bold, code, definePlugin, post, rich, settings, skip } from './sdk/banhook-plugin.js';
import type { Ban, Button, Color } from './sdk/banhook-plugin.js';

type Severity = 'critical' | 'high' | 'low';

const COLORS: Record<Severity, Color> = { critical: 'danger', high: 'warning', low: '#808080' };

// What stands for the jail's name in the setting `runbook`.
const JAIL = '{jail}';

export default definePlugin({
  format({ action, host, jail }) {
    if (action.tag !== 'ban') return skip('only bans');
    const ban = action.val;
    if (ban.restored) return skip('restored after a restart');

    const severity = severityOf(jail);
    const text = rich`${bold(severity)}: ${code(ban.subject ?? 'somebody')} banned in ${bold(jail)} on ${host}`;
    const buttons = [runbook(jail), ...reputation(ban)].filter((button) => button !== null);
    return post(text, {
      color: COLORS[severity],
      tags: [severity],
      blocks: [
        block.section(text, { fields: { Failures: ban.failures, 'Times banned': ban.count } }),
        buttons.length > 0 && block.buttons(...buttons),
      ],
    });
  },

  describe: {
    name: 'severity',
    version: '1.0.0',
    settings: [
      { name: 'critical', kind: 'lines', description: 'Jails whose bans are critical' },
      { name: 'high', kind: 'lines', description: 'Jails whose bans are of high severity; all others are low' },
      { name: 'runbook', kind: 'text', description: `URL of the runbook, with ${JAIL} for the name of the jail` },
    ],
  },

  check() {
    const url = settings.get('runbook');
    if (url === null || /^https?:\/\//.test(url)) return [];
    const message = `write a URL, such as "https://wiki.example.org/${JAIL}"`;
    return [{ setting: 'runbook', level: 'error', message }];
  },
});

function severityOf(jail: string): Severity {
  const isIn = (list: Severity) => settings.get(list)?.split('\n').includes(jail);
  if (isIn('critical')) return 'critical';
  return isIn('high') ? 'high' : 'low';
}

function runbook(jail: string): Button | null {
  const url = settings.get('runbook');
  // Encoded, since a name may contain anything.
  return url === null ? null : { label: 'Runbook', url: url.replaceAll(JAIL, () => encodeURIComponent(jail)) };
}

// Who knows an address. What is no address has no link.
function reputation({ family, subject }: Ban): Button[] {
  if (subject === null || (family !== 'ipv4' && family !== 'ipv6')) return [];
  const address = encodeURIComponent(subject);
  return [
    { label: 'AbuseIPDB', url: `https://www.abuseipdb.com/check/${address}` },
    { label: 'Shodan', url: `https://www.shodan.io/host/${address}` },
  ];
}
