// The signal tree beside the waves: scopes that open, variables to double-click or drag, fuzzy and regex search.
import { html, useEffect, useMemo, useRef, useState } from '../lib.js';
import { searchVariables } from './search.js';
import { signalRow } from './model.js';

const LINE = 24;

export function SignalTree({ controller }) {
  const { tree, model } = controller;
  const [query, setQuery] = useState('');
  const [regex, setRegex] = useState(false);
  const [open, setOpen] = useState(() => new Set(tree.roots.map(scope => scope.index)));
  const [picked, setPicked] = useState(() => new Set());
  const [scroll, setScroll] = useState(0);
  const [height, setHeight] = useState(600);
  const [, redraw] = useState(0);
  const list = useRef();
  useEffect(() => {
    const observer = new ResizeObserver(() => list.current && setHeight(list.current.clientHeight));
    observer.observe(list.current);
    const stop = model.listen(what => what === 'rows' && redraw(n => n + 1));
    return () => { observer.disconnect(); stop(); };
  }, []);
  const found = useMemo(() => (query ? searchVariables(tree.vars, query, regex) : null), [query, regex, tree]);

  const items = [];
  if (found) for (const hit of found.hits) items.push({ variable: hit.variable, depth: 0, positions: hit.positions, full: true });
  else {
    const walk = (scope, depth) => {
      items.push({ scope, depth });
      if (!open.has(scope.index)) return;
      for (const variable of scope.vars) items.push({ variable, depth: depth + 1 });
      for (const child of scope.scopes) walk(child, depth + 1);
    };
    tree.roots.forEach(scope => walk(scope, 0));
    tree.loose.forEach(variable => items.push({ variable, depth: 0 }));
  }
  const shown = new Set(model.signals().map(row => row.path));
  const add = variables => variables.length && model.add(variables.map(variable => signalRow(controller.withPair(variable))));
  const toggle = scope => { const next = new Set(open); if (!next.delete(scope.index)) next.add(scope.index); setOpen(next); };
  const below = scope => [...scope.vars];
  const click = (event, item) => {
    if (item.scope) { toggle(item.scope); return; }
    if (event.ctrlKey || event.metaKey || event.shiftKey) { const next = new Set(picked); if (!next.delete(item.variable)) next.add(item.variable); setPicked(next); } else setPicked(new Set([item.variable]));
  };
  const drag = (event, item) => {
    const variables = item.scope ? below(item.scope) : picked.has(item.variable) ? [...picked] : [item.variable];
    event.dataTransfer.setData('application/x-wasmjit-signals', JSON.stringify(variables.map(variable => variable.path)));
    event.dataTransfer.effectAllowed = 'copy';
  };

  const first = Math.max(0, Math.floor(scroll / LINE) - 5);
  const last = Math.min(items.length, Math.ceil((scroll + height) / LINE) + 5);
  return html`
    <div class="find">
      <input type="search" placeholder=${regex ? 'Regular expression' : 'Search signals'} aria-label="Search signals" data-testid="signal-search" value=${query}
        onInput=${event => { setQuery(event.target.value); list.current.scrollTop = 0; }} onKeyDown=${event => {
          event.stopPropagation();
          if (event.key === 'Enter' && found?.hits.length) add(event.shiftKey ? found.hits.slice(0, 200).map(hit => hit.variable) : [found.hits[0].variable]);
          if (event.key === 'Escape') { setQuery(''); controller.focus(); }
        }} />
      <button class="icon ${regex ? 'on' : ''}" title="Regular expression" aria-pressed=${regex} data-testid="signal-regex" onClick=${() => setRegex(!regex)}>.*</button>
    </div>
    <div class="list" ref=${list} data-testid="tree" onScroll=${event => setScroll(event.target.scrollTop)}>
      ${found?.error ? html`<div class="note" role="alert">Not a regular expression: ${found.error}</div>`
        : found && !items.length ? html`<div class="note">No signal matches.</div>`
        : html`<div style=${{ height: `${items.length * LINE}px` }}></div>`}
      ${items.slice(first, last).map((item, n) => html`<div key=${first + n} class="item ${item.variable && picked.has(item.variable) ? 'on' : ''} ${item.variable && shown.has(item.variable.path) ? 'shown' : ''}"
        style=${{ top: `${(first + n) * LINE}px`, paddingLeft: `${8 + 14 * item.depth}px` }} draggable="true" title=${(item.scope || item.variable).path}
        data-path=${(item.scope || item.variable).path} onClick=${event => click(event, item)} onDblClick=${() => item.variable && add(picked.size > 1 && picked.has(item.variable) ? [...picked] : [item.variable])}
        onDragStart=${event => drag(event, item)}>
        <span class="twist">${item.scope ? (open.has(item.scope.index) ? '▼' : '▶') : ''}</span>
        <span class="n">${item.full ? html`<${Marked} text=${item.variable.path} positions=${item.positions} />` : (item.scope || item.variable).name}</span>
        ${item.scope ? html`<span class="w" title="Add all signals of this scope" onClick=${event => { event.stopPropagation(); add(below(item.scope)); }}>${item.scope.vars.length ? `+${item.scope.vars.length}` : ''}</span>`
          : html`<span class="w">${item.variable.kind === 'bits' ? (item.variable.width > 1 ? item.variable.width : '') : item.variable.kind}</span>`}
      </div>`)}
    </div>
    <div class="foot">${found ? `${found.hits.length}${found.hits.length === 1000 ? '+' : ''} of ${tree.vars.length} signals · Enter adds` : `${tree.vars.length} signals · double-click or drag`}</div>`;
}

function Marked({ text, positions }) {
  const set = new Set(positions);
  const parts = [];
  for (let i = 0; i < text.length;) {
    const on = set.has(i);
    let j = i;
    while (j < text.length && set.has(j) === on) j += 1;
    parts.push(on ? html`<span class="hl">${text.slice(i, j)}</span>` : text.slice(i, j));
    i = j;
  }
  return parts;
}
