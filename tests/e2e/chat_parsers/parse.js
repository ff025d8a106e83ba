// Says what the chats' own parsers find in the bodies that banhook sends.
//
// Reads one JSON value per line, {"target": "zulip", "body": {…}}, and writes for each a line with an array of what is
// active in it: "bold", "link https://example.org", "mention all". Mattermost's, Rocket.Chat's and Discord's parsers
// are those of their makers or the field. Zulip has none in JavaScript: its rules are written here after its
// documentation. Slack's are written after its reference.
//
// The packages are looked for in the folder CHAT_PARSERS.
'use strict';

const path = require('path');
const load = (name) => require(require.resolve(name, { paths: [path.resolve(process.env.CHAT_PARSERS)] }));
const commonmark = load('@mattermost/commonmark');
const discordMarkdown = load('discord-markdown-parser');
const rocketchatParser = load('@rocket.chat/message-parser');

// A link counts by its origin: foreign text may stand in the path of a link of ours.
function link(url) {
  try {
    const { origin, protocol } = new URL(url);
    return `link ${origin === 'null' ? `${protocol}…` : origin}`;
  } catch {
    return `link ${url}`;
  }
}

const PARSERS = { discord, mattermost, rocketchat, slack: slackMarkup, zulip };

// Targets whose services have no markup, with the fields whose text the apps look for links in.
const PLAIN = { ntfy: ['message', 'title', 'label'], json: ['text', 'title', 'label', 'alt'] };

// Fields that hold markup, and those that are shown as they are, in which the servers look for mentions.
const MARKUP = ['text', 'pretext', 'title', 'value'];
const NOTIFICATION = ['fallback'];

function activeInBody(target, body) {
  // An app's body is that of a webhook.
  if (target === 'slack-app') target = 'slack';
  const found = [];
  const visit = (value) => {
    if (Array.isArray(value)) return value.forEach(visit);
    if (value === null || typeof value !== 'object') return;
    for (const [key, field] of Object.entries(value)) {
      if (typeof field !== 'string') visit(field);
      else if (/(^|_)url$|_link$/.test(key)) found.push(link(field));
      else if (target === 'telegram' && key === 'text') found.push(...telegram(field, value.entities ?? []));
      else if (target === 'teams' && ['text', 'altText', 'title'].includes(key)) {
        // A look is a property, and each line has its own.
        found.push(...card(value, field).filter((kind) => !['bold', 'code'].includes(kind) || !found.includes(kind)));
      }
      else if (target === 'json' && key === 'html') found.push(...html(field));
      else if (target in PLAIN) found.push(...(PLAIN[target].includes(key) ? plainText(field) : []));
      else if (target === 'slack') found.push(...slackField(value, key, field));
      else if (MARKUP.includes(key)) found.push(...PARSERS[target](translated(target, field)));
      else if (NOTIFICATION.includes(key)) {
        found.push(...PARSERS[target](field).filter((kind) => kind.startsWith('mention')));
      } else if (key === 'channel' && target === 'zulip') found.push(...zulipTopic(field));
    }
  };
  visit(body);
  return found;
}

// The servers translate Slack's links and mentions before they look for their own markup.
function translated(target, text) {
  const whom = { discord: '@everyone', mattermost: '@channel', rocketchat: '@all', zulip: '@**all**' }[target];
  const links = target === 'mattermost' ? /<([^\n<|>]+)\|([^|\n>]+)>/g : /<(\w+?:\/\/[^\n]*?)\|([^\n]*?)>/g;
  return text
    // Rocket.Chat has this form of links itself.
    .replace(target === 'rocketchat' ? /(?!)/g : links, '[$2]($1)')
    .replace(/<!(channel|here|everyone|all|group)[^>]*>/g, whom);
}

// A name that could be a part of an address is an emoji only if there is one.
function isEmoji(name) {
  return !/^[0-9a-f]+$/i.test(name) || /^(100|1234|a|ab|abc|abcd|b|bed|bee|cd|de)$/i.test(name);
}

// ---- Services without markup: what an app links in plain text, as Android's Linkify and the usual finders do

function plainText(text) {
  const found = [];
  for (const [kind, pattern] of [
    ['link', /\b[a-z][a-z0-9+.-]*:\/\/[^\s)]+/giu],
    ['link email', /[\p{L}\p{N}._+-]+@[\p{L}\p{N}]/gu],
    ['link scheme', /\b(?:tel|mailto|sms|bitcoin):[^\s\u200b]/gi],
    ['link domain', /[\p{L}\p{N}][\p{L}\p{N}-]*\.\p{L}{2,}/gu],
  ]) {
    text = text.replace(pattern, (whole) => (found.push(kind === 'link' ? link(whole) : kind), '\u0001'));
  }
  return found;
}

