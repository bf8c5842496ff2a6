// Every action of a waveform view by name: the palette lists them, keys call them, menus are made of them.
import { html, useEffect, useRef, useState } from '../lib.js';
import { COLOURS } from './model.js';
import { RADICES } from './values.js';
import { fuzzy } from './search.js';
import { parseTime } from '../util.js';

/** [name, keys, action] for a controller; `ui` has the actions of the page around it. */
export function commands(controller, ui) {
  const { model } = controller;
  const ids = () => [...model.selected];
  const signals = () => ids().filter(id => model.find(id)?.row.type === 'signal');
  const cycle = (list, value) => list[(list.indexOf(value) + 1) % list.length];
  const out = [
    ['Zoom to fit', 'f', () => model.fit()],
    ['Zoom in', '+', () => model.zoom(0.5, model.cursor ?? undefined)],
    ['Zoom out', '-', () => model.zoom(2, model.cursor ?? undefined)],
    ['Pan left', 'Shift+ArrowLeft', () => model.pan(-model.span / 4)],
    ['Pan right', 'Shift+ArrowRight', () => model.pan(model.span / 4)],
    ['Go to start', 'Home', () => model.setCursor(model.begin, true)],
    ['Go to end', 'End', () => model.setCursor(model.end, true)],
    ['Next edge', 'ArrowRight', () => controller.edge('next')],
    ['Previous edge', 'ArrowLeft', () => controller.edge('previous')],
    ['Next rising edge', '', () => controller.edge('next', 'rise')],
    ['Next falling edge', '', () => controller.edge('next', 'fall')],
    ['Search value…', 'v', ui.findValue],
    ['Search signals', '/', ui.searchSignals],
    ['Go to time…', 't', ui.goToTime],
    ['Set marker at cursor', 'm', () => controller.addMarker()],
    ['Remove all markers', '', () => { model.markers = {}; model.changed('cursor'); }],
    ['Select row below', 'ArrowDown', () => step(model, 1)],
    ['Select row above', 'ArrowUp', () => step(model, -1)],
    ['Move rows up', 'Alt+ArrowUp', () => model.moveBy(-1)],
    ['Move rows down', 'Alt+ArrowDown', () => model.moveBy(1)],
    ['Remove rows', 'Delete', () => model.remove()],
    ['Group rows', 'g', () => model.group()],
    ['Ungroup', 'u', () => model.ungroup()],
    ['Add divider', 'd', () => controller.addDivider()],
    ['Rename row…', 'F2', ui.rename],
    ['Expand bits', 'e', () => model.update(signals(), row => (row.width > 1 && row.kind === 'bits' ? { open: !row.open } : {}))],
    ['Next radix', 'r', () => model.update(signals(), row => (row.width > 1 ? { radix: cycle(RADICES, row.radix) } : {}))],
    ['Analog: off, step, linear', 'a', () => model.update(signals(), row => ({ analog: cycle(['', 'step', 'linear'], row.analog) }))],
    ['Next colour', 'c', () => model.update(ids(), row => ({ colour: ((row.colour || 0) + 1) % COLOURS.length }))],
    ['Undo', 'Ctrl+z', () => model.undo()],
    ['Redo', 'Ctrl+y', () => model.undo(false)],
    ['Show or hide signal tree', 's', ui.toggleTree],
    ['Show or hide log', 'l', ui.toggleLog],
    ['Save view to file', 'Ctrl+s', ui.save],
    ['Restore view from file…', 'Ctrl+o', ui.restore],
    ['Reload the waveform', 'R', ui.reload],
    ['Export PNG', '', ui.png],
    ['Keyboard help', '?', ui.palette],
  ];
  if (controller.comparison) {
    out.push(['First difference', 'Shift+N', () => controller.difference('first')], ['Next difference', 'n', () => controller.difference('next')], ['Previous difference', 'p', () => controller.difference('previous')]);
  }
  for (const radix of RADICES) out.push([`Radix: ${radix}`, '', () => model.update(signals(), row => (row.width > 1 ? { radix } : {}))]);
  for (let digit = 1; digit <= 9; digit += 1) {
    out.push([`Go to marker ${digit}`, String(digit), () => controller.goMarker(digit)], [`Set marker ${digit}`, `Shift+${digit}`, () => controller.toggleMarker(digit)]);
  }
  return out;
}

