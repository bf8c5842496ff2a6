// The columns beside the canvas: names (select, drag, rename, open) and values at the cursor.
import { html, useEffect, useRef, useState } from '../lib.js';
import { COLOURS, signalRow } from './model.js';
import { connect } from './input.js';
import { bitOf, format, stateOf } from './values.js';
import { formatTime } from '../util.js';

const SIGNALS = 'application/x-wasmjit-signals';
const ROWS = 'application/x-wasmjit-rows';

export function RowArea({ controller, twoNames }) {
  const { model } = controller;
  const [, redraw] = useState(0);
  const [dropAt, setDropAt] = useState(undefined);
  const [renaming, setRenaming] = useState(null);
  const box = useRef();
  const canvas = useRef();
  useEffect(() => {
    controller.canvas = canvas.current;
    controller.rename = id => setRenaming(id);
    const again = () => redraw(n => n + 1);
    const stop = model.listen(what => what !== 'view' && again());
    controller.watchers.add(again);
    const disconnect = connect(canvas.current, controller);
    const observer = new ResizeObserver(() => { size(); controller.draw(); });
    const size = () => { canvas.current.style.height = `${box.current.clientHeight}px`; };
    observer.observe(box.current);
    size();
    controller.draw();
    return () => { stop(); controller.watchers.delete(again); disconnect(); observer.disconnect(); };
  }, [controller]);

  const drop = (event, before = null) => {
    event.preventDefault();
    setDropAt(undefined);
    const moved = event.dataTransfer.getData(ROWS);
    if (moved) { model.move(JSON.parse(moved), before); return; }
    const paths = event.dataTransfer.getData(SIGNALS);
    if (!paths) return;
    const rows = JSON.parse(paths).map(path => controller.tree.byPath.get(path)).filter(Boolean).map(variable => signalRow(controller.withPair(variable)));
    model.selected = new Set();
    model.add(rows);
    if (before !== null) model.move(rows.map(row => row.id), before);
  };
  const over = (event, id) => {
    if (!event.dataTransfer.types.some(type => type === ROWS || type === SIGNALS)) return;
    event.preventDefault();
    event.stopPropagation();
    if (dropAt !== id) setDropAt(id);
  };
  const dragRow = (event, row) => {
    if (!model.selected.has(row.id)) model.select(row.id);
    event.dataTransfer.setData(ROWS, JSON.stringify([...model.selected]));
    event.dataTransfer.effectAllowed = 'move';
  };
  const toggle = row => (row.type === 'group' ? model.edit(() => { row.open = !row.open; }) : model.update([row.id], { open: !row.open }));
  const finishRename = (row, text) => {
    setRenaming(null);
    if (text !== null) model.edit(() => { row.label = text.trim() === row.name ? '' : text.trim(); });
    controller.focus();
  };

  const items = model.visible();
  const name = item => {
    const { row } = item;
    if (renaming === row.id && item.bit === undefined) {
      return html`<input class="rename" value=${row.label || row.name || ''} ref=${element => element && element !== document.activeElement && element.focus()} aria-label="Name"
        onKeyDown=${event => { event.stopPropagation(); if (event.key === 'Enter') finishRename(row, event.target.value); if (event.key === 'Escape') finishRename(row, null); }} onBlur=${event => renaming === row.id && finishRename(row, event.target.value)} />`;
    }
    if (item.bit !== undefined) return html`<span class="n dim">[${item.bit}]</span>`;
    const range = row.type === 'signal' && row.width > 1 && row.kind === 'bits' ? `[${row.left ?? row.width - 1}:${row.right ?? 0}]` : '';
    const shown = model.nameOf(row);
    const scopes = !row.label && row.type === 'signal' && shown.endsWith(`.${row.name}`) ? shown.slice(0, -row.name.length) : '';
    return html`<span class="n">${scopes && html`<span class="dim">${scopes}</span>`}${scopes ? row.name : shown}<span class="dim">${range}</span></span>`;
  };
  return html`<div class="rows" tabIndex="0" ref=${box} onScroll=${() => controller.draw()} data-testid="rows" aria-label="Waveforms">
    <div class="inner">
      <div class="names" style=${{ minHeight: `${items.height + 60}px` }} onDragOver=${event => over(event, null)} onDrop=${event => drop(event)} onDragLeave=${() => setDropAt(undefined)}>
        <div class="axis">${items.length ? 'Signal' : ''}</div>
        ${items.map(item => html`<div key=${item.key} class="row ${item.row.type} ${item.bit === undefined && model.selected.has(item.row.id) ? 'on' : ''} ${dropAt === item.row.id ? 'drop' : ''}" data-row=${item.key}
          style=${{ height: `${item.height}px`, paddingLeft: `${8 + 14 * item.depth}px` }} draggable=${item.bit === undefined && renaming !== item.row.id} title=${item.row.path || item.row.label}
          onDragStart=${event => dragRow(event, item.row)} onDragOver=${event => over(event, item.row.id)} onDrop=${event => { event.stopPropagation(); drop(event, item.row.id); }}
          onClick=${event => model.select(item.row.id, event.ctrlKey || event.metaKey, event.shiftKey)} onDblClick=${() => item.bit === undefined && setRenaming(item.row.id)}>
          ${item.bit === undefined && (item.row.type === 'group' || (item.row.type === 'signal' && item.row.width > 1 && item.row.kind === 'bits'))
            ? html`<button class="twist" aria-label=${item.row.open ? 'Close' : 'Open'} onClick=${event => { event.stopPropagation(); toggle(item.row); }}>${item.row.open ? '▼' : '▶'}</button>` : html`<span class="twist"></span>`}
          ${item.row.colour ? html`<span class="swatch" style=${{ background: COLOURS[item.row.colour] }}></span>` : ''}
          ${name(item)}
          ${item.row.kind === 'bits' && item.bit === undefined && item.row.width > 1 && item.row.radix !== 'hex' ? html`<span class="radix">${item.row.radix}</span>` : ''}
        </div>`)}
      </div>
      <div class="vals" style=${{ minHeight: `${items.height + 60}px` }}>
        <div class="axis" data-testid="cursor-time">${model.cursor === null ? 'Value' : formatTime(model.cursor, 6)}</div>
        ${items.map(item => html`<div key=${item.key} class="row ${item.bit === undefined && model.selected.has(item.row.id) ? 'on' : ''}" style=${{ height: `${item.height}px` }} data-value=${item.key}><${Value} item=${item} controller=${controller} two=${twoNames} /></div>`)}
      </div>
      <canvas class="main" ref=${canvas} data-testid="wave-canvas"></canvas>
    </div>
  </div>`;
}

function Value({ item, controller, two }) {
  const { row } = item;
  if (row.type !== 'signal' || controller.model.cursor === null) return null;
  const text = index => {
    const raw = controller.values[index].get(index ? row.signalB : row.signal);
    if (raw === undefined || raw === null) return { text: raw === null ? '–' : '', state: '' };
    if (item.bit !== undefined) { const bit = bitOf(raw, row.width, item.bit); return { text: bit, state: stateOf(bit) }; }
    return { text: format(raw, row.width, row.kind, row.radix), state: row.kind === 'bits' ? stateOf(raw) : '' };
  };
  const a = text(0);
  if (!two) return html`<span class=${a.state} title=${a.text}>${a.text}</span>`;
  const b = row.signalB === null ? { text: 'missing', state: '' } : text(1);
  return html`<span class="two ${a.text !== b.text ? 'differs' : ''}"><span class=${a.state} title=${a.text}>${a.text}</span><span class=${b.state || 'b'} title=${b.text}>${b.text}</span></span>`;
}
