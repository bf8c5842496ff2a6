// The strips that share the time axis with the waves: JIT lane, difference band, minimap.
import { html, useEffect, useRef, useState } from '../lib.js';
import { REASONS } from '../ui.js';
import { css, formatCount, formatTime, prepareCanvas } from '../util.js';
import { drawMarks } from '../deopt/marks.js';
import { get, run as runPath } from '../api.js';

const TIERS = ['interpret', 'compile', 'optimise'];

function Strip({ controller, label, kind, paint, onDown, height, testid }) {
  const canvas = useRef();
  useEffect(() => {
    const draw = () => {
      if (!canvas.current?.isConnected) return;
      const [context, width] = prepareCanvas(canvas.current, canvas.current.clientWidth, height);
      paint(context, width, height);
    };
    controller.overlays.add(draw);
    controller.draw();
    return () => controller.overlays.delete(draw);
  }, [controller, paint]);
  return html`<div class="strip ${kind}" data-testid=${testid}><div class="label">${label}</div><canvas ref=${canvas} onPointerDown=${event => onDown(event, canvas.current)}></canvas></div>`;
}

function cursorLine(context, controller, width, height, t0, span) {
  const { model, theme } = controller;
  if (model.cursor === null) return;
  context.fillStyle = theme.cursor;
  context.fillRect(Math.round(((model.cursor - t0) / span) * width), 0, 1, height);
}

/** The whole run in one line: activity, the window, cursor, markers and differences. Drag the window, or click. */
export function Minimap({ controller }) {
  const { model } = controller;
  const [columns, setColumns] = useState([]);
  const key = model.signals().map(row => row.signal).slice(0, 60).join(',');
  useEffect(() => {
    let live = true;
    get(`${runPath(controller.runs[0])}/waves/activity`, { px: 500, s: key }).then(body => live && setColumns(body.columns), () => live && setColumns([]));
    return () => { live = false; };
  }, [controller, key]);
  const paint = (context, width, height) => {
    const span = model.end - model.begin;
    const x = t => ((t - model.begin) / span) * width;
    const most = Math.max(1, ...columns);
    context.fillStyle = controller.theme.dense;
    columns.forEach((count, n) => {
      const tall = count ? 2 + Math.sqrt(count / most) * (height - 10) : 0;
      context.fillRect((n * width) / columns.length, height - 3 - tall, width / columns.length + 0.5, tall);
    });
    context.fillStyle = controller.theme.x;
    for (const [from, to] of controller.band) context.fillRect(x(from), 0, Math.max(1.5, x(to) - x(from)), 4);
    context.fillStyle = controller.theme.marker;
    for (const t of Object.values(model.markers)) context.fillRect(x(t), 0, 1.5, height);
    const left = x(model.t0);
    const wide = Math.max(4, x(model.t1) - left);
    context.fillStyle = controller.theme.cursor;
    context.globalAlpha = 0.14;
    context.fillRect(left, 0, wide, height);
    context.globalAlpha = 1;
    context.strokeStyle = controller.theme.cursor;
    context.strokeRect(left + 0.5, 0.5, wide - 1, height - 1);
    cursorLine(context, controller, width, height, model.begin, span);
  };
  const down = (event, canvas) => {
    const box = canvas.getBoundingClientRect();
    const per = (model.end - model.begin) / box.width;
    const at = model.begin + (event.clientX - box.left) * per;
    if (at < model.t0 || at > model.t1) model.setView(at - model.span / 2, at + model.span / 2);
    const start = event.clientX;
    const from = model.t0;
    const { span } = model;
    canvas.setPointerCapture(event.pointerId);
    const move = moved => model.setView(from + (moved.clientX - start) * per, from + (moved.clientX - start) * per + span);
    const up = () => { canvas.removeEventListener('pointermove', move); canvas.removeEventListener('pointerup', up); };
    canvas.addEventListener('pointermove', move);
    canvas.addEventListener('pointerup', up);
  };
  return html`<${Strip} controller=${controller} kind="minimap" testid="minimap" height=${34} paint=${paint} onDown=${down} label=${html`Whole run <span>${formatTime(model.end, 3)}</span>`} />`;
}

/** Where the two runs differ, over the window; ticks of single instants stay visible at any zoom. */
export function DiffBand({ controller }) {
  const { model } = controller;
  const paint = (context, width, height) => {
    context.fillStyle = controller.theme.bg;
    context.fillRect(0, 0, width, height);
    context.fillStyle = controller.theme.x;
    const x = t => ((t - model.t0) / model.span) * width;
    for (const [from, to] of controller.band) {
      if (to < model.t0 || from > model.t1) continue;
      const x0 = Math.max(0, x(from));
      context.globalAlpha = 0.45;
      context.fillRect(x0, 6, Math.max(2, Math.min(width, x(to)) - x0), height - 12);
    }
    context.globalAlpha = 1;
    let done = -1;
    for (const t of controller.starts()) {
      if (t > model.t1) break;
      const left = Math.floor(x(t));
      if (left > done && left >= 0) context.fillRect(left, 3, 1.5, height - 6);
      done = Math.max(done, left);
    }
    cursorLine(context, controller, width, height, model.t0, model.span);
  };
  const down = (event, canvas) => {
    const box = canvas.getBoundingClientRect();
    model.setCursor(model.t0 + ((event.clientX - box.left) / box.width) * model.span);
  };
  return html`<${Strip} controller=${controller} kind="band" testid="band" height=${22} paint=${paint} onDown=${down} label="Differences" />`;
}

