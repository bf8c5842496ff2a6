// Ties a waveform view together: the model, the data of one or two runs, the canvases, and the actions that keys and menus call.
import { AXIS, drawWaves, readTheme } from './draw.js';
import { WaveModel, dividerRow } from './model.js';
import { WindowSource } from './source.js';
import { debounce, prepareCanvas } from '../util.js';
import { get, run as runPath } from '../api.js';
import { toast } from '../ui.js';

/** Sorted, disjoint intervals that cover the same times. */
export function union(intervals) {
  const out = [];
  for (const [from, to] of [...intervals].sort((a, b) => a[0] - b[0])) {
    const last = out[out.length - 1];
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else out.push([from, to]);
  }
  return out;
}

export class Controller {
  /** runs: one or two run ids; tree: hierarchy of the first; comparison: the answer of /api/compare, for two. */
  constructor(runs, tree, comparison = null) {
    this.runs = runs;
    this.tree = tree;
    this.comparison = comparison;
    this.model = new WaveModel(tree.begin, Math.max(tree.end, comparison?.t_end || 0));
    this.sources = runs.map(id => new WindowSource(id, () => this.draw()));
    this.diff = comparison ? new Map(comparison.differing.map(row => [row.signal, row.intervals])) : null;
    this.band = comparison ? union(comparison.differing.flatMap(row => row.intervals)) : [];
    this.scroll = 0;
    this.zoomBox = null;
    this.values = [new Map(), new Map()];
    this.overlays = new Set(); // further canvases (minimap, band, JIT lane): functions that draw
    this.watchers = new Set(); // components that show values
    this.theme = readTheme();
    this.frame = 0;
    this.lastFrameMs = 0;
    this.askValues = debounce(() => this.loadValues(), 40);
    this.model.listen(what => {
      if (what === 'cursor' || what === 'rows') this.askValues();
      this.draw();
    });
    this.onTheme = () => { this.theme = readTheme(); this.draw(); };
    addEventListener('themechange', this.onTheme);
  }

  dispose() {
    removeEventListener('themechange', this.onTheme);
    cancelAnimationFrame(this.frame);
    this.sources.forEach(source => source.busy?.abort());
    this.canvas = null;
  }

  focus() { this.canvas?.closest('.rows')?.focus({ preventScroll: true }); }

