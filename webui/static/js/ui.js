// Components that several pages use.
import { html, useEffect, useRef, useState } from './lib.js';

const VERDICTS = { pass: 'good', fail: 'bad', limit: 'warn', error: 'bad', different: 'warn', running: 'live' };

export const Verdict = ({ value }) => html`<span class="badge ${VERDICTS[value] || ''}">${value === 'running' ? html`<i class="pulse"></i>` : ''}${value}</span>`;
export const Reason = ({ value }) => html`<span class="reason"><i style=${{ background: reasonColour(value) }}></i>${value}</span>`;

export const REASONS = ['guard_failed', 'unsupported_operation', 'missing_thunk', 'interpreter_fallback', 'unknown'];
export const reasonColour = reason => `var(--reason-${Math.max(0, REASONS.indexOf(reason) < 0 ? 4 : REASONS.indexOf(reason))})`;

export function TierBar({ mix }) {
  const order = ['interpret', 'compile', 'optimise'];
  const parts = Object.entries(mix || {}).filter(([, share]) => share > 0).sort((a, b) => order.indexOf(a[0]) - order.indexOf(b[0]));
  if (!parts.length) return html`<span class="dim">–</span>`;
  const text = parts.map(([tier, share]) => `${tier} ${(share * 100).toFixed(0)} %`).join(' · ');
  return html`<span class="tierbar" title=${text} role="img" aria-label=${text}>
    ${parts.map(([tier, share]) => html`<i style=${{ flexGrow: share, background: `var(--tier-${tier})` }}></i>`)}
  </span>`;
}

export const TierLegend = () => html`<span class="legend">
  ${['interpret', 'compile', 'optimise'].map(tier => html`<span><i style=${{ background: `var(--tier-${tier})` }}></i>${tier}</span>`)}
</span>`;

export const Empty = ({ title, children, testid }) => html`<div class="empty" data-testid=${testid || 'empty'}>
  <svg viewBox="0 0 64 32" aria-hidden="true"><path d="M2 24h10V8h12v16h12V8h12v16h14" /></svg>
  <h3>${title}</h3><div>${children}</div>
</div>`;

export const ErrorBox = ({ error, retry }) => html`<div class="errorbox" role="alert" data-testid="error">
  <b>${error.message}</b>${error.hint ? html`<p>${error.hint}</p>` : ''}
  ${retry ? html`<button onClick=${retry}>Try again</button>` : ''}
</div>`;

/** Text of the reason table: what stands in `back quotes` is code. */
export const Prose = ({ text }) => (text || '').split('`').map((part, n) => (n % 2 ? html`<code>${part}</code>` : part));

export const Loading = ({ children }) => html`<div class="loading" data-testid="loading"><i class="spinner"></i>${children || 'Loading…'}</div>`;

/** {data, error, reload} of a promise; runs again when `keys` change. */
export function useLoad(load, keys) {
  const [state, setState] = useState({ loading: true });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    setState(old => ({ ...old, loading: true }));
    load(abort.signal).then(
      data => !abort.signal.aborted && setState({ data }),
      error => !abort.signal.aborted && setState({ error }),
    );
    return () => abort.abort();
  }, [...keys, turn]);
  return { ...state, reload: () => setTurn(turn + 1) };
}

export function Dialog({ title, close, children, wide }) {
  const box = useRef();
  useEffect(() => {
    const before = document.activeElement;
    const onKey = event => {
      if (event.key === 'Escape') { event.stopPropagation(); close(); }
      if (event.key !== 'Tab') return;
      // The focus goes round inside.
      const stops = [...box.current.querySelectorAll('input,select,textarea,button,a[href]')].filter(one => !one.disabled && one.offsetParent);
      const last = stops[stops.length - 1];
      const [from, to] = event.shiftKey ? [stops[0], last] : [last, stops[0]];
      if (document.activeElement === from || !box.current.contains(document.activeElement)) { event.preventDefault(); to?.focus(); }
    };
    addEventListener('keydown', onKey, true);
    return () => { removeEventListener('keydown', onKey, true); before?.focus?.(); };
  }, []);
  // What the dialog shows may arrive later: the first field takes the focus then.
  useEffect(() => {
    const { activeElement } = document;
    if (box.current.contains(activeElement) && activeElement !== box.current) return;
    (box.current.querySelector('input,select,button:not(.close)') || box.current).focus();
  });
  return html`<div class="backdrop" onMouseDown=${event => event.target === event.currentTarget && close()}>
    <div class="dialog ${wide ? 'wide' : ''}" role="dialog" aria-modal="true" aria-label=${title} tabindex="-1" ref=${box}>
      <header><h2>${title}</h2><button class="close quiet" onClick=${close} aria-label="Close">✕</button></header>
      ${children}
    </div>
  </div>`;
}

/** A button that opens a list of actions: items are [label, action, hint?] or null for a line. */
export function Menu({ label, items, testid, align }) {
  const [open, setOpen] = useState(false);
  const box = useRef();
  useEffect(() => {
    if (!open) return undefined;
    const away = event => { if (!box.current.contains(event.target)) setOpen(false); };
    const onKey = event => { if (event.key === 'Escape') { event.stopPropagation(); setOpen(false); } };
    addEventListener('mousedown', away);
    addEventListener('keydown', onKey, true);
    return () => { removeEventListener('mousedown', away); removeEventListener('keydown', onKey, true); };
  }, [open]);
  return html`<span class="menu" ref=${box}>
    <button onClick=${() => setOpen(!open)} aria-haspopup="menu" aria-expanded=${open} data-testid=${testid}>${label} ▾</button>
    ${open && html`<div class="menu-list ${align || ''}" role="menu">${items.map(item => item === null ? html`<hr />` : html`
      <button role="menuitem" onClick=${() => { setOpen(false); item[1](); }}>${item[0]}${item[2] ? html`<kbd>${item[2]}</kbd>` : ''}</button>`)}</div>`}
  </span>`;
}

export const Toggle = ({ value, options, onChange, testid }) => html`<span class="toggle" role="radiogroup" data-testid=${testid}>
  ${options.map(([key, label]) => html`<button role="radio" aria-checked=${value === key} class=${value === key ? 'on' : ''} onClick=${() => onChange(key)}>${label}</button>`)}
</span>`;

let showToast = () => {};
export const toast = (text, bad = false) => showToast({ text, bad });

export function Toasts() {
  const [message, setMessage] = useState(null);
  useEffect(() => {
    let timer = 0;
    showToast = next => { clearTimeout(timer); setMessage(next); timer = setTimeout(() => setMessage(null), next.bad ? 8000 : 3500); };
  }, []);
  return message && html`<div class="toast ${message.bad ? 'bad' : ''}" role="status" data-testid="toast">${message.text}</div>`;
}
