// Draws the waveform canvas: axis, rows, cursor, markers. One pass per frame over what the window shows, nothing else.
import { css, formatTime, timeTicks, upperBound } from '../util.js';
import { COLOURS } from './model.js';
import { DENSE_X, NARROW, bitOf, format, stateOf } from './values.js';

export const AXIS = 30;
const FONT = '12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';
const AXIS_FONT = '12px system-ui, Lato, "DejaVu Sans", sans-serif';
let charWidth = 0;

export function readTheme() {
  const names = ['bg', 'line', 'bus', 'b', 'x', 'z', 'dense', 'grid', 'text', 'cursor', 'marker', 'diff', 'select'];
  const theme = Object.fromEntries(names.map(name => [name, css(`--wave-${name}`)]));
  return { ...theme, dim: css('--dim'), panel: css('--panel'), border: css('--line') };
}

/** state: {theme, sources: [WindowSource], scroll, diff: path -> intervals | null, zoomBox: [x0, x1] | null, hover: t | null} */
export function drawWaves(context, width, height, model, state) {
  const { theme, sources } = state;
  context.fillStyle = theme.bg;
  context.fillRect(0, 0, width, height);
  context.font = FONT;
  if (!charWidth) charWidth = context.measureText('0').width;
  const scale = width / model.span;
  const view = { t0: model.t0, t1: model.t1, scale, width, x: t => (t - model.t0) * scale };

  context.fillStyle = theme.grid;
  const marks = timeTicks(model.t0, model.t1, width, 130);
  for (const mark of marks) context.fillRect(Math.round(view.x(mark.value)), AXIS, 1, height - AXIS);

  context.save();
  context.beginPath();
  context.rect(0, AXIS, width, height - AXIS);
  context.clip();
  for (const item of model.visible()) {
    const top = AXIS + item.top - state.scroll;
    if (top > height) break;
    if (top + item.height < AXIS) continue;
    drawRow(context, item, top, view, model, state);
  }
  context.restore();

  context.fillStyle = theme.panel;
  context.fillRect(0, 0, width, AXIS);
  context.fillStyle = theme.border;
  context.fillRect(0, AXIS - 1, width, 1);
  context.font = AXIS_FONT;
  context.textBaseline = 'middle';
  let free = 0;
  const flags = [...Object.values(model.markers), ...(model.cursor === null ? [] : [model.cursor])].map(t => view.x(t));
  for (const mark of marks) {
    const x = Math.round(view.x(mark.value));
    context.fillStyle = theme.border;
    context.fillRect(x, AXIS - 7, 1, 6);
    const wide = context.measureText(mark.label).width;
    const left = Math.min(Math.max(2, x - wide / 2), width - wide - 2);
    // A label that the flag of the cursor or a marker would cover is left out.
    if (left > free && !flags.some(flag => Math.abs(flag - (left + wide / 2)) < wide / 2 + 40)) {
      context.fillStyle = theme.dim;
      context.fillText(mark.label, left, 11);
      free = left + wide + 10;
    }
  }
  drawTimes(context, view, model, state, height);
  if (state.zoomBox) {
    const [a, b] = state.zoomBox;
    context.fillStyle = theme.cursor;
    context.globalAlpha = 0.18;
    context.fillRect(Math.min(a, b), 0, Math.abs(b - a), height);
    context.globalAlpha = 1;
  }
  return sources.some(source => source.error);
}

function drawTimes(context, view, model, state, height) {
  const { theme } = state;
  const flag = (t, text, colour, dashed) => {
    const x = Math.round(view.x(t)) + 0.5;
    if (x < -1 || x > view.width + 1) return;
    context.strokeStyle = colour;
    context.setLineDash(dashed ? [4, 3] : []);
    context.beginPath();
    context.moveTo(x, AXIS - 10);
    context.lineTo(x, height);
    context.stroke();
    context.setLineDash([]);
    const wide = context.measureText(text).width + 10;
    const left = Math.min(Math.max(0, x - wide / 2), view.width - wide);
    context.fillStyle = colour;
    context.fillRect(left, 1, wide, 19);
    context.fillStyle = theme.bg;
    context.fillText(text, left + 5, 11);
  };
  context.font = AXIS_FONT;
  for (const [digit, t] of Object.entries(model.markers)) flag(t, digit, theme.marker, true);
  // As many decimals as a pixel is worth.
  const decimals = Math.max(0, Math.min(9, Math.ceil(Math.log10(model.end) - Math.log10(Math.max(1, model.span / view.width))) - 1));
  if (model.cursor !== null) flag(model.cursor, formatTime(model.cursor, decimals), theme.cursor, false);
}

