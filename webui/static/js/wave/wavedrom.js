// The shown stretch as WaveDrom text, for documents. One column per instant at which some signal changes.
import { format } from './values.js';

const MOST = 200;

/** `rows`: signal rows; `windows`: Map signal -> {t, v} of [t0, t1] without dense stretches. Raises Error when there is too much to read. */
export function waveDrom(rows, windows, t0, t1, nameOf, title) {
  const times = new Set([t0]);
  for (const { t, v } of windows.values()) {
    if (v.some(value => typeof value === 'number')) throw new Error('too many changes to draw one by one: zoom in, or choose fewer signals');
    for (const time of t) if (time > t0 && time <= t1) times.add(time);
  }
  if (times.size > MOST) throw new Error(`${times.size} different instants; WaveDrom pictures are readable up to ${MOST}: zoom in, or choose fewer signals`);
  const columns = [...times].sort((a, b) => a - b);
  const signal = rows.map(row => {
    const { t, v } = windows.get(row.signal);
    const data = [];
    let wave = '';
    let k = -1;
    for (const time of columns) {
      const before = k;
      while (k + 1 < t.length && t[k + 1] <= time) k += 1;
      if (wave && k === before) { wave += '.'; continue; }
      const value = k < 0 ? 'x' : v[k];
      if (row.width === 1 && row.kind === 'bits') wave += value;
      else if (/^[xz]$/.test(value)) wave += value;
      else { wave += '='; data.push(format(value, row.width, row.kind, row.radix)); }
    }
    return { name: nameOf(row), wave, ...(data.length ? { data } : {}) };
  });
  return JSON.stringify({ signal, head: { text: title }, config: { hscale: 1 } }, null, 1);
}
