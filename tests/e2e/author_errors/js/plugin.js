// Makes the mistake that the setting `mistake` names. Each is on a line of its own, which the author must be shown.
import { block, definePlugin, link, mention, post, rich, settings, skip } from './sdk/banhook-plugin.js';

const MISTAKES = {
  'wrong-type': ({ jail }, failures) => post(jail, { thread: failures }),
  'missing-field': ({ jail }) => post(jail, { blocks: [block.image('https://example.org/map.png')] }),
  'unknown-tag': ({ jail }) => ({ tag: 'psot', val: { text: jail } }),
  'misspelt-field': ({ jail }) => post(jail, { colour: 'danger' }),
  'nothing-returned': ({ jail }) => {
    if (jail === 'nginx') return skip('not that one');
  },
  exception: ({ action }) => skip(action.val.by.toUpperCase()),
  'wrong-setting': () => skip(`at most ${settings.get('most')}`),
  recursion: (event) => MISTAKES.recursion(event) + 1,
  memory: ({ jail }) => {
    const texts = [];
    for (;;) texts.push(new Float64Array(1e6).fill(jail.length));
  },
  loop: () => {
    for (;;);
  },
  'header-long': ({ jail }) => post(jail, { blocks: [block.header(jail.repeat(50))] }),
  'bad-url': ({ jail }) => post(rich`${jail}: ${link('example.org/runbook', 'what to do')}`),
  'bad-button': ({ jail }) => post(jail, { blocks: [block.buttons({ label: 'Look it up', url: 'javascript:alert(1)' })] }),
  'raw-no-json': ({ jail }) => post(jail, { blocks: [block.raw('{"type": "divider"')] }),
  mention: ({ jail }) => post(rich`${mention.user('U012AB3CD')} ${jail}`),
};

export default definePlugin({
  format: (event) => MISTAKES[settings.get('mistake')](event, event.action.val.failures),
  describe: {
    name: 'mistakes',
    settings: [
      { name: 'mistake', kind: 'text', description: 'Which one' },
      { name: 'most', kind: 'number', description: 'How many' },
    ],
  },
});
