import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import './host.js';

const sdk = await import('../index.js');
const {
  block,
  bold,
  code,
  date,
  definePlugin,
  emoji,
  exportsOf,
  hold,
  italic,
  link,
  mention,
  mrkdwn,
  post,
  rich,
  skip,
  strike,
} = sdk;
const { clock, log, settings } = sdk;

const plain = (text) => ({ tag: 'text', val: { text, style: undefined } });
const event = { action: { tag: 'start' }, jail: 'sshd' };

beforeEach(() => {
  globalThis.logged = [];
});

/** What `format` throws for a decision. */
function failure(decide) {
  const { formatter } = definePlugin({ format: decide });
  try {
    formatter.format(event);
  } catch (error) {
    return error;
  }
  return assert.fail('format returned');
}

/** What a plugin whose `format` returns this passes to banhook. */
const passed = (decision) => definePlugin({ format: () => decision }).formatter.format(event);

// First: it is true until a function of a plugin is called.
test('a question while the plugin is built says where it belongs', () => {
  assert.throws(
    () => settings.get('office'),
    /settings\.get has no answer while the plugin is built; call it in format/,
  );
  const ask = () => {
    log.info(5);
    return skip(`${settings.get('office')} ${clock.now()} ${clock.local(new Date(7))}`);
  };
  assert.equal(definePlugin({ format: ask }).formatter.format(event).val, 'office 5 7');
  assert.deepEqual(globalThis.logged, [['info', '5']]);
});

test('rich text joins texts of one template and keeps pieces apart', () => {
  const hostile = '<!channel> *b* `c`';
  assert.deepEqual(rich`${emoji('no_entry')} ${code(hostile)} in ${'sshd'} on ${'web-1'}`.val, [
    { tag: 'emoji', val: 'no_entry' },
    plain(' '),
    {
      tag: 'text',
      val: { text: hostile, style: { bold: undefined, italic: undefined, strike: undefined, code: true } },
    },
    plain(' in sshd on web-1'),
  ]);
  assert.deepEqual(rich`${rich`a`}, b${null}${false}${undefined}${[1, rich`c`]}`.val, ['a', ', b1', 'c'].map(plain));
});

test('styles, links, dates and mentions are pieces of rich text', () => {
  assert.deepEqual(bold(strike('x')).val.style, { bold: true, italic: undefined, strike: true, code: undefined });
  assert.equal(italic(link('https://example.org', 'x')).val.style.italic, true);
  assert.deepEqual(date(new Date(5), 'relative'), { tag: 'date', val: { at: 5, format: 'relative' } });
  assert.deepEqual(mention.user('U1'), { tag: 'mention', val: { tag: 'user', val: 'U1' } });
  assert.throws(() => date(NaN), /date\.at: expected a time.*, found the number NaN/);
  assert.throws(() => rich`${new Date(5)}`, /write date\(…\)/);
  assert.throws(() => rich`${{ a: 1 }}`, /rich: value 1: expected a text or a number, found an object with a/);
});

test('mrkdwn escapes values once', () => {
  assert.equal(mrkdwn`*${'<!channel> & <https://x|y>'}*`.val, '*&lt;!channel&gt; &amp; &lt;https://x|y&gt;*');
  assert.equal(mrkdwn`${mrkdwn`_${'&'}_`} \n`.val, '_&amp;_ \n');
  assert.throws(() => mrkdwn`${bold('x')}`, /or use rich/);
});

test('half of a character is replaced', () => {
  assert.equal(skip('😀'.slice(0, 1)).val, '\ufffd');
  assert.equal(rich`${'😀'.slice(0, 1)}`.val[0].val.text, '\ufffd');
});

test('messages have shorter forms of colors, hints, fields and lists', () => {
  const { val } = post('x', {
    color: '#8040c0',
    hints: { digest: 'never' },
    tags: ['DE', null],
    blocks: [
      false && block.divider,
      block.section(bold('x'), { fields: { Failures: 5, 'By hand': null } }),
      block.context('a', { tag: 'image', val: { url: 'https://x', alt: 'x' } }),
      block.raw({ type: 'divider' }),
    ],
  });
  assert.deepEqual(val.color, { tag: 'rgb', val: [128, 64, 192] });
  assert.deepEqual(val.hints, [['digest', 'never']]);
  assert.deepEqual(val.tags, ['DE']);
  assert.deepEqual(val.blocks[0].val.fields, [{ label: 'Failures', value: { tag: 'plain', val: '5' } }]);
  assert.equal(val.blocks[0].val.text.tag, 'rich');
  assert.deepEqual(val.blocks[1].val[0], { tag: 'text', val: { tag: 'plain', val: 'a' } });
  assert.equal(val.blocks[2].val, '{"type":"divider"}');
  assert.deepEqual(passed(post('x')), { tag: 'post', val: { ...post('x').val } });
});

