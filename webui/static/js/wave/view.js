// The waveform view of one run, or of two: toolbar, side panel, rows, strips, status line, log dock.
import { html, useEffect, useMemo, useRef, useState } from '../lib.js';
import { Dialog, Menu, toast } from '../ui.js';
import { DiffBand, JitLane, Minimap, loadTimeline } from './strips.js';
import { Palette, commands, keyName } from './commands.js';
import { clamp, debounce, download, formatFrequency, formatTime, stored } from '../util.js';
import { get, run as runPath, url } from '../api.js';
import { LogPanel } from '../log.js';
import { RADICES, format } from './values.js';
import { waveDrom } from './wavedrom.js';
import { RowArea } from './rows.js';
import { SignalTree } from './tree.js';
import { setQuery } from '../router.js';
import { Driver } from './driver.js';

/** Puts the view into the address, so that a link or a reload shows the same. */
function useAddress(controller) {
  useEffect(() => {
    const { model } = controller;
    const write = debounce(() => {
      if (!controller.canvas?.isConnected) return;
      const markers = Object.entries(model.markers).map(([digit, t]) => `${digit}:${Math.round(t)}`).join(',');
      const rows = JSON.stringify(model.serialise());
      setQuery({
        t0: Math.round(model.t0), t1: Math.round(model.t1), c: model.cursor === null ? '' : model.cursor, m: markers, rows: rows.length < 6000 ? rows : '',
      });
    }, 200);
    return model.listen(write);
  }, [controller]);
}

/** Restores what the address says; returns whether it named rows. */
export function fromAddress(controller, query) {
  const { model, tree } = controller;
  let named = false;
  if (query.rows) {
    try {
      const missing = model.restore(JSON.parse(query.rows), path => { const found = tree.byPath.get(path); return found && controller.withPair(found); });
      if (missing.length) toast(`${missing.length} signals of the link are not in this run`, true);
      named = true;
    } catch {
      toast('The rows in the address cannot be read', true);
    }
  }
  const number = text => (text !== undefined && text !== '' && Number.isFinite(Number(text)) ? Number(text) : null);
  if (query.m) for (const part of query.m.split(',')) { const [digit, t] = part.split(':'); if (/^[1-9]$/.test(digit) && number(t) !== null) model.markers[digit] = clamp(number(t), model.begin, model.end); }
  if (number(query.t0) !== null && number(query.t1) > number(query.t0)) model.setView(number(query.t0), number(query.t1));
  if (number(query.c) !== null) model.setCursor(number(query.c), !query.t0);
  return named;
}