/** Share of the processes in each tier over simulation time, with a mark per deopt. */
export function JitLane({ controller, timeline }) {
  const { model } = controller;
  const steps = useRef(null);
  if (!steps.current || steps.current.of !== timeline) steps.current = tierSteps(timeline);
  const paint = (context, width, height) => {
    const colours = TIERS.map(tier => css(`--tier-${tier}`));
    const { times, counts, total, share } = steps.current;
    const x = t => ((t - model.t0) / model.span) * width;
    const top = 11;
    const tall = height - top - 3;
    let painted = -1;
    for (let n = 0; n < times.length && total; n += 1) {
      const x0 = Math.max(0, x(times[n]));
      const x1 = Math.min(width, n + 1 < times.length ? x(times[n + 1]) : x(model.end));
      if (x1 <= 0 || x0 >= width || x1 <= x0) continue;
      if (Math.floor(x1) === painted) continue; // a column of its own is all that many changes can have
      painted = x1 - x0 < 1 ? Math.floor(x1) : -1;
      let y = top + tall;
      counts[n].forEach((count, tier) => {
        const part = (count / total) * tall;
        context.fillStyle = colours[tier];
        context.fillRect(x0, y - part, x1 - x0 + 0.5, part);
        if (tier) {
          // Activations that were handed to the interpreter one by one.
          context.fillStyle = colours[0];
          context.fillRect(x0, y - part * share, x1 - x0 + 0.5, part * share);
        }
        y -= part;
      });
    }
    const reasons = [0, 1, 2, 3, 4].map(n => css(`--reason-${n}`));
    const first = lowerBound(timeline.deopts, model.t0 - (5 / width) * model.span);
    const last = lowerBound(timeline.deopts, model.t1 + (5 / width) * model.span);
    drawMarks(context, timeline.deopts, first, last, event => x(event.time_fs), event => reasons[event.reason], width, 1, 8);
    cursorLine(context, controller, width, height, model.t0, model.span);
  };
  const down = (event, canvas) => {
    const box = canvas.getBoundingClientRect();
    const t = model.t0 + ((event.clientX - box.left) / box.width) * model.span;
    const reach = (6 / box.width) * model.span;
    const near = timeline.deopts.slice(lowerBound(timeline.deopts, t - reach), lowerBound(timeline.deopts, t + reach)).sort((a, b) => Math.abs(a.time_fs - t) - Math.abs(b.time_fs - t))[0];
    model.setCursor(near ? near.time_fs : t);
  };
  return html`<${Strip} controller=${controller} kind="jit" testid="jit-lane" height=${34} paint=${paint} onDown=${down}
    label=${html`JIT tiers <span class="spring"></span><span data-testid="lane-deopts">${formatCount(timeline.deopts.length)} ${timeline.deopts.length === 1 ? 'deopt' : 'deopts'}</span>`} />`;
}

function tierSteps(timeline) {
  const tiers = new Map(timeline.processes.filter(process => process.process_id).map(process => [process.process_id, 0]));
  const counts = [tiers.size, 0, 0];
  const activations = timeline.processes.reduce((sum, process) => sum + process.activations, 0);
  const once = timeline.deopts.filter(event => event.tier !== 'interpret').length;
  const out = { of: timeline, total: tiers.size, times: [0], counts: [[...counts]], share: once ? Math.min(1, once / Math.max(1, activations)) : 0 };
  for (const event of [...timeline.events].sort((a, b) => a.time_fs - b.time_fs)) {
    if (event.kind === 'compile' || event.kind === 'cache_hit' || event.kind === 'bailout' || !tiers.has(event.process_id)) continue;
    const next = Math.max(0, TIERS.indexOf(event.tier));
    const old = tiers.get(event.process_id);
    if (old === next) continue;
    counts[old] -= 1;
    counts[next] += 1;
    tiers.set(event.process_id, next);
    out.times.push(event.time_fs);
    out.counts.push([...counts]);
  }
  return out;
}

/** Index of the first event at or after a time; the events are in order of simulation time. */
function lowerBound(events, time) {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events[middle].time_fs < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Timeline of a run for the lane: null when it has none. */
export async function loadTimeline(id) {
  const timeline = await get(`${runPath(id)}/timeline`);
  if (!timeline.processes.length) return null;
  const number = reason => { const at = REASONS.indexOf(reason); return at < 0 ? 4 : at; };
  return { ...timeline, deopts: timeline.events.filter(event => event.kind === 'deopt').map(event => ({ ...event, reason: number(event.reason) })) };
}
