// Mouse on the waveform canvas: wheel zooms at the pointer, drags move the cursor, pan or pick a range.
import { AXIS } from './draw.js';
import { isDense } from './values.js';
import { upperBound } from '../util.js';

const SNAP = 8;

/** The row item under a y of the canvas. */
export function itemAt(model, y, scroll) {
  if (y < AXIS) return null;
  const inside = y - AXIS + scroll;
  return model.visible().find(item => inside >= item.top && inside < item.top + item.height) || null;
}

/** The edge of a row nearest to `t`, if it is within a few pixels; else `t`. */
export function snap(controller, item, t, scale) {
  const row = item?.row;
  if (!row || row.type !== 'signal') return t;
  let best = t;
  let distance = SNAP / scale;
  controller.sources.forEach((source, index) => {
    const data = source.rows.get(row.analog ? `a:${row.signal}` : index ? row.signalB : row.signal);
    if (!data) return;
    const at = upperBound(data.t, t);
    for (const k of [at - 1, at]) {
      if (k < 1 || k >= data.t.length || isDense(data.v[k]) || (k && isDense(data.v[k - 1]))) continue;
      if (Math.abs(data.t[k] - t) < distance) {
        best = data.t[k];
        distance = Math.abs(best - t);
      }
    }
  });
  return best;
}

/** Connects a canvas to a controller; returns how to disconnect. */
export function connect(canvas, controller) {
  const { model } = controller;
  const place = event => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top, width: box.width };
  };
  const timeAt = (x, width) => model.t0 + (x / width) * model.span;

  const wheel = event => {
    event.preventDefault();
    const { x, width } = place(event);
    if (event.altKey) {
      canvas.parentElement.parentElement.scrollTop += event.deltaY;
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      model.pan(((event.deltaX || event.deltaY) / width) * model.span);
    } else {
      const step = event.deltaMode === 1 ? event.deltaY * 30 : event.deltaY;
      model.zoom(Math.exp(Math.max(-240, Math.min(240, step)) * 0.003), timeAt(x, width));
    }
  };

  const down = event => {
    const start = place(event);
    const { width } = start;
    const from = model.t0;
    const scale = width / model.span;
    const axis = start.y < AXIS;
    const mode = event.button === 1 || event.shiftKey ? 'pan' : axis || event.altKey ? 'zoom' : event.button === 0 ? 'cursor' : null;
    if (!mode) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    controller.focus();
    const item = itemAt(model, start.y, controller.scroll);
    if (mode === 'cursor') {
      if (item && item.row.type === 'signal') model.select(item.row.id, event.ctrlKey || event.metaKey);
      model.setCursor(snap(controller, item, timeAt(start.x, width), scale));
    }
    const move = moved => {
      const now = place(moved);
      if (mode === 'pan') model.setView(from - (now.x - start.x) / scale, from - (now.x - start.x) / scale + width / scale);
      else if (mode === 'zoom') { controller.zoomBox = [start.x, now.x]; controller.draw(); } else model.setCursor(snap(controller, item, timeAt(now.x, width), scale));
    };
    const up = ended => {
      canvas.removeEventListener('pointermove', move);
      canvas.removeEventListener('pointerup', up);
      canvas.removeEventListener('pointercancel', up);
      if (mode !== 'zoom') return;
      controller.zoomBox = null;
      const now = place(ended);
      if (Math.abs(now.x - start.x) > 4) {
        const [a, b] = [timeAt(start.x, width), timeAt(now.x, width)].sort((p, q) => p - q);
        model.setView(a, b);
      } else {
        model.setCursor(timeAt(start.x, width));
        controller.draw();
      }
    };
    canvas.addEventListener('pointermove', move);
    canvas.addEventListener('pointerup', up);
    canvas.addEventListener('pointercancel', up);
  };

  canvas.addEventListener('wheel', wheel, { passive: false });
  canvas.addEventListener('pointerdown', down);
  return () => {
    canvas.removeEventListener('wheel', wheel);
    canvas.removeEventListener('pointerdown', down);
  };
}