export function WaveView({ controller, title, sidePanel, reload = () => location.reload(), growing = false }) {
  const { model, runs } = controller;
  const two = runs.length > 1;
  const [side, setSide] = useState(stored.get('wave.side', true));
  const [sideTab, setSideTab] = useState(sidePanel ? 'differences' : 'signals');
  const [log, setLog] = useState(stored.get('wave.log', false));
  const [dialog, setDialog] = useState(null);
  const [timeline, setTimeline] = useState(null);
  const [turn, redraw] = useState(0);
  const file = useRef();
  useAddress(controller);
  useEffect(() => {
    // The compiled run of a pair is the one with a story to tell.
    loadTimeline(runs[runs.length - 1]).then(setTimeline, () => setTimeline(null));
    controller.shownValue = row => { const raw = controller.values[0].get(row.signal); return raw === undefined || raw === null ? '' : format(raw, row.width, row.kind, row.radix); };
    window.wasmjit = { controller }; // for a look from the browser's console, and for tests
    return model.listen(() => redraw(n => n + 1));
  }, [controller]);
  useEffect(() => stored.set('wave.side', side), [side]);
  useEffect(() => stored.set('wave.log', log), [log]);
  useEffect(() => { controller.draw(); }, [side, log, timeline]);

  const chosen = () => { const ids = [...model.selected].map(id => model.find(id)?.row).filter(row => row?.type === 'signal'); return ids.length ? ids : model.signals(); };
  const exportUrl = (name, extra) => url(`${runPath(runs[0])}/export/${name}`, { s: [...new Set(chosen().map(row => row.signal))].slice(0, 400).join(','), ...extra });
  const fetchFile = async path => {
    const response = await fetch(path);
    if (!response.ok) { toast((await response.json()).error, true); return; }
    download(/filename="([^"]+)"/.exec(response.headers.get('content-disposition') || '')?.[1] || 'export', await response.blob());
  };
  const stretch = () => {
    // Between the outermost two markers if there are two, else the window.
    const marks = Object.values(model.markers).sort((a, b) => a - b);
    const [t0, t1] = marks.length > 1 ? [marks[0], marks[marks.length - 1]] : [Math.max(0, model.t0), Math.min(model.end, model.t1)];
    return { t0: Math.floor(t0), t1: Math.max(Math.ceil(t1), Math.floor(t0) + 1) };
  };
  const selection = form => fetchFile(exportUrl('waves', { ...stretch(), form }));
  const drom = async () => {
    const { t0, t1 } = stretch();
    const rows = chosen().slice(0, 60);
    try {
      const body = await get(`${runPath(runs[0])}/waves/window`, { t0, t1, px: 8192, full: 'true', s: [...new Set(rows.map(one => one.signal))].join(',') });
      download(`${title}.wavedrom.json`, waveDrom(rows, new Map(body.rows.map(one => [one.s, one])), t0, t1, one => model.nameOf(one), `${title}, ${formatTime(t0, 3)} – ${formatTime(t1, 3)}`));
    } catch (error) {
      toast(`No WaveDrom picture: ${error.message}`, true);
    }
  };
  const png = async () => download(`${title}.png`, await controller.png(title));
  const savedView = () => JSON.stringify({ wasmjit_view: 1, title, t0: model.t0, t1: model.t1, cursor: model.cursor, markers: model.markers, rows: model.serialise() }, null, 1);
  const restoreFrom = async picked => {
    if (!picked) return;
    try {
      const saved = JSON.parse(await picked.text());
      if (saved.wasmjit_view !== 1) throw new Error('not a saved view');
      const missing = model.restore(saved.rows, path => { const found = controller.tree.byPath.get(path); return found && controller.withPair(found); });
      model.markers = saved.markers || {};
      model.setView(Number(saved.t0), Number(saved.t1));
      model.setCursor(saved.cursor);
      toast(missing.length ? `Restored; ${missing.length} signals are not in this run` : 'View restored');
    } catch (error) {
      toast(`${picked.name} cannot be restored: ${error.message}`, true);
    }
  };
  const ui = {
    palette: () => setDialog('palette'),
    findValue: () => setDialog('value'),
    goToTime: () => setDialog('palette'),
    searchSignals: () => { setSide(true); setSideTab('signals'); setTimeout(() => document.querySelector('[data-testid="signal-search"]')?.focus(), 30); },
    toggleTree: () => setSide(!side),
    toggleLog: () => setLog(!log),
    rename: () => { const id = [...model.selected].pop(); if (id) controller.rename(id); },
    save: () => download(`${title}.wasmjit-view.json`, savedView()),
    restore: () => file.current.click(),
    reload,
    png,
  };
  const list = useMemo(() => commands(controller, ui), [controller, side, log]);
  const onKey = event => {
    // Keys work wherever the focus is, except where they type or press something.
    const { tagName } = event.target;
    if (dialog || event.defaultPrevented || ['INPUT', 'SELECT', 'TEXTAREA'].includes(tagName) || (tagName === 'BUTTON' && [' ', 'Enter'].includes(event.key))) return;
    const name = keyName(event);
    if (name === ' ' || name === 'Ctrl+k') { event.preventDefault(); setDialog('palette'); return; }
    const command = list.find(item => item[1] && item[1].toLowerCase() === name.toLowerCase() && (item[1].length > 1 || item[1] === name));
    if (!command) return;
    event.preventDefault();
    event.stopPropagation();
    command[2]();
  };
  const keys = useRef(onKey);
  keys.current = onKey;
  useEffect(() => {
    const listen = event => keys.current(event);
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, []);
  const row = model.selected.size ? model.current() : null;
  const markers = Object.entries(model.markers);
  return html`<section class="wave" data-testid="wave">
    <div class="toolbar">
      <button class="icon" title="Signal tree (s)" aria-label="Signal tree" aria-pressed=${side} onClick=${ui.toggleTree} data-testid="toggle-tree">☰</button>
      <button class="icon" title="Zoom in (+)" aria-label="Zoom in" onClick=${() => model.zoom(0.5, model.cursor ?? undefined)} data-testid="zoom-in">+</button>
      <button class="icon" title="Zoom out (-)" aria-label="Zoom out" onClick=${() => model.zoom(2, model.cursor ?? undefined)} data-testid="zoom-out">−</button>
      <button title="Zoom to fit (f)" onClick=${() => model.fit()} data-testid="fit">Fit</button>
      <button class="icon" title="Previous edge (←)" aria-label="Previous edge" onClick=${() => controller.edge('previous')} data-testid="prev-edge">⇤</button>
      <button class="icon" title="Next edge (→)" aria-label="Next edge" onClick=${() => controller.edge('next')} data-testid="next-edge">⇥</button>
      <button title="Search value (v)" onClick=${ui.findValue} data-testid="find-value">Find value…</button>
      <button title="Set marker at the cursor (m)" onClick=${() => controller.addMarker()} data-testid="add-marker">Marker</button>
      ${row && row.width > 1 && row.kind === 'bits' && html`<select aria-label="Radix" data-testid="radix" value=${row.radix} onChange=${event => model.update([...model.selected], { radix: event.target.value })}>
        ${RADICES.map(radix => html`<option value=${radix} selected=${radix === row.radix}>${radix}</option>`)}</select>`}
      ${row && html`<select aria-label="Shape" data-testid="analog" value=${row.analog} onChange=${event => model.update([...model.selected], { analog: event.target.value })}>
        ${[['', 'digital'], ['step', 'analog step'], ['linear', 'analog linear']].map(([key, label]) => html`<option value=${key} selected=${key === row.analog}>${label}</option>`)}</select>`}
      ${two && html`<button onClick=${() => controller.difference('first')} data-testid="diff-first">First difference</button>
        <button class="icon" aria-label="Previous difference" title="Previous difference (p)" onClick=${() => controller.difference('previous')} data-testid="diff-prev">◂</button>
        <button class="icon" aria-label="Next difference" title="Next difference (n)" onClick=${() => controller.difference('next')} data-testid="diff-next">▸</button>`}
      <span class="spring"></span>
      ${growing && html`<button onClick=${reload} title="The run goes on: show what it has dumped since (R)" data-testid="reload">Reload</button>`}
      <button title="Commands (Space)" onClick=${ui.palette} data-testid="open-palette">Commands <kbd>Space</kbd></button>
      <button class=${log ? 'on' : ''} aria-pressed=${log} onClick=${ui.toggleLog} title="Log (l)" data-testid="toggle-log">Log</button>
      <${Menu} label="View" testid="view-menu" items=${[
        ['Save view to file', ui.save, 'Ctrl+S'], ['Restore view from file…', ui.restore, 'Ctrl+O'], ['Reload the waveform', reload, 'R'],
        ['Copy link to this view', () => navigator.clipboard.writeText(location.href).then(() => toast('Link copied'), () => toast('The browser does not allow copying here', true))],
      ]} />
      <${Menu} label="Export" testid="export-menu" items=${[
        ['PNG of the view', png], ['Selection as VCD', () => selection('vcd')], ['Selection as FST', () => selection('fst')], ['Selection as WaveDrom', drom], null,
        ['Whole dump, as recorded', () => { location.href = `${runPath(runs[0])}/export/dump`; }],
        ['GTKWave save file', () => fetchFile(exportUrl('gtkw', { t: model.cursor ?? 0 }))], ['Surfer command file', () => fetchFile(exportUrl('surfer', { t: model.cursor ?? 0 }))],
      ]} />
      <input type="file" hidden ref=${file} accept=".json" data-testid="restore-file" onChange=${event => { restoreFrom(event.target.files[0]); event.target.value = ''; }} />
    </div>
    <div class="stage">
      <aside class="side ${side ? '' : 'closed'}">
        ${sidePanel && html`<div class="sidetabs"><${SideTab} name="differences" now=${sideTab} set=${setSideTab} /><${SideTab} name="signals" now=${sideTab} set=${setSideTab} /></div>`}
        ${sidePanel && sideTab === 'differences' ? sidePanel : html`<${SignalTree} controller=${controller} />`}
      </aside>
      <div class="view">
        ${timeline && html`<${JitLane} controller=${controller} timeline=${timeline} />`}
        ${two && html`<${DiffBand} controller=${controller} />`}
        <${RowArea} controller=${controller} twoNames=${two} />
        ${!model.rows.length && html`<div class="hint empty" data-testid="no-rows">${controller.tree.vars.length ? html`<h3>No signals shown</h3><div>Double-click signals in the tree, drag them here, or press <kbd>/</kbd> to search.</div>`
          : html`<h3>The dump has no signals</h3><div>The design has none: a class-based test bench keeps its state in objects and variables.</div>`}</div>`}
        <${Minimap} controller=${controller} />
        <div class="statusbar" data-testid="status">
          <span>Cursor <b data-testid="status-cursor">${formatTime(model.cursor, 6)}</b></span>
          ${markers.map(([digit, t]) => html`<span>Δ${digit} <b data-testid="delta-${digit}">${model.cursor === null ? '–' : formatTime(model.cursor - t, 6)}</b>${model.cursor !== null && model.cursor !== t ? html` <span class="dim" title="1 / Δ${digit}" data-testid="frequency-${digit}">${formatFrequency(Math.abs(model.cursor - t))}</span>` : ''}</span>`)}
          ${markers.length === 2 ? html`<span>${markers[0][0]}→${markers[1][0]} <b>${formatTime(markers[1][1] - markers[0][1], 6)}</b></span>` : ''}
          <span class="spring"></span>
          <${Driver} controller=${controller} row=${row} />
          <span>${formatTime(model.t0, 3, model.end)} – ${formatTime(model.t1, 3, model.end)}</span>
          ${controller.sources.some(source => source.error) ? html`<b class="x" role="alert">${controller.sources.find(source => source.error).error.message}</b>` : ''}
        </div>
      </div>
    </div>
    ${log && html`<div class="logdock"><${LogPanel} id=${runs[runs.length - 1]} cursor=${model.cursor} onTime=${t => model.setCursor(t, true)} /></div>`}
    ${dialog === 'palette' && html`<${Palette} controller=${controller} list=${list} close=${() => { setDialog(null); controller.focus(); }} />`}
    ${dialog === 'value' && html`<${FindValue} controller=${controller} close=${() => { setDialog(null); controller.focus(); }} />`}
  </section>`;
}

