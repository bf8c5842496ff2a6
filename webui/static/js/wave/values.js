// Values as the server sends them (canonical bit strings) and how to show them. See api/waves/build.py for the canonical form.

export const RADICES = ['hex', 'bin', 'unsigned', 'signed', 'oct', 'ascii', 'float', 'time'];

/** Exactly `width` digits: a leading 0 or 1 extends with 0, x and z with themselves (IEEE 1364-2005 §18.2.1). */
export function extend(text, width) {
  if (text.length >= width) return text.slice(text.length - width);
  const lead = text[0] === 'x' || text[0] === 'z' ? text[0] : '0';
  return lead.repeat(width - text.length) + text;
}

/** '' for a known value, 'x' if any bit is x, 'z' if all are z or z is the only unknown. */
export function stateOf(text) {
  if (typeof text !== 'string' || text[0] === '"') return '';
  return text.includes('x') ? 'x' : text.includes('z') ? 'z' : '';
}

function digits(bits, size) {
  const padded = extend(bits, Math.ceil(bits.length / size) * size);
  let out = '';
  for (let i = 0; i < padded.length; i += size) {
    const part = padded.slice(i, i + size);
    if (/^[01]+$/.test(part)) out += parseInt(part, 2).toString(1 << size);
    else out += /^z+$/.test(part) ? 'z' : /^x+$/.test(part) ? 'x' : part.includes('x') ? 'X' : 'Z';
  }
  return out;
}

function ascii(bits) {
  const padded = extend(bits, Math.ceil(bits.length / 8) * 8);
  let out = '';
  for (let i = 0; i < padded.length; i += 8) {
    const code = parseInt(padded.slice(i, i + 8), 2);
    if (code || out) out += code >= 32 && code < 127 ? String.fromCharCode(code) : '·';
  }
  return `"${out}"`;
}

function float(bits) {
  const view = new DataView(new ArrayBuffer(8));
  if (bits.length === 64) {
    view.setBigUint64(0, BigInt(`0b${bits}`));
    return String(view.getFloat64(0));
  }
  if (bits.length === 32) {
    view.setUint32(0, parseInt(bits, 2));
    return String(Number(view.getFloat32(0).toPrecision(8)));
  }
  return BigInt(`0b${bits}`).toString();
}

/** Text of a value in a radix. `kind` real and string come as they are. */
export function format(text, width, kind, radix) {
  if (text === null || text === undefined) return '';
  if (kind === 'real') return String(Number(Number(text).toPrecision(7)));
  if (kind === 'string') return text;
  if (kind === 'event') return '↑';
  const bits = extend(text, width);
  if (width === 1) return bits;
  if (radix === 'bin') return bits;
  const known = /^[01]+$/.test(bits);
  if (radix === 'oct') return digits(bits, 3);
  if (radix === 'hex' || !known) return digits(bits, 4);
  if (radix === 'ascii') return ascii(bits);
  if (radix === 'float') return float(bits);
  let value = BigInt(`0b${bits}`);
  if (radix === 'signed' && bits[0] === '1') value -= 1n << BigInt(width);
  if (radix === 'time') return `${value} fs`;
  return value.toString();
}

/** Bit `position` (0 = least significant) of a value; a density code stays what it is. */
export function bitOf(value, width, position) {
  if (typeof value !== 'string') return value;
  const bits = extend(value, width);
  return bits[bits.length - 1 - position] ?? '0';
}

export const DENSE_X = 16;
export const NARROW = 32; // a known value on too few pixels for its text
export const isDense = value => typeof value === 'number';