function drawRow(context, item, top, view, model, state) {
  const { row } = item;
  const { theme } = state;
  if (model.selected.has(row.id) && item.bit === undefined) {
    context.fillStyle = theme.select;
    context.fillRect(0, top, view.width, item.height);
  }
  context.fillStyle = theme.grid;
  context.fillRect(0, top + item.height - 1, view.width, 1);
  if (row.type !== 'signal') return;
  const colour = row.colour ? COLOURS[row.colour] : null;
  const two = state.sources.length > 1;
  const intervals = two && state.diff?.get(row.path);
  if (intervals) {
    context.fillStyle = theme.diff;
    for (let i = firstInterval(intervals, view.t0); i < intervals.length && intervals[i][0] <= view.t1; i += 1) {
      const x0 = Math.max(0, view.x(intervals[i][0]));
      context.fillRect(x0, top, Math.max(2, Math.min(view.width, view.x(intervals[i][1])) - x0), item.height - 1);
    }
  }
  state.sources.forEach((source, index) => {
    const signal = index ? row.signalB : row.signal;
    if (signal === null || signal === undefined) return;
    const base = index ? theme.b : colour || (row.width === 1 || item.bit !== undefined ? theme.line : theme.bus);
    if (row.analog && item.bit === undefined) {
      const data = source.rows.get(`a:${signal}`);
      if (data) drawAnalog(context, data, row, top, item.height, view, theme, base);
      return;
    }
    const data = source.rows.get(signal);
    if (!data) return;
    const half = two ? (item.height - 2) / 2 : item.height;
    const y = two ? top + 1 + index * half : top;
    if (item.bit !== undefined) drawBit(context, data.t, data.v.map(value => bitOf(value, row.width, item.bit)), y, half, view, theme, base);
    else if (row.kind === 'bits' && row.width === 1) drawBit(context, data.t, data.v, y, half, view, theme, base);
    else if (row.kind === 'event') drawEvents(context, data, y, half, view, base);
    else drawBus(context, data, row, y, half, view, theme, base);
  });
}

function firstInterval(intervals, t) {
  let low = 0;
  let high = intervals.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (intervals[middle][1] < t) low = middle + 1;
    else high = middle;
  }
  return low;
}

const startIndex = (times, t) => Math.max(0, upperBound(times, t) - 1);

/** Collects stretches with several changes per pixel by their code, so that each code is one fill. */
class DenseBars {
  constructor() { this.paths = new Map(); }

  add(value, x0, x1, top, bottom) {
    let path = this.paths.get(value);
    if (!path) this.paths.set(value, path = new Path2D());
    path.rect(x0, top, Math.max(1, x1 - x0), bottom - top);
  }

  draw(context, theme) {
    for (const [value, path] of this.paths) {
      const level = value >= DENSE_X ? value - DENSE_X : value;
      context.globalAlpha = Math.min(1, 0.5 + 0.08 * level);
      context.fillStyle = value >= DENSE_X ? theme.x : theme.dense;
      context.fill(path);
    }
    context.globalAlpha = 1;
  }
}

const RUN = 24;

/** Neighbours too narrow to be told apart become one bar, at most RUN px long; its strength is the mean of theirs. */
class NarrowRuns {
  constructor(bars, top, bottom) { Object.assign(this, { bars, top, bottom, x0: 0, x1: -1, weight: 0, unknown: false }); }

  /** `code` as the server sends it, 0 for a single value. */
  add(x0, x1, code, unknown) {
    if (this.x1 < x0 - 0.01 || unknown !== this.unknown || x1 - this.x0 > RUN) {
      this.flush();
      Object.assign(this, { x0, weight: 0, unknown });
    }
    this.weight += code * (x1 - x0);
    this.x1 = x1;
  }