// A run of an Adaptive Card knows no Markdown, but functions for times; Teams knows mentions.
function card(element, text) {
  const found = [];
  if (element.type === 'TextRun' && element.weight === 'Bolder') found.push('bold');
  if (element.type === 'TextRun' && element.fontType === 'Monospace') found.push('code');
  if (element.type === 'TextBlock') found.push('markdown');
  if (/\{\{(?:DATE|TIME)\(/.test(text)) found.push('time');
  if (/<at[\s>]/i.test(text)) found.push('mention');
  return [...found, ...plainText(text)];
}

// Telegram's entities, and what its server finds in a text outside of code: <https://core.telegram.org/bots/api#messageentity>.
function telegram(text, entities) {
  const found = [];
  const units = [...Array(text.length).keys()].map((at) => text[at]);
  for (const { type, offset, length } of entities) {
    if (type === 'code' || type === 'pre') {
      found.push('code');
      units.fill('\u0001', offset, offset + length);
    } else if (type === 'strikethrough') found.push('strike');
    else if (type === 'blockquote') found.push('quote');
    else if (type !== 'text_link') found.push(type);
  }
  for (const [kind, pattern] of [
    ['mention', /@[A-Za-z0-9_]/g], ['link hashtag', /(?<![\p{L}\p{N}_#])#[\p{L}\p{N}_]/gu],
    ['link cashtag', /(?<![\p{L}\p{N}_$])\$[A-Z]/gu], ['link command', /(?<![\p{L}\p{N}_/])\/[A-Za-z0-9_]/gu],
    ['link address', /\b\d{1,3}(?:\.\d{1,3}){3}\b/g], ['link phone', /\+\(?\d/g],
  ]) {
    for (const _ of units.join('').matchAll(pattern)) found.push(kind);
  }
  return [...found, ...plainText(units.join(''))];
}

// As a browser reads it: tags with their attributes, and the text between them.
function html(source) {
  const found = [];
  const names = { b: 'bold', i: 'italic', s: 'strike', code: 'code', pre: 'code', br: '' };
  const entities = { amp: '&', lt: '<', gt: '>', quot: '"' };
  const decoded = (text) => text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|([a-z]+));?/gi, (whole, number, hex, name) =>
    number ? String.fromCodePoint(number) : hex ? String.fromCodePoint(parseInt(hex, 16)) : entities[name] ?? whole);
  const text = source.replace(/<(\/?)([a-z!?][^\s/>]*)([^>]*)>?/gi, (_, end, name, attributes) => {
    const href = /^ href="([^"]*)"$/.exec(attributes);
    if (end) return '\u0001';
    if (name === 'a' && href) found.push(link(decoded(href[1])));
    else if (names[name] !== '' || attributes) found.push(attributes ? `tag ${name}${attributes}` : names[name] ?? `tag ${name}`);
    return '\u0001';
  });
  return [...found, ...plainText(decoded(text))];
}

// ---- Mattermost

function mattermost(text) {
  const found = [];
  const walker = new commonmark.Parser({ minimumHashtagLength: 3 }).parse(text).walker();
  const names = {
    strong: 'bold', emph: 'italic', del: 'strike', code: 'code', code_block: 'code', heading: 'heading',
    list: 'list', item: 'list', block_quote: 'quote', thematic_break: 'rule', html_inline: 'html',
    html_block: 'html', table: 'table', latex_inline: 'formula', hashtag: 'link hashtag',
    checkbox: 'checkbox', edited_indicator: 'other', at_mention: 'mention', channel_link: 'link channel',
    softbreak: '', linebreak: '', document: '', paragraph: '', text: '', table_row: '', table_cell: '',
  };
  for (let step = walker.next(); step; step = walker.next()) {
    if (!step.entering) continue;
    const { node } = step;
    if (node.type === 'link' || node.type === 'image') found.push(link(node.destination));
    else if (node.type === 'at_mention') found.push(`mention ${node._mentionName}`);
    else if (node.type === 'emoji') found.push(...(isEmoji(node._emojiName) ? ['emoji'] : []));
    else if (names[node.type] !== '') found.push(names[node.type] ?? node.type);
  }
  return found;
}

// ---- Rocket.Chat

function rocketchat(text) {
  const found = [];
  const katex = { dollarSyntax: true, parenthesisSyntax: true };
  const visit = (node) => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (node === null || typeof node !== 'object') return;
    switch (node.type) {
      case 'PLAIN_TEXT': case 'PARAGRAPH': case 'LINE_BREAK': case 'CODE_LINE': case 'LIST_ITEM': case 'BIG_EMOJI':
        break;
      case 'LINK': case 'IMAGE': found.push(link(node.value.src.value)); break;
      // The character itself is a character like any other.
      case 'EMOJI': if (!node.unicode && isEmoji(node.shortCode)) found.push('emoji'); return;
      case 'MENTION_USER': found.push(`mention ${node.value.value}`); return;
      case 'MENTION_CHANNEL': found.push('link channel'); return;
      case undefined: break;
      case 'INLINE_CODE': case 'CODE': found.push('code'); return;
      default: found.push(node.type.toLowerCase().replace('_', ' '));
    }
    visit(node.value);
    if (node.value && node.value.label) visit(node.value.label);
  };
  visit(rocketchatParser.parse(text, { colors: true, emoticons: true, katex, customDomains: ['internal', 'local'] }));
  return found;
}

// ---- Discord

function discord(text) {
  const found = [];
  const visit = (node) => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (node === null || typeof node !== 'object') return;
    switch (node.type) {
      case 'text': case 'br': case 'newline': case 'twemoji': break;
      case 'link': case 'url': case 'autolink': found.push(link(node.target)); break;
      case 'user': case 'role': case 'everyone': case 'here': found.push(`mention ${node.type}`); break;
      case 'channel': case 'guildNavigation': case 'slashCommand': found.push(`link ${node.type}`); break;
      default: found.push({ strong: 'bold', em: 'italic', inlineCode: 'code', codeBlock: 'code' }[node.type] ?? node.type);
    }
    visit(node.content);
  };
  visit(discordMarkdown.parse(text, 'extended'));
  // The client draws names of emoji, lists and links of its own schemes, which the parser does not know.
  const outside = text.replace(/\\[^0-9A-Za-z\s]|```[^]*?```|`[^`\n]+`/g, '\u0001')
    .replace(/\]\([^)]*\)/g, ']');
  for (const [, name] of outside.matchAll(/:([A-Za-z0-9_+-]*[G-Zg-z_][A-Za-z0-9_+-]*):/g)) found.push(`emoji ${name}`);
  for (const _ of outside.matchAll(/^ *([-*]|\d+\.) /gm)) found.push('list');
  for (const [url] of outside.matchAll(/\b(?:steam|discord|ftp):\/\/\S+|<(?:mailto|tel|sms):[^>]+>/g)) found.push(link(url));
  // The server does not look for code first.
  for (const [mention] of text.matchAll(/@(?:everyone|here)/g)) found.push(`mention ${mention}`);
  return found;
}

// ---- Zulip: <https://zulip.com/help/format-your-message-using-markdown> and docs/subsystems/markdown.md

const WORD = '[\\p{L}\\p{N}_]';
const BEFORE_MENTION = '(?<![^\\s\'"(\\[{</])';
// Zulip knows the list of domains; here any letters end one.
const ZULIP_LINK = new RegExp(
  `(?<![^\\s'"(,:<\\u0001\\n])(?:(?:https?://[\\p{L}\\p{N}_.:@-]+?|(?:[\\p{L}\\p{N}_-]+\\.)+\\p{L}{2,})(?:/[^\\s"]*?)?`
    + `|[\\p{L}\\p{N}_.-]+@[\\p{L}\\p{N}_.-]+\\.[\\p{L}\\p{N}_]+|file:///?\\S+?|bitcoin:[13][a-km-zA-HJ-NP-Z1-9]{25,34})`
    + `(?=[!:;?),.'">]*(?:$|[\\s\\u0001]))`,
  'gu',
);

const ZULIP_INLINE = [
  ['code', /(?<!\\)(`+)(.+?)(?<!`)\1(?!`)/gs],
  ['mention', new RegExp(`${BEFORE_MENTION}@_?(?:\\*\\*[^*]+\\*\\*|\\*[^*]+\\*|(?:all|everyone|channel|topic)\\b)`, 'gu')],
  ['formula', /\$\$[^\n$]+\$\$/g],
  ['link channel', new RegExp(`${BEFORE_MENTION}#\\*\\*[^*]+\\*\\*`, 'gu')],
  ['time', /<time:[^>]*>/g],
  ['link', /!?\[([^\]]*)\]\(\s*<?([^)\s>]+)>?[^)]*\)/g],
  ['link', ZULIP_LINK],
  ['', /&(?:#\d+|#x[0-9a-fA-F]+|[0-9a-zA-Z]+);/g],
  ['bold', /\*\*([^\n]+?)\*\*/g],
  ['italic', /\*(?!\s+)([^*\n]+)(?<!\s)\*/g],
  ['strike', /(?<!~)~~([^~\n]+?)~~(?!~)/g],
  ['emoji', new RegExp(`:(?:${WORD}|[-+])+:`, 'gu')],
  ['emoji', new RegExp(`(?<!${WORD})(?::\\)|:\\(|:/|:\\||<3|;\\))(?!${WORD})`, 'gu')],
];

function zulip(text) {
  const found = [];
  text = text
    .trim()
    .replace(new RegExp(`((?!${WORD})[^]|^)\\*(?!\\s+)([^*\\n]+)(?<!\\s)\\*(?!${WORD})`, 'gu'), '$1**$2**')
    .replace(new RegExp(`((?!${WORD})[^]|^)_(?!\\s+)([^_\\n]+)(?<!\\s)_(?!${WORD})`, 'gu'), '$1*$2*');
  if (/^\/(?:me|poll|todo)\b/.test(text)) found.push('command');
  text = text.replace(/^(`{3,}|~{3,})[^\n]*\n[^]*?\n\1 *$/gm, () => (found.push('code'), '\u0001'));
  const blocks = [
    ['heading', /^#{1,6}(?!#)\s*\S/], ['rule', /^ {0,3}([-_*]) ?(?:\1 ?){2,}$/], ['list', /^ *(?:[*+-]|\d+\.)\s+\S/],
    ['quote', /^ *>/], ['code', /^(?: {4}|\t)\s*\S/], ['table', /^\s*\|?\s*:?-+:?\s*\|[-:|\s]*$/],
  ];
  text = text.split('\n').map((line) => {
    for (const [kind, start] of blocks) if (start.test(line)) found.push(kind);
    return line;
  }).join('\n');
  for (const [kind, pattern] of ZULIP_INLINE) {
    text = text.replace(pattern, (whole, first, second) => {
      if (kind === '') return '\u0002';
      if (kind === 'link') found.push(link(whole.includes('](') ? second : whole));
      else found.push(kind);
      // Markup may stand in it, as in a label.
      return ['bold', 'italic', 'strike'].includes(kind) ? `\u0001${first}\u0001` : '\u0001';
    });
  }
  return found;
}

// Zulip links URLs in a topic's name.
function zulipTopic(text) {
  return text.split(/[ !;),'"]/).flatMap((part) => [...part.matchAll(ZULIP_LINK)].map(([url]) => link(url)));
}

// ---- Slack: <https://docs.slack.dev/messaging/formatting-message-text>

function slackField(object, key, text) {
  const only = (kinds, pattern) => kinds.filter((kind) => pattern.test(kind));
  switch (`${object.type ?? ''}.${key}`) {
    case 'mrkdwn.text': return [...slackMarkup(text), ...(object.verbatim === true ? [] : slackBare(text))];
    // With blocks it is the notification.
    case '.text': case '.fallback': case '.pretext': return only(slackMarkup(text), /^(link|mention)/);
    case 'plain_text.text': return object.emoji === false ? [] : only(slackMarkup(text), /^emoji/);
    // Standard Markdown, with names of emoji, and with links of bare URLs.
    case 'markdown.text': {
      const standard = /^(?:bold|italic|strike|code|heading|list|quote|rule|html|table)$/;
      const emoji = [...text.matchAll(/:([a-z0-9_+-]*[a-z0-9][a-z0-9_+-]*):/g)].some(([, name]) => isEmoji(name));
      const links = /https?:\/\/|www\.|\]\(/i.test(text);
      return mattermost(text).filter((kind) =>
        standard.test(kind) || links && kind.startsWith('link http') || emoji && kind === 'emoji');
    }
    default: return [];
  }
}

function slackMarkup(text) {
  const found = [];
  text = text.replace(/```([^]+?)```|`([^`\n]+)`/g, () => (found.push('code'), '\u0001'));
  text = text.replace(/<([^<>\n]*)>/g, (_, inner) => {
    const target = inner.split('|')[0];
    if (/^[!@#]/.test(target)) found.push(target.startsWith('!date^') ? 'date' : `mention ${target}`);
    else found.push(link(target));
    return '\u0001';
  });
  for (const [kind, marker] of [['bold', '\\*'], ['italic', '_'], ['strike', '~']]) {
    const pattern = `(?<![\\p{L}\\p{N}])${marker}(?!\\s|${marker})[^\\n]*?(?<!\\s|${marker})${marker}(?![\\p{L}\\p{N}])`;
    for (const _ of text.matchAll(new RegExp(pattern, 'gu'))) found.push(kind);
  }
  for (const [, name] of text.matchAll(/:(?=([a-z0-9_+'-]*[a-z0-9][a-z0-9_+'-]*):)/g)) {
    if (isEmoji(name)) found.push('emoji');
  }
  for (const _ of text.matchAll(/^(?:&gt;|>)/gm)) found.push('quote');
  return found;
}

function slackBare(text) {
  return [...text.matchAll(/\b(?:https?:\/\/|www\.)\S+|\b[\w.+-]+@[\w-]+\.\w+/g)].map(([url]) => link(url));
}

require('readline')
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { target, body } = JSON.parse(line);
    process.stdout.write(`${JSON.stringify(activeInBody(target, body))}\n`);
  });