const SideTab = ({ name, now, set }) => html`<button class=${now === name ? 'on' : ''} data-testid="side-${name}" onClick=${() => set(name)}>${name[0].toUpperCase()}${name.slice(1)}</button>`;

function FindValue({ controller, close }) {
  const row = controller.model.current();
  const [value, setValue] = useState(stored.get('wave.find', ''));
  const [last, setLast] = useState(undefined);
  if (!row) return html`<${Dialog} title="Find value" close=${close}><p>Show and select a signal first.</p></${Dialog}>`;
  const find = async direction => { if (!value.trim()) return; stored.set('wave.find', value); setLast(await controller.findValue(row, value.trim(), direction)); };
  return html`<${Dialog} title="Find value of ${row.name}" close=${close}>
    <form class="form" onSubmit=${event => { event.preventDefault(); find('next'); }}>
      <label>Value<input value=${value} placeholder="42, 0x2a, 0b10x1, x, z" data-testid="find-input" onInput=${event => setValue(event.target.value)} /></label>
      <footer>${last !== undefined && html`<span class="dim" data-testid="find-result">${last === null ? 'not found' : `at ${formatTime(last)}`}</span>`}<span class="spring"></span>
        <button type="button" onClick=${() => find('previous')} data-testid="find-previous">Previous</button><button class="primary" data-testid="find-next">Next</button></footer>
    </form></${Dialog}>`;
}