  flush() {
    if (this.x1 >= this.x0) this.bars.add(Math.max(1, Math.round(this.weight / Math.max(0.01, this.x1 - this.x0))) + (this.unknown ? DENSE_X : 0), this.x0, this.x1, this.top, this.bottom);
    this.x1 = this.x0 - 1;
  }
}

function drawBit(context, times, values, top, height, view, theme, colour) {
  const high = Math.round(top + Math.max(3, height * 0.2)) + 0.5;
  const low = Math.round(top + height - Math.max(4, height * 0.2)) + 0.5;
  const middle = (high + low) / 2;
  const line = new Path2D();
  const unknown = new Path2D();
  const floating = new Path2D();
  const bars = new DenseBars();
  const runs = new NarrowRuns(bars, high, low);
  let before = null; // y of the value to the left
  const begin = startIndex(times, view.t0);
  let next = view.x(times[begin]);
  for (let i = begin; i < times.length; i += 1) {
    const x0 = Math.max(-2, next);
    if (x0 > view.width) break;
    next = i + 1 < times.length ? view.x(times[i + 1]) : view.width + 2;
    const x1 = Math.min(view.width + 2, next);
    const value = values[i];
    if (typeof value === 'number') {
      runs.add(x0, x1, value % DENSE_X, value >= DENSE_X && value !== NARROW);
      before = null;
      continue;
    }
    if (x1 - x0 < 2 && (runs.x1 >= x0 - 0.01 || (i + 1 < times.length && i + 2 < times.length && view.x(times[i + 2]) - next < 2))) {
      runs.add(x0, x1, 0, value === 'x');
      before = null;
      continue;
    }
    const y = value === '1' ? high : value === '0' ? low : middle;
    if (before !== null && before !== y) {
      line.moveTo(x0, before);
      line.lineTo(x0, y);
    }
    if (value === 'x') unknown.rect(x0, high, x1 - x0, low - high);
    const path = value === 'x' ? unknown : value === 'z' ? floating : line;
    path.moveTo(x0, y);
    path.lineTo(x1, y);
    before = y;
  }
  runs.flush();
  bars.draw(context, theme);
  context.lineWidth = 1.25;
  context.strokeStyle = colour;
  context.stroke(line);
  context.fillStyle = theme.x;
  context.globalAlpha = 0.16;
  context.fill(unknown);
  context.globalAlpha = 1;
  context.strokeStyle = theme.x;
  context.stroke(unknown);
  context.strokeStyle = theme.z;
  context.stroke(floating);
  context.lineWidth = 1;
}

function drawBus(context, data, row, top, height, view, theme, colour) {
  const high = Math.round(top + Math.max(2, height * 0.15)) + 0.5;
  const low = Math.round(top + height - Math.max(3, height * 0.15)) + 0.5;
  const middle = (high + low) / 2;
  const paths = { '': new Path2D(), x: new Path2D(), z: new Path2D() };
  const texts = [];
  const bars = new DenseBars();
  const { t: times, v: values } = data;
  const runs = new NarrowRuns(bars, high, low);
  const begin = startIndex(times, view.t0);
  let next = view.x(times[begin]);
  for (let i = begin; i < times.length; i += 1) {
    if (next > view.width) break;
    const x0 = Math.max(-4, next);
    next = i + 1 < times.length ? view.x(times[i + 1]) : view.width + 4;
    const x1 = Math.min(view.width + 4, next);
    const value = values[i];
    if (typeof value === 'number') {
      runs.add(x0, x1, value % DENSE_X, value >= DENSE_X && value !== NARROW);
      continue;
    }
    const state = row.kind === 'bits' ? stateOf(value) : '';
    if (x1 - x0 < 4 && state !== 'z' && (runs.x1 >= x0 - 0.01 || (i + 2 < times.length && view.x(times[i + 2]) - next < 4))) {
      runs.add(x0, x1, 0, state === 'x');
      continue;
    }
    const path = paths[state];
    const slant = Math.min(3, (x1 - x0) / 2);
    path.moveTo(x0, middle);
    path.lineTo(x0 + slant, high);
    path.lineTo(x1 - slant, high);
    path.lineTo(x1, middle);
    path.lineTo(x1 - slant, low);
    path.lineTo(x0 + slant, low);
    path.closePath();
    if (x1 - x0 > charWidth + 8) texts.push([value, x0, x1, state]);
  }
  runs.flush();
  bars.draw(context, theme);
  for (const [state, path] of Object.entries(paths)) {
    const stroke = state === 'x' ? theme.x : state === 'z' ? theme.z : colour;
    context.fillStyle = stroke;
    context.globalAlpha = state ? 0.16 : 0.06;
    context.fill(path);
    context.globalAlpha = 1;
    context.strokeStyle = stroke;
    context.stroke(path);
  }
  context.font = FONT;
  context.textBaseline = 'middle';
  for (const [value, x0, x1, state] of texts) {
    const text = format(value, row.width, row.kind, row.radix);
    const left = Math.max(x0, 0) + 5;
    const room = Math.floor((Math.min(x1, view.width) - left - 4) / charWidth);
    if (room < 1) continue;
    context.fillStyle = state === 'x' ? theme.x : state === 'z' ? theme.z : theme.text;
    context.fillText(text.length <= room ? text : room > 1 ? `${text.slice(0, room - 1)}…` : '…', left, middle + 0.5);
  }
}

