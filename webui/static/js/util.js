// Formatting and small helpers. Simulation times are numbers of femtoseconds (exact below 2^53 fs, about 9 s), wall times nanoseconds.

const TIME_UNITS = [['s', 1e15], ['ms', 1e12], ['µs', 1e9], ['ns', 1e6], ['ps', 1e3], ['fs', 1]];

export function unitFor(fs) {
  const size = Math.abs(fs);
  return TIME_UNITS.find(([, scale]) => size >= scale) || TIME_UNITS[5];
}

/** "1.25 µs": shortest text with up to `digits` decimals in the unit that suits `reference` (default: the time itself). */
export function formatTime(fs, digits = 6, reference = fs) {
  if (fs === null || fs === undefined || Number.isNaN(fs)) return '–';
  const [unit, scale] = unitFor(reference || 0);
  const value = fs / scale;
  const text = Math.abs(value) >= 1e15 ? value.toExponential(6) : trim(value.toFixed(digits));
  return `${group(text)} ${unit}`;
}

const trim = text => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);

function group(text) {
  const [whole, rest] = text.split('.');
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, '\u202f') : whole;
  return rest === undefined ? grouped : `${grouped}.${rest}`;
}

export function formatNs(ns, digits = 2) {
  if (ns === null || ns === undefined) return '–';
  for (const [unit, scale] of [['s', 1e9], ['ms', 1e6], ['µs', 1e3]]) {
    if (Math.abs(ns) >= scale) return `${trim((ns / scale).toFixed(digits))} ${unit}`;
  }
  return `${Math.round(ns)} ns`;
}

/** The frequency of a period in fs. */
export function formatFrequency(fs) {
  const hertz = 1e15 / fs;
  const [unit, scale] = [['GHz', 1e9], ['MHz', 1e6], ['kHz', 1e3], ['Hz', 1]].find(([, size]) => hertz >= size) || ['Hz', 1];
  return `${trim((hertz / scale).toFixed(3))} ${unit}`;
}

export const formatMs = ms => (ms ? formatNs(ms * 1e6) : '–');
export const formatCount = n => group(String(Math.round(n)));
export const percent = (value, digits = 0) => `${(100 * value).toFixed(digits)} %`;

/** Femtoseconds of "12.5 ns", "3us" or a bare number (fs); null if it is none. */
export function parseTime(text) {
  const match = /^\s*([\d.]+(?:e[+-]?\d+)?)\s*(s|ms|us|µs|ns|ps|fs)?\s*$/i.exec(text);
  if (!match) return null;
  const unit = (match[2] || 'fs').replace('us', 'µs');
  return Math.round(Number(match[1]) * TIME_UNITS.find(([name]) => name === unit)[1]);
}

/** Ticks at round values: [{value, label}] for an axis of `width` pixels. */
export function ticks(begin, end, width, format, spacing = 110) {
  const span = end - begin;
  if (!(span > 0) || width <= 0) return [];
  const rough = span / Math.max(1, width / spacing);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find(factor => factor * power >= rough) * power;
  const out = [];
  for (let n = Math.ceil(begin / step); n * step <= end; n += 1) out.push({ value: n * step, label: format(n * step, step) });
  return out;
}

/** Decimals that tell values `step` apart in a unit of `scale`. */
const decimals = (step, scale) => Math.min(15, Math.max(0, Math.ceil(-Math.log10(step / scale) - 1e-9)));

export const axisTime = end => (value, step) => formatTime(value, decimals(step, unitFor(end)[1]), end);
/** Ticks of a time axis. Far from zero and zoomed in, labels are distances from the first tick, which alone says the whole time. */
export function timeTicks(begin, end, width, spacing = 110) {
  const reach = Math.max(Math.abs(begin), Math.abs(end));
  const marks = ticks(begin, end, width, axisTime(reach), spacing);
  if (marks.length < 2 || Math.log10(unitFor(reach)[1] / (marks[1].value - marks[0].value)) <= 5) return marks;
  const base = marks[0].value;
  const step = marks[1].value - base;
  return marks.map((mark, n) => ({ ...mark, label: n ? `+${formatTime(n * step, 3)}` : formatTime(base, 12) }));
}

/** Wall time (ns) exact enough to tell values `step` apart. */
export const axisNs = (value, step = 0) => formatNs(value, step ? decimals(step, [1e9, 1e6, 1e3].find(scale => Math.abs(value) >= scale) || 1) : 1);

/** The same for both axes: simulation time (fs) with the unit of `end`, or wall time. */
export const preciseTime = (axis, value, step, end) => (axis === 'sim' ? formatTime(value, decimals(step, unitFor(end)[1]), end) : axisNs(value, step));

export function debounce(call, ms) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...args), ms);
  };
}

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** Index of the first element of `sorted` that is greater than `value`. */
export function upperBound(sorted, value, low = 0, high = sorted.length) {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

export function ago(iso) {
  if (!iso) return '–';
  const seconds = (Date.now() - Date.parse(iso)) / 1000;
  if (seconds < 60) return 'just now';
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return iso.slice(0, 16).replace('T', ' ');
}

export function download(name, content) {
  const blob = content instanceof Blob ? content : new Blob([content]);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export const stored = {
  get(key, fallback) {
    try {
      return JSON.parse(localStorage.getItem(`wasmjit.${key}`)) ?? fallback;
    } catch {
      return fallback; // storage is off or holds something else: the default serves
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(`wasmjit.${key}`, JSON.stringify(value));
    } catch {
      // private windows have no storage; the setting then lasts for the page
    }
  },
};

/** A colour of the theme, by its CSS variable name. */
export const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Sizes a canvas to its box in device pixels and returns [context, width, height] in CSS pixels. */
export function prepareCanvas(canvas, width = canvas.clientWidth, height = canvas.clientHeight) {
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return [context, width, height];
}
