// Keeps a page current while somebody sees it: when the host says that something has changed, the page asks for itself again
// and takes over what differs, so that focus, half-typed text and what was opened stay.
const main = document.querySelector('main[data-live]');
const bar = document.getElementById('live');
const policy = window.trustedTypes?.createPolicy('hookswitch', { createHTML: text => text });
let stream, timer, etag, paused = false, asking = false, again = false, failures = 0, waiting;

const keyOf = node => node.id || node.dataset?.key;
const isKept = node => node === document.activeElement || 'defaultValue' in node && node.value !== node.defaultValue;

function takeOver(now, next) {
  if (now.isEqualNode(next) || isKept(now)) return;
  if (now.nodeType !== 1) { now.nodeValue = next.nodeValue; return; }
  for (const { name } of [...now.attributes]) if (name !== 'open' && !next.hasAttribute(name)) now.removeAttribute(name);
  for (const { name, value } of next.attributes) if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  const keyed = new Map([...now.children].filter(keyOf).map(child => [keyOf(child), child]));
  let at = now.firstChild;
  for (const child of [...next.childNodes]) {
    const key = keyOf(child);
    let own = key ? keyed.get(key) : at;
    if (own && (own.nodeName !== child.nodeName || !key && keyOf(own))) own = undefined;
    if (!own) { now.insertBefore(document.importNode(child, true), at); continue; }
    if (own === at) at = at.nextSibling; else now.insertBefore(own, at);
    takeOver(own, child);
  }
  while (at) { const gone = at; at = at.nextSibling; if (!gone.contains(document.activeElement)) gone.remove(); }
}

// Rows do not move under a pointer, nor for one who reads below.
const reads = () => scrollY > 200 || main.querySelector('tr:hover, tr:focus-within') !== null;
const rows = page => new Set([...page.querySelectorAll('tr[data-key]')].map(row => row.dataset.key));

function show() {
  if (waiting) takeOver(main, waiting);
  waiting = undefined;
  say('');
}

function say(text) {
  const [status] = bar.getElementsByTagName('span');
  if (status.textContent !== text) status.textContent = text;
  bar.querySelector('.show').hidden = !text;
}

async function ask() {
  if (paused || document.hidden) return;
  if (asking) { again = true; return; }
  asking = true;
  const start = performance.now();
  try {
    const answer = await fetch(location.href, { cache: 'no-store', headers: etag ? { 'If-None-Match': etag } : {} });
    if (answer.redirected) { location.reload(); return; }
    if (answer.ok) {
      etag = answer.headers.get('etag');
      const text = await answer.text();
      const page = new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, 'text/html');
      waiting = page.querySelector('main');
      const had = rows(main), more = [...rows(waiting)].filter(key => !had.has(key)).length;
      if (had.size && more && reads()) say(`${more} new`); else show();
    }
  } catch { /* The next change asks again. */ }
  // A host that is busy is asked less often.
  setTimeout(() => { asking = false; if (again) { again = false; ask(); } }, 20 * (performance.now() - start));
}

function listen() {
  clearInterval(timer);
  stream?.close();
  if (document.hidden || paused) return;
  if (failures > 1) { timer = setInterval(ask, 10_000); return; }
  stream = new EventSource('/live');
  stream.onopen = () => { failures = 0; };
  stream.addEventListener('changed', ask);
  stream.onerror = () => { failures += 1; if (failures > 1) listen(); };
}

if (main && bar) {
  bar.hidden = false;
  const [pause] = bar.getElementsByTagName('button');
  pause.onclick = () => {
    paused = !paused;
    pause.textContent = paused ? 'Resume updates' : 'Pause updates';
    listen();
    ask();
  };
  bar.querySelector('.show').onclick = show;
  document.addEventListener('visibilitychange', () => { listen(); ask(); });
  addEventListener('pagehide', () => stream?.close());
  addEventListener('pageshow', event => { if (event.persisted) listen(); });
  listen();
}