test('what is passed on twice stays the same', () => {
  const text = rich`${bold('x')} ${emoji('a')} ${link('https://x')} ${date(5)} ${mention.here}`;
  const blocks = [
    block.context(bold('y'), 'z'),
    block.table([['a'], [mrkdwn`b`]]),
    block.buttons({ label: 'l', url: 'u' }),
  ];
  const once = post(text, { blocks, color: [1, 2, 3] });
  assert.deepEqual(passed(once), once);
  assert.deepEqual(passed(hold('k', { until: new Date(5), tags: ['a'] })).val, {
    key: 'k',
    until: 5,
    tags: ['a'],
    hints: undefined,
  });
});

test('a decision of the wrong shape names path, expectation, finding and remedy', () => {
  for (const [decide, ...parts] of [
    [
      () => undefined,
      'format must return post(…), skip(…) or hold(…), and returned nothing; return one of them on every path',
    ],
    [async () => skip('x'), 'returned a promise; it cannot be async'],
    [() => 'x', 'returned the text "x"'],
    [() => ({ tag: 'psot', val: {} }), 'decision: unknown tag "psot"; did you mean "post"?'],
    [() => ({ tag: 'post', val: { blocks: [] } }), 'decision.post.text is missing: expected a text'],
    [
      () => ({ tag: 'post', val: { text: 'x', colour: 'red' } }),
      'decision.post: unknown field "colour"; did you mean "color"?',
    ],
    [() => post('x', { color: 'dangr' }), 'post.color', 'did you mean "danger"?', 'plugin.test.js:'],
    [
      () => post('x', { blocks: [{ tag: 'header', val: 5 }] }),
      'post.blocks[0].header: expected a text, found the number 5',
      'String(…)',
    ],
    [
      () => post({ tag: 'rich', val: [{ tag: 'text', val: { text: 'x', style: { bald: true } } }] }),
      'unknown field "bald"; did you mean "bold"?',
    ],
    [() => block.raw('{'), 'block.raw: expected Block Kit JSON'],
    [() => block.image('https://x'), 'block.image.alt is missing'],
    [() => hold(), 'hold.key is missing: expected a text'],
  ]) {
    const text = failure(decide);
    for (const part of parts) assert.ok(text.includes(part), `${part}: ${text}`);
  }
});

test('an exception names its line, and the log has the stack', () => {
  const text = failure(({ action }) => action.val.subject);
  assert.match(
    text,
    /^TypeError: .*undefined.*; a field that is not known is null: use \?\. or \?\? \(js\/test\/plugin\.test\.js:\d+\)$/,
  );
  assert.ok(globalThis.logged.length > 1 && globalThis.logged.every(([level]) => level === 'error'));
  assert.match(
    failure(function again() {
      return again() + 1;
    }),
    /calls itself without end/,
  );
  const unanswered = new Error('x');
  unanswered.payload = { code: 'timeout', message: 'too long' };
  assert.match(
    failure(() => {
      throw unanswered;
    }),
    /too long \(timeout\); catch it/,
  );
});

test('numbers that the engine passes as negative ones are corrected', () => {
  const ban = { failures: -1, count: null, duration: { tag: 'seconds', val: -1 } };
  const decide = ({ action }) => skip(`${action.val.failures} ${action.val.count} ${action.val.duration.val}`);
  const { formatter } = definePlugin({ format: decide });
  assert.equal(formatter.format({ action: { tag: 'ban', val: ban } }).val, '4294967295 null 4294967295');
});

test('a thrown text is the error as it is', () => {
  assert.equal(
    failure(() => {
      throw 'retired';
    }),
    'retired',
  );
  assert.deepEqual(globalThis.logged, []);
});

test('misspelt functions and a missing default export are found when the plugin is built', () => {
  assert.throws(() => definePlugin({ fromat() {} }), /unknown function "fromat"; did you mean "format"\?/);
  assert.throws(() => definePlugin({}), /definePlugin\.format is missing/);
  assert.throws(
    () => definePlugin({ format() {}, describe: { name: 'x', settings: [{ name: 'a', kind: 'txt' }] } }),
    /did you mean "text"/,
  );
  assert.throws(
    () => exportsOf({ formater: {} }),
    /the plugin exports formater; it needs: export default definePlugin/,
  );
  const plugin = definePlugin({ format: () => skip('x') });
  assert.equal(exportsOf({ default: plugin }), plugin);
});

test('the other functions are checked, and say so if they are missing', () => {
  const plugin = definePlugin({
    format: () => skip('x'),
    digest: () => hold(new Date(5)),
    check: () => [{ setting: 'a', level: 'eror', message: 'm' }],
    describe: () => ({ name: 'x', settings: [] }),
  });
  assert.deepEqual(plugin.digester.digest({}), { tag: 'hold', val: 5 });
  const [problem] = plugin.checker.check();
  assert.match(problem.message, /problems\[0\]\.level: expected "warn" or "error".*did you mean "error"/);
  assert.equal(plugin.descriptor.describe().name, 'x');
  const small = definePlugin({ format: () => skip('x') });
  assert.deepEqual(small.checker.check(), []);
  assert.throws(
    () => small.digester.digest({}),
    (error) => /remove plugin-with-digest from wit\/mine\.wit/.test(error),
  );
});
