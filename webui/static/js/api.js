// Requests to the server. Every failure is an ApiError with the server's words and its hint.

export class ApiError extends Error {
  constructor(status, message, hint) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, 'the server does not answer', 'is `wasmjit serve` still running?');
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, body?.error || response.statusText, body?.hint);
  return body;
}

export function url(path, params = {}) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== '') query.set(key, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export const get = (path, params, signal) => request(url(path, params), { signal });
export const del = path => request(path, { method: 'DELETE' });
export const post = (path, value) => request(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) });
export const upload = file => request(url('/api/uploads', { name: file.name.replace(/[^A-Za-z0-9._ -]/g, '_').slice(-100) }), { method: 'POST', body: file });
export const run = id => `/api/runs/${encodeURIComponent(id)}`;

/**
 * Live changes of the run list: calls `listener(message)`; returns how to stop. `onState` hears true when connected.
 * Browsers open few connections to one server: a page that is hidden or left gives its stream back, and reloads when it is shown again.
 */
export function events(listener, onState = () => {}) {
  let source = null;
  let left = false;
  const open = () => {
    source = new EventSource('/api/events');
    source.onopen = () => { onState(true); if (left) listener({ event: 'reload' }); };
    source.onerror = () => onState(false);
    source.onmessage = event => listener(JSON.parse(event.data));
  };
  const close = () => { source?.close(); source = null; left = true; onState(false); };
  const visible = () => { if (document.hidden) close(); else if (!source) open(); };
  open();
  document.addEventListener('visibilitychange', visible);
  addEventListener('pagehide', close);
  addEventListener('pageshow', visible);
  return () => {
    document.removeEventListener('visibilitychange', visible);
    removeEventListener('pagehide', close);
    removeEventListener('pageshow', visible);
    source?.close();
  };
}

/** Repeats `ask` until `done(answer)`; resolves to the answer. */
export async function poll(ask, done, signal, wait = 250) {
  for (;;) {
    const answer = await ask();
    if (done(answer) || signal?.aborted) return answer;
    await new Promise(resolve => setTimeout(resolve, wait));
    wait = Math.min(1500, wait * 1.4);
  }
}
