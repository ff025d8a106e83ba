'use strict';

const content = document.getElementById('content');
const isLive = document.body.dataset.revision !== undefined;
let revision = Number(document.body.dataset.revision);
let current = decodeURIComponent(location.hash.slice('#case-'.length));

const cases = () => [...content.querySelectorAll('.case')];
const shown = () => cases().find((section) => section.id === `case-${current}`);

// Moves to a case and says so in the list of cases.
function select(section) {
  if (section === undefined) return;
  current = section.id.slice('case-'.length);
  history.replaceState(null, '', `#${section.id}`);
  mark();
  section.focus({ preventScroll: true });
  section.scrollIntoView({ block: 'start' });
}

function mark() {
  for (const link of content.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === `#case-${current}`) link.setAttribute('aria-current', 'true');
    else link.removeAttribute('aria-current');
  }
}

function step(by) {
  const all = cases();
  const at = all.indexOf(shown());
  select(all[Math.min(Math.max(at + by, 0), all.length - 1)]);
}

function showAges() {
  for (const time of document.querySelectorAll('time[data-written]')) {
    const seconds = Math.max(0, Math.round((Date.now() - Number(time.dataset.written)) / 1000));
    const [count, unit] = seconds < 120 ? [seconds, 's'] : seconds < 7200 ? [Math.round(seconds / 60), 'min'] : [Math.round(seconds / 3600), 'h'];
    time.textContent = `${count} ${unit} old`;
  }
}

content.addEventListener('click', (event) => {
  const link = event.target.closest('nav a');
  if (link !== null) {
    event.preventDefault();
    select(document.getElementById(link.getAttribute('href').slice(1)));
  }
});

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('dialog, textarea') !== null) return;
  if (event.key === 'j') step(1);
  else if (event.key === 'k') step(-1);
  else if (isLive && event.key === 'a') accept(shown());
  else if (isLive && event.key === 'e') edit(shown());
  else return;
  event.preventDefault();
});

showAges();
setInterval(showAges, 1000);
mark();
if (isLive) {
  follow();
  listen();
}

// Replaces what has changed, and keeps the case that is read, and what is open, as they are.
function replace(html) {
  const open = new Set([...content.querySelectorAll('details[open]')].map(key));
  const hadFocus = content.contains(document.activeElement);
  content.innerHTML = html;
  for (const details of content.querySelectorAll('details')) if (open.has(key(details))) details.open = true;
  mark();
  showAges();
  if (hadFocus) shown()?.focus({ preventScroll: true });
}

function key(details) {
  return `${details.closest('.case')?.id} ${details.querySelector('summary').textContent}`;
}

// Asks for the next change; the answer comes when there is one.
async function follow() {
  for (;;) {
    try {
      const answer = await fetch(`content?after=${revision}`);
      if (answer.status === 200) {
        revision = Number(answer.headers.get('x-revision'));
        replace(await answer.text());
      } else if (answer.status !== 204) throw new Error(answer.statusText);
    } catch {
      document.getElementById('build')?.replaceChildren('banhook plugin dev has ended');
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

async function post(path, body) {
  const answer = await fetch(path, { method: 'POST', body });
  return { ok: answer.ok, text: await answer.text() };
}

async function accept(section) {
  if (section?.querySelector('.accept') == null) return;
  const { ok, text } = await post(`accept?case=${encodeURIComponent(section.dataset.case)}`, '');
  if (!ok) alert(text);
}

function edit(section) {
  const source = section?.querySelector('.edit')?.dataset.source;
  if (source === undefined) return;
  const editor = document.getElementById('editor');
  editor.dataset.case = section.dataset.case;
  document.getElementById('source').value = source;
  document.getElementById('result').replaceChildren();
  document.getElementById('tried').textContent = '';
  editor.showModal();
  document.getElementById('source').focus();
}

async function run() {
  const { ok, text } = await post('try', document.getElementById('source').value);
  document.getElementById('tried').textContent = ok ? '' : text;
  document.getElementById('result').innerHTML = ok ? text : '';
}

async function save() {
  const editor = document.getElementById('editor');
  const path = `save?case=${encodeURIComponent(editor.dataset.case)}`;
  const { ok, text } = await post(path, document.getElementById('source').value);
  document.getElementById('tried').textContent = text;
  if (ok) editor.close();
}

function listen() {
  content.addEventListener('click', (event) => {
    const section = event.target.closest('.case');
    if (event.target.closest('.accept') !== null) accept(section);
    else if (event.target.closest('.edit') !== null) edit(section);
  });
  document.getElementById('run').addEventListener('click', run);
  document.getElementById('save').addEventListener('click', save);
  document.getElementById('source').addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) run();
  });
}