function step(model, by) {
  const order = model.visible().filter(item => item.bit === undefined).map(item => item.row.id);
  const at = order.indexOf([...model.selected].pop());
  const next = order[at < 0 ? 0 : Math.min(order.length - 1, Math.max(0, at + by))];
  if (next !== undefined) model.select(next);
}

/** The name a key event has in the list above. */
export function keyName(event) {
  const parts = [];
  if (event.ctrlKey || event.metaKey) parts.push('Ctrl');
  if (event.altKey) parts.push('Alt');
  const digit = /^Digit([1-9])$/.exec(event.code);
  if (event.shiftKey && (event.key.startsWith('Arrow') || digit || event.key === 'N')) parts.push('Shift');
  const key = event.shiftKey && digit ? digit[1] : event.key === '=' ? '+' : event.key === '_' ? '-' : event.key === 'Backspace' ? 'Delete' : event.key;
  return [...parts, key].join('+');
}

/** Space or Ctrl+K: type part of a command, a time ("12.5us") or a signal. */
export function Palette({ controller, list, close }) {
  const [query, setQuery] = useState('');
  const [at, setAt] = useState(0);
  const input = useRef();
  const box = useRef();
  useEffect(() => input.current.focus(), []);
  useEffect(() => box.current?.querySelector('.on')?.scrollIntoView({ block: 'nearest' }), [at]);
  const needle = query.toLowerCase().replace(/\s+/g, '');
  const items = [];
  const time = parseTime(query);
  if (time !== null && query.trim()) items.push([`Go to ${query.trim()}`, 'time', () => controller.model.setCursor(time, true)]);
  const scored = list.map(item => ({ item, match: needle ? fuzzy(needle, item[0]) : { score: 0 } })).filter(one => one.match);
  if (needle) scored.sort((a, b) => b.match.score - a.match.score);
  items.push(...scored.map(one => one.item));
  if (needle.length > 1) {
    const signals = controller.tree.vars.map(variable => ({ variable, match: fuzzy(needle, variable.path) })).filter(one => one.match).sort((a, b) => b.match.score - a.match.score);
    items.push(...signals.slice(0, 20).map(({ variable }) => [`Add ${variable.path}`, 'signal', () => controller.addVariable(variable)]));
  }
  const run = item => { close(); item[2](); };
  const key = event => {
    event.stopPropagation();
    if (event.key === 'Escape') close();
    else if (event.key === 'ArrowDown') setAt(Math.min(items.length - 1, at + 1));
    else if (event.key === 'ArrowUp') setAt(Math.max(0, at - 1));
    else if (event.key === 'Enter' && items[at]) run(items[at]);
    else return;
    event.preventDefault();
  };
  return html`<div class="backdrop" style="background:none" onMouseDown=${event => event.target === event.currentTarget && close()}>
    <div class="palette" role="dialog" aria-label="Commands" data-testid="palette">
      <input ref=${input} placeholder="Command, time or signal" aria-label="Command" value=${query} onInput=${event => { setQuery(event.target.value); setAt(0); }} onKeyDown=${key} />
      ${items.length ? html`<ul ref=${box}>${items.slice(0, 80).map((item, n) => html`<li class=${n === at ? 'on' : ''} onMouseMove=${() => n !== at && setAt(n)} onClick=${() => run(item)}>
        <span>${item[0]}</span>${item[1] ? html`<kbd>${item[1]}</kbd>` : ''}</li>`)}</ul>` : html`<div class="none">Nothing matches “${query}”.</div>`}
    </div></div>`;
}
