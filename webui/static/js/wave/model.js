// State of a waveform view: rows, time window, cursor, markers. Pages listen to it; drawing reads it directly.
import { clamp } from '../util.js';

export const ROW_HEIGHT = 28;
export const ANALOG_HEIGHT = 72;
export const GROUP_HEIGHT = 24;
export const COLOURS = ['', '#2f6fde', '#b0730a', '#7b4bc4', '#0f7f8f', '#c2352b', '#5f8a1f', '#b5179e'];

let nextId = 1;

/** A row of a signal. `signalB` is its number in the second run of a comparison. */
export function signalRow(variable, extra = {}) {
  return {
    id: nextId++, type: 'signal', path: variable.path, name: variable.name, signal: variable.signal, signalB: variable.signalB ?? null, width: variable.width,
    kind: variable.kind, left: variable.left, right: variable.right, radix: variable.kind === 'bits' && variable.width > 1 ? 'hex' : 'bin', analog: '', colour: 0, open: false, label: '', ...extra,
  };
}

export const groupRow = (label, children = []) => ({ id: nextId++, type: 'group', label, open: true, children });
export const dividerRow = (label = '') => ({ id: nextId++, type: 'divider', label });

/** path -> the shortest end of it, in whole names, that no other path of the list ends with. */
export function distinctNames(paths) {
  const out = new Map();
  const take = (group, words) => {
    const ends = new Map();
    for (const path of group) {
      const end = path.split('.').slice(-words).join('.');
      if (!ends.has(end)) ends.set(end, []);
      ends.get(end).push(path);
    }
    for (const [end, same] of ends) {
      if (same.length === 1 || same.every(path => path === end)) same.forEach(path => out.set(path, end));
      else take(same, words + 1);
    }
  };
  take([...new Set(paths)], 1);
  return out;
}

export class WaveModel {
  constructor(begin, end) {
    this.begin = begin;
    this.end = Math.max(end, begin + 1);
    this.t0 = begin;
    this.t1 = this.end;
    this.cursor = null;
    this.markers = {}; // digit -> time
    this.rows = [];
    this.selected = new Set();
    this.listeners = new Set();
    this.rowHeight = ROW_HEIGHT; // a comparison needs room for two values
    this.past = [];
    this.future = [];
  }

  listen(call) {
    this.listeners.add(call);
    return () => this.listeners.delete(call);
  }

  /** what: 'view' (window), 'cursor', 'rows' or 'select'. */
  changed(what) {
    for (const call of this.listeners) call(what);
  }

  // -- time ---------------------------------------------------------------------------------------------------------

  get span() { return this.t1 - this.t0; }

  setView(t0, t1) {
    const whole = this.end - this.begin;
    const span = clamp(t1 - t0, Math.min(10, whole), whole * 1.1);
    const margin = whole * 0.05;
    const start = clamp(t0, this.begin - margin, Math.max(this.begin - margin, this.end + margin - span));
    this.t0 = start;
    this.t1 = start + span;
    this.changed('view');
  }

  zoom(factor, at = (this.t0 + this.t1) / 2) { this.setView(at - (at - this.t0) * factor, at + (this.t1 - at) * factor); }
  pan(dt) { this.setView(this.t0 + dt, this.t1 + dt); }
  fit() { this.setView(this.begin, this.end); }

  setCursor(t, reveal = false) {
    this.cursor = t === null ? null : clamp(Math.round(t), this.begin, this.end);
    if (reveal && this.cursor !== null && (this.cursor < this.t0 || this.cursor > this.t1)) {
      const span = this.span;
      this.setView(this.cursor - span / 2, this.cursor + span / 2);
    }
    this.changed('cursor');
  }

  setMarker(digit, t) {
    if (t === null) delete this.markers[digit];
    else this.markers[digit] = t;
    this.changed('cursor');
  }

  // -- rows -----------------------------------------------------------------------------------------------------------

  /** Rows as they are shown: [{row, depth, top, height, bit?}], bits of open buses included. */
  visible() {
    if (this.cache) return this.cache;
    const out = [];
    let top = 0;
    const walk = (rows, depth) => {
      for (const row of rows) {
        const height = row.type === 'signal' ? (row.analog ? ANALOG_HEIGHT : this.rowHeight) : GROUP_HEIGHT;
        out.push({ row, depth, top, height, key: String(row.id) });
        top += height;
        if (row.type === 'group' && row.open) walk(row.children, depth + 1);
        if (row.type === 'signal' && row.open) {
          for (let bit = row.width - 1; bit >= 0; bit -= 1) {
            out.push({ row, bit, depth: depth + 1, top, height: GROUP_HEIGHT, key: `${row.id}.${bit}` });
            top += GROUP_HEIGHT;
          }
        }
      }
    };
    walk(this.rows, 0);
    out.height = top;
    this.cache = out;
    return out;
  }

  signals() {
    const out = [];
    const walk = rows => rows.forEach(row => { if (row.type === 'signal') out.push(row); else if (row.children) walk(row.children); });
    walk(this.rows);
    return out;
  }

  find(id, rows = this.rows) {
    for (let index = 0; index < rows.length; index += 1) {
      if (rows[index].id === id) return { list: rows, index, row: rows[index] };
      const inside = rows[index].children && this.find(id, rows[index].children);
      if (inside) return inside;
    }
    return null;
  }

  /** Changes rows through `change`, so that it can be undone. */
  edit(change) {
    this.past.push(JSON.stringify(this.rows));
    if (this.past.length > 100) this.past.shift();
    this.future = [];
    change();
    this.rowsChanged();
  }

  /** What a row is called: its label, or its signal's name with as many scopes before it as tell it from the other rows. */
  nameOf(row) {
    if (row.label || row.type !== 'signal') return row.label || row.name || '';
    this.names ??= distinctNames(this.signals().map(one => one.path));
    return this.names.get(row.path) ?? row.name;
  }