  draw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (!this.canvas?.isConnected) return;
      const begun = performance.now();
      const box = this.canvas.closest('.rows');
      const [context, width, height] = prepareCanvas(this.canvas, this.canvas.clientWidth, box.clientHeight);
      this.scroll = box.scrollTop;
      drawWaves(context, width, height, this.model, this);
      for (const overlay of this.overlays) overlay();
      this.lastFrameMs = performance.now() - begun;
      this.request(width, height);
    });
  }

  request(width, height) {
    const shown = this.model.visible().filter(item => item.row.type === 'signal' && item.top + item.height >= this.scroll - 200 && item.top <= this.scroll + height + 200);
    this.sources.forEach((source, index) => {
      const numbers = rows => [...new Set(rows.map(item => (index ? item.row.signalB : item.row.signal)).filter(n => n !== null && n !== undefined))];
      source.want(
        this.model.t0, this.model.t1, width, numbers(shown.filter(item => !item.row.analog || item.bit !== undefined)), numbers(shown.filter(item => item.row.analog)),
        shown.some(item => item.bit !== undefined), this.model.begin, this.model.end,
      );
    });
  }

  /** Pixels of the canvas that hold rows, for exports. */
  get canvasHeight() { return AXIS + this.model.visible().height; }

  async loadValues() {
    const t = this.model.cursor;
    const signals = this.model.signals().slice(0, 400);
    if (t === null || !signals.length) {
      this.values = [new Map(), new Map()];
      for (const watch of this.watchers) watch();
      return;
    }
    try {
      const answers = await Promise.all(this.runs.map((id, index) => {
        const numbers = [...new Set(signals.map(row => (index ? row.signalB : row.signal)).filter(n => n !== null && n !== undefined))];
        return numbers.length ? get(`${runPath(id)}/waves/values`, { t: Math.round(t), s: numbers.join(',') }) : { values: {} };
      }));
      if (t !== this.model.cursor) return;
      this.values = answers.map(answer => new Map(Object.entries(answer.values).map(([key, value]) => [Number(key), value])));
      for (const watch of this.watchers) watch();
    } catch (error) {
      toast(error.message, true);
    }
  }

  // -- actions ---------------------------------------------------------------------------------------------------------

  async edge(direction, kind = 'any') {
    const row = this.model.current();
    if (!row) return;
    try {
      const body = await get(`${runPath(this.runs[0])}/waves/edge`, { s: row.signal, t: Math.round(this.model.cursor ?? this.model.t0), direction, kind });
      if (body.t === null) toast(`No ${direction === 'next' ? 'further' : 'earlier'} ${kind === 'any' ? 'edge' : kind} of ${row.name}`);
      else this.model.setCursor(body.t, true);
    } catch (error) {
      toast(error.message, true);
    }
  }

  async findValue(row, value, direction = 'next') {
    try {
      const body = await get(`${runPath(this.runs[0])}/waves/find`, { s: row.signal, t: Math.round(this.model.cursor ?? this.model.begin), value, direction });
      if (body.hint) toast(body.hint, true);
      else if (body.t === null) toast(`${row.name} does not become ${value} ${direction === 'next' ? 'after' : 'before'} the cursor`);
      else this.model.setCursor(body.t, true);
      return body.t;
    } catch (error) {
      toast(error.message, true);
      return null;
    }
  }

  /** Times at which some signal begins to differ, in order. */
  starts() {
    this.diffStarts ??= [...new Set(this.comparison.differing.flatMap(row => row.intervals.map(interval => interval[0])))].sort((a, b) => a - b);
    return this.diffStarts;
  }

  /** Moves to the first, next or previous difference of the two runs, over all signals. */
  difference(which) {
    const starts = this.starts();
    const now = this.model.cursor ?? -1;
    const t = which === 'first' ? starts[0] : which === 'next' ? starts.find(start => start > now) : starts.filter(start => start < now).pop();
    if (t === undefined) toast(which === 'first' ? 'The runs do not differ' : `No ${which} difference`);
    else this.model.setCursor(t, true);
  }

  toggleMarker(digit) {
    const { model } = this;
    if (model.cursor === null) toast('Click into the waves first: the marker is set at the cursor');
    else model.setMarker(digit, model.markers[digit] === model.cursor ? null : model.cursor);
  }

  addMarker() {
    for (let digit = 1; digit <= 9; digit += 1) if (this.model.markers[digit] === undefined) { this.toggleMarker(digit); return; }
    toast('All nine markers are set');
  }

  goMarker(digit) {
    const t = this.model.markers[digit];
    if (t === undefined) toast(`Marker ${digit} is not set`);
    else this.model.setCursor(t, true);
  }

  addDivider() { this.model.add([dividerRow('')]); }

  /** A PNG of the whole row list: names, values and waves. */
  async png(title) {
    const names = 220;
    const width = names + 128 + this.canvas.clientWidth;
    const height = Math.min(8000, this.canvasHeight + 4);
    const canvas = document.createElement('canvas');
    const [wave] = [document.createElement('canvas')];
    const [context, waveWidth] = prepareCanvas(wave, this.canvas.clientWidth, height);
    drawWaves(context, waveWidth, height, this.model, { ...this, theme: this.theme, sources: this.sources, diff: this.diff, scroll: 0, zoomBox: null });
    const [out] = prepareCanvas(canvas, width, height);
    out.fillStyle = this.theme.panel;
    out.fillRect(0, 0, width, height);
    out.drawImage(wave, names + 128, 0, waveWidth, height);
    out.fillStyle = this.theme.text;
    out.font = '13px system-ui, Lato, "DejaVu Sans", sans-serif';
    out.textBaseline = 'middle';
    out.fillText(title, 8, 15, names + 110);
    for (const item of this.model.visible()) {
      const y = AXIS + item.top + item.height / 2;
      const label = item.bit !== undefined ? `[${item.bit}]` : this.model.nameOf(item.row);
      out.fillText(label, 8 + 12 * item.depth, y, names - 16 - 12 * item.depth);
      const shown = item.row.type === 'signal' && item.bit === undefined ? this.shownValue?.(item.row) : '';
      if (shown) out.fillText(shown, names + 6, y, 116);
    }
    return new Promise(resolve => canvas.toBlob(resolve, 'image/png'));
  }
}