function drawEvents(context, data, top, height, view, colour) {
  context.strokeStyle = colour;
  context.beginPath();
  for (let i = startIndex(data.t, view.t0); i < data.t.length; i += 1) {
    const x = Math.round(view.x(data.t[i])) + 0.5;
    if (x > view.width) break;
    context.moveTo(x, top + height - 4);
    context.lineTo(x, top + 5);
    context.lineTo(x - 3, top + 9);
    context.moveTo(x, top + 5);
    context.lineTo(x + 3, top + 9);
  }
  context.stroke();
}

function signedOf(row, value) {
  return row.radix === 'signed' && row.kind === 'bits' && value >= 2 ** (row.width - 1) ? value - 2 ** row.width : value;
}

function drawAnalog(context, data, row, top, height, view, theme, colour) {
  const first = startIndex(data.t, view.t0);
  let low = Infinity;
  let high = -Infinity;
  for (let i = first; i < data.t.length && data.t[i] <= view.t1; i += 1) {
    for (const value of [data.lo[i], data.hi[i]]) {
      if (value === null) continue;
      const number = signedOf(row, value);
      low = Math.min(low, number);
      high = Math.max(high, number);
    }
  }
  if (low > high) return;
  const range = high - low || 1;
  const y = value => top + height - 8 - ((signedOf(row, value) - low) / range) * (height - 16);
  const path = new Path2D();
  const unknown = new Path2D();
  let last = null;
  for (let i = first; i < data.t.length; i += 1) {
    const x0 = view.x(data.t[i]);
    if (x0 > view.width) break;
    const x1 = i + 1 < data.t.length ? view.x(data.t[i + 1]) : view.width + 2;
    if (data.v[i] === null) {
      unknown.rect(x0, top + 4, Math.max(1, x1 - x0), height - 9);
      last = null;
      continue;
    }
    const here = y(data.v[i]);
    if (last === null) path.moveTo(x0, here);
    else if (row.analog === 'step') { path.lineTo(x0, last); path.lineTo(x0, here); } else path.lineTo(x0, here);
    if (data.hi[i] !== data.lo[i] && data.hi[i] !== null) {
      path.moveTo(x0, y(data.lo[i]));
      path.lineTo(x0, y(data.hi[i]));
      path.moveTo(x0, here);
    }
    if (row.analog === 'step') path.lineTo(Math.min(x1, view.width + 2), here);
    last = here;
  }
  context.fillStyle = theme.x;
  context.globalAlpha = 0.16;
  context.fill(unknown);
  context.globalAlpha = 1;
  context.strokeStyle = colour;
  context.lineWidth = 1.25;
  context.stroke(path);
  context.lineWidth = 1;
  context.font = '11px system-ui, Lato, "DejaVu Sans", sans-serif';
  context.textBaseline = 'middle';
  const label = (value, at) => {
    const text = String(Number(value.toPrecision(6)));
    const wide = context.measureText(text).width;
    context.fillStyle = theme.bg;
    context.globalAlpha = 0.8;
    context.fillRect(2, at - 7, wide + 6, 14);
    context.globalAlpha = 1;
    context.fillStyle = theme.dim;
    context.fillText(text, 5, at + 0.5);
  };
  label(high, top + 9);
  label(low, top + height - 9);
}