  rowsChanged() {
    this.cache = null;
    this.names = null;
    const known = new Set();
    const walk = rows => rows.forEach(row => { known.add(row.id); if (row.children) walk(row.children); });
    walk(this.rows);
    for (const id of this.selected) if (!known.has(id)) this.selected.delete(id);
    this.changed('rows');
  }

  undo(back = true) {
    const [from, to] = back ? [this.past, this.future] : [this.future, this.past];
    if (!from.length) return;
    to.push(JSON.stringify(this.rows));
    this.rows = JSON.parse(from.pop());
    this.rowsChanged();
  }

  add(rows) {
    this.edit(() => {
      const last = [...this.selected].pop();
      const place = last && this.find(last);
      if (place && place.row.type === 'group') place.row.children.push(...rows);
      else if (place) place.list.splice(place.index + 1, 0, ...rows);
      else this.rows.push(...rows);
    });
    this.select(rows[rows.length - 1]?.id);
  }

  remove(ids = [...this.selected]) {
    const gone = new Set(ids);
    const strip = rows => rows.filter(row => !gone.has(row.id)).map(row => { if (row.children) row.children = strip(row.children); return row; });
    this.edit(() => { this.rows = strip(this.rows); });
  }

  /** Moves rows before `beforeId` (null: to the end), into the list that holds it. */
  move(ids, beforeId) {
    if (ids.includes(beforeId)) return;
    this.edit(() => {
      const moving = ids.map(id => this.find(id)).filter(Boolean).map(place => place.row);
      for (const row of moving) {
        const place = this.find(row.id);
        place.list.splice(place.index, 1);
      }
      const target = beforeId === null ? null : this.find(beforeId);
      if (target) target.list.splice(target.index, 0, ...moving);
      else this.rows.push(...moving);
    });
  }

  moveBy(step) {
    const ids = [...this.selected];
    const place = ids.length && this.find(step < 0 ? ids[0] : ids[ids.length - 1]);
    if (!place) return;
    const to = place.index + (step < 0 ? -1 : 2);
    if (to < 0 || to > place.list.length) return;
    this.move(ids, place.list[to]?.id ?? null);
  }

  group(label) {
    const places = [...this.selected].map(id => this.find(id)).filter(Boolean);
    if (!places.length) return;
    this.edit(() => {
      const { list } = places[0];
      const rows = places.map(place => place.row);
      const at = Math.min(...places.filter(place => place.list === list).map(place => place.index));
      const made = groupRow(label || `Group ${rows.length > 1 ? `of ${rows.length}` : ''}`.trim(), rows);
      for (const row of rows) {
        const place = this.find(row.id);
        place.list.splice(place.index, 1);
      }
      list.splice(Math.min(at, list.length), 0, made);
      this.selected = new Set([made.id]);
    });
  }

  ungroup() {
    const place = [...this.selected].map(id => this.find(id)).find(found => found?.row.type === 'group');
    if (place) this.edit(() => place.list.splice(place.index, 1, ...place.row.children));
  }

  update(ids, change) {
    this.edit(() => { for (const id of ids) { const place = this.find(id); if (place) Object.assign(place.row, typeof change === 'function' ? change(place.row) : change); } });
  }

  select(id, more = false, range = false) {
    if (range && this.selected.size) {
      const order = this.visible().filter(item => item.bit === undefined).map(item => item.row.id);
      const [a, b] = [order.indexOf([...this.selected][0]), order.indexOf(id)].sort((x, y) => x - y);
      this.selected = new Set(order.slice(a, b + 1));
    } else if (more) {
      if (!this.selected.delete(id)) this.selected.add(id);
    } else this.selected = new Set(id === undefined ? [] : [id]);
    this.changed('select');
  }

  /** The signal row that keys act on: the last selected one. */
  current() {
    const places = [...this.selected].map(id => this.find(id)?.row).filter(row => row?.type === 'signal');
    return places[places.length - 1] || this.signals()[0] || null;
  }

  // -- save and restore -------------------------------------------------------------------------------------------------

  /** Compact text for the address: path*flags, groups as (label|…). */
  serialise() {
    const one = row => {
      if (row.type === 'divider') return ['d', row.label];
      if (row.type === 'group') return ['g', row.label, row.open ? 1 : 0, row.children.map(one)];
      const extra = {};
      if (row.radix !== 'hex') extra.r = row.radix;
      if (row.analog) extra.a = row.analog;
      if (row.colour) extra.c = row.colour;
      if (row.open) extra.o = 1;
      if (row.label) extra.l = row.label;
      return Object.keys(extra).length ? [row.path, extra] : row.path;
    };
    return this.rows.map(one);
  }

  /** Rows of what `serialise` gave; `lookup(path)` finds a variable. Returns the paths that no longer exist. */
  restore(saved, lookup) {
    const missing = [];
    const one = item => {
      if (Array.isArray(item) && item[0] === 'd' && typeof item[1] === 'string') return dividerRow(item[1]);
      if (Array.isArray(item) && item[0] === 'g') return { ...groupRow(String(item[1]), (item[3] || []).map(one).filter(Boolean)), open: Boolean(item[2]) };
      const [path, extra] = Array.isArray(item) ? item : [item, {}];
      const variable = lookup(path);
      if (!variable) { missing.push(path); return null; }
      return signalRow(variable, { radix: extra.r || 'hex', analog: extra.a || '', colour: extra.c || 0, open: Boolean(extra.o), label: extra.l || '' });
    };
    this.rows = (Array.isArray(saved) ? saved : []).map(one).filter(Boolean);
    this.rowsChanged();
    return missing;
  }
}
