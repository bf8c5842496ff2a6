// Waveform data from the server: hierarchy once, windows as the view moves. What is drawn is always the last window that arrived.
import { get, poll, run as runPath } from '../api.js';

/** Waits until the waveform is indexed; `onState` hears about progress. */
export async function waitReady(id, onState, signal) {
  let signature; // of a dump that grows while it is read
  return poll(() => get(`${runPath(id)}/waves`, { signature }, signal), answer => { signature ??= answer.signature; onState(answer); return answer.state !== 'indexing'; }, signal);
}

/** Hierarchy of a run: {scopes, vars, byPath, begin, end, changes}. */
export async function loadTree(id, signal) {
  const body = await get(`${runPath(id)}/waves/tree`, {}, signal);
  const scopes = body.scopes.map(([name, kind, parent]) => ({ name, kind, parent, scopes: [], vars: [], path: '' }));
  const roots = [];
  scopes.forEach((scope, index) => {
    scope.index = index;
    scope.path = scope.parent >= 0 ? `${scopes[scope.parent].path}.${scope.name}` : scope.name;
    (scope.parent >= 0 ? scopes[scope.parent].scopes : roots).push(scope);
  });
  const byPath = new Map();
  const vars = body.vars.map(([name, kind, width, signal, scope, left, right]) => {
    const path = scope >= 0 ? `${scopes[scope].path}.${name}` : name;
    const variable = { name, declared: kind, kind: kind.includes('real') ? 'real' : kind === 'string' || kind === 'event' ? kind : 'bits', width, signal, path, left, right };
    if (scope >= 0) scopes[scope].vars.push(variable);
    if (!byPath.has(path)) byPath.set(path, variable);
    return variable;
  });
  const loose = vars.filter((_, index) => body.vars[index][4] < 0);
  return { scopes, roots, vars, loose, byPath, begin: body.t_begin, end: Math.max(body.t_end, body.t_begin + 1), changes: body.changes, format: body.format };
}

const MAX_SIGNALS = 120;

/** Keeps the data of the rows on the screen for one run. `onData` is called when something arrived. */
export class WindowSource {
  constructor(id, onData) {
    this.id = id;
    this.onData = onData;
    this.rows = new Map(); // "n" or "a:n" (analog) -> row of the answer
    this.t0 = this.t1 = this.density = 0;
    this.keys = '';
    this.busy = null;
    this.error = null;
    this.stamp = 0;
  }

  /** Asks for what is missing to draw [t0, t1] over `pixels`; signals and analog are arrays of numbers; `full`: bits of a bus are shown, so its narrowest values are wanted too. */
  want(t0, t1, pixels, signals, analog, full, begin, end) {
    if (!(signals.length + analog.length) || pixels < 2) return;
    const density = pixels / (t1 - t0);
    const keys = `${signals.join(',')}|${analog.join(',')}|${full}`;
    const covered = Math.max(t0, begin) >= this.t0 && Math.min(t1, end) <= this.t1;
    if (keys === this.keys && covered && density <= this.density * 1.05 && density >= this.density * 0.45) return;
    const wanted = { t0, t1, pixels, signals, analog, full, keys, density, begin, end };
    if (this.busy) {
      this.next = wanted;
      return;
    }
    this.fetch(wanted);
  }

  async fetch(wanted) {
    this.busy = new AbortController();
    // A quarter of a screen on either side, so that a short pan needs no answer first.
    const margin = (wanted.t1 - wanted.t0) / 4;
    const t0 = Math.max(0, Math.floor(Math.max(wanted.t0 - margin, wanted.begin)));
    const t1 = Math.max(t0 + 1, Math.ceil(Math.min(wanted.t1 + margin, wanted.end)));
    const px = Math.max(16, Math.min(8192, Math.round(wanted.density * (t1 - t0))));
    try {
      const rows = new Map();
      for (let n = 0; n < wanted.signals.length || (n === 0 && wanted.analog.length); n += MAX_SIGNALS) {
        const body = await get(`${runPath(this.id)}/waves/window`, {
          t0, t1, px, full: wanted.full ? 'true' : '', s: wanted.signals.slice(n, n + MAX_SIGNALS).join(','), analog: n ? '' : wanted.analog.join(','),
        }, this.busy.signal);
        for (const row of body.rows) rows.set(row.analog ? `a:${row.s}` : row.s, row);
      }
      Object.assign(this, { rows, t0, t1, keys: wanted.keys, density: px / (t1 - t0), error: null });
    } catch (error) {
      if (error.name !== 'AbortError') this.error = error;
    }
    this.busy = null;
    this.stamp += 1;
    this.onData();
    const { next } = this;
    this.next = null;
    if (next && !this.error) this.want(next.t0, next.t1, next.pixels, next.signals, next.analog, next.full, next.begin, next.end);
  }
}
