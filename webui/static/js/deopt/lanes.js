// The swim lanes: one line per process coloured by tier, with a mark per compile, install, deopt, bailout and evict.
import { html, useEffect, useRef, useState } from '../lib.js';
import { axisNs, clamp, css, formatNs, formatTime, percent, prepareCanvas, ticks, timeTicks } from '../util.js';
import { at, between } from './model.js';
import { drawMarks } from './marks.js';

const LANE = 24;
const AXIS = 26;
/** Clicks, and the keys that press a button. */
const press = action => ({ role: 'button', tabIndex: 0, onClick: action, onKeyDown: event => { if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); action(); } } });

export const MARKS = { compile: 'compile', install: 'install', deopt: 'deopt', bailout: 'bailout', evict: 'evict' };

function mark(context, kind, x, y, colours) {
  context.beginPath();
  if (kind === 'deopt') { context.fillStyle = colours.bad; context.moveTo(x - 5, y - 9); context.lineTo(x + 5, y - 9); context.lineTo(x, y - 1); context.fill(); }
  else if (kind === 'bailout') {
    context.moveTo(x - 4, y - 4); context.lineTo(x + 4, y + 4); context.moveTo(x + 4, y - 4); context.lineTo(x - 4, y + 4);
    for (const [colour, wide] of [[colours.panel, 5], [colours.bad, 2]]) { context.strokeStyle = colour; context.lineWidth = wide; context.stroke(); } // clear of the bar below
    context.lineWidth = 1;
  }
  else if (kind === 'compile') { context.fillStyle = colours.compile; context.fillRect(x - 3.5, y - 3.5, 7, 7); context.strokeStyle = colours.panel; context.strokeRect(x - 3.5, y - 3.5, 7, 7); }
  else if (kind === 'install' || kind === 'tier') { context.fillStyle = colours.text; context.moveTo(x - 4, y + 9); context.lineTo(x + 4, y + 9); context.lineTo(x, y + 2); context.fill(); }
  else if (kind === 'evict') { context.strokeStyle = colours.text; context.arc(x, y, 3.5, 0, 7); context.fillStyle = colours.panel; context.fill(); context.stroke(); }
}

export function MarkLegend() {
  const canvas = useRef();
  useEffect(() => {
    const draw = () => {
      const measure = canvas.current.getContext('2d');
      measure.font = '12.5px system-ui, Lato, "DejaVu Sans", sans-serif';
      const width = Math.ceil(Object.keys(MARKS).reduce((sum, kind) => sum + measure.measureText(kind).width + 30, -10));
      canvas.current.style.width = `${width}px`;
      const [context] = prepareCanvas(canvas.current, width, 22);
      const colours = palette();
      context.font = '12.5px system-ui, Lato, "DejaVu Sans", sans-serif';
      context.textBaseline = 'middle';
      let x = 8;
      for (const kind of Object.keys(MARKS)) {
        mark(context, kind, x, kind === 'deopt' ? 16 : kind === 'install' ? 6 : 11, colours);
        context.fillStyle = colours.dim;
        context.fillText(kind, x + 10, 11.5);
        x += context.measureText(kind).width + 30;
      }
    };
    draw();
    addEventListener('themechange', draw);
    return () => removeEventListener('themechange', draw);
  }, []);
  return html`<canvas ref=${canvas} style="height:22px" role="img" aria-label="Marks: compile, install, deopt, bailout, evict"></canvas>`;
}

const palette = () => ({
  text: css('--text'), dim: css('--dim'), panel: css('--panel'), line: css('--line'), hover: css('--hover'), bad: css('--reason-0'), accent: css('--accent'),
  interpret: css('--tier-interpret'), compile: css('--tier-compile'), optimise: css('--tier-optimise'),
});

/** `view` [begin, end] on `axis`; `pick(process)`; `select([begin, end])` after a drag; `open(event)` after a click on a mark. */
export function Lanes({ rows, view, axis, cursor, chosen, pick, select, open, toggle, closed }) {
  const canvas = useRef();
  const [tip, setTip] = useState(null);
  const [drag, setDrag] = useState(null);
  const height = AXIS + rows.length * LANE;
  const [begin, end] = view;
  const draw = () => {
    if (!canvas.current?.isConnected) return;
    const [context, width] = prepareCanvas(canvas.current, canvas.current.clientWidth, height);
    const colours = palette();
    const x = value => ((value - begin) / (end - begin)) * width;
    context.font = '12px system-ui, Lato, "DejaVu Sans", sans-serif';
    context.textBaseline = 'middle';
    let free = 0;
    for (const tick of axis === 'sim' ? timeTicks(begin, end, width) : ticks(begin, end, width, axisNs)) {
      const left = Math.round(x(tick.value));
      context.fillStyle = colours.line;
      context.fillRect(left, AXIS - 6, 1, height);
      const wide = context.measureText(tick.label).width;
      const label = Math.min(Math.max(2, left - wide / 2), width - wide - 2);
      if (label > free) {
        context.fillStyle = colours.dim;
        context.fillText(tick.label, label, 10);
        free = label + wide + 8;
      }
    }
    rows.forEach((row, n) => {
      const top = AXIS + n * LANE;
      context.fillStyle = colours.line;
      context.fillRect(0, top + LANE - 1, width, 1);
      const lanes = row.type === 'lane' ? [row.lane] : row.group.lanes;
      if (row.type === 'lane') {
        for (const stretch of row.lane.stretches) {
          const x0 = Math.max(0, x(stretch.from[axis]));
          const x1 = Math.min(width, x(stretch.to[axis]));
          if (x1 <= x0) continue;
          context.fillStyle = colours[stretch.tier] || colours.dim;
          context.globalAlpha = stretch.tier === 'interpret' ? 0.85 : 0.7;
          context.fillRect(x0, top + 9, Math.max(1, x1 - x0), LANE - 16);
          if (stretch.tier !== 'interpret' && row.lane.share > 0) {
            // Activations that were handed to the interpreter one by one: their share of the process's.
            context.fillStyle = colours.interpret;
            context.globalAlpha = 0.95;
            const part = Math.max(1.5, row.lane.share * (LANE - 16));
            context.fillRect(x0, top + 9 + (LANE - 16) - part, Math.max(1, x1 - x0), part);
          }
        }
        context.globalAlpha = 1;
      }
      for (const lane of row.type === 'lane' || closed.has(row.group.name) ? lanes : []) {
        const seen = {}; // marks of one kind in one pixel look like one
        for (const event of lane.others) {
          const left = x(at(event, axis));
          if (left <= -6 || left >= width + 6 || seen[event.kind] === Math.round(left)) continue;
          seen[event.kind] = Math.round(left);
          mark(context, event.kind, clamp(left, 5, width - 5), top + LANE / 2 + 1, colours);
        }
        // Deopts are drawn last, so that no other mark hides one.
        const [first, last] = between(lane.deopts[axis], axis, begin - (6 / width) * (end - begin), end + (6 / width) * (end - begin));
        drawMarks(context, lane.deopts[axis], first, last, event => clamp(x(at(event, axis)), 5, width - 5), () => colours.bad, width, top + 1, 8);
      }
    });
    if (cursor !== null && cursor >= begin && cursor <= end) {
      context.fillStyle = colours.accent;
      context.fillRect(Math.round(x(cursor)), AXIS - 8, 1.5, height);
    }
    if (drag) {
      context.fillStyle = colours.accent;
      context.globalAlpha = 0.18;
      context.fillRect(Math.min(...drag), 0, Math.abs(drag[1] - drag[0]), height);
      context.globalAlpha = 1;
    }
  };
  useEffect(() => {
    draw();
    const observer = new ResizeObserver(draw);
    observer.observe(canvas.current);
    addEventListener('themechange', draw);
    return () => { observer.disconnect(); removeEventListener('themechange', draw); };
  });

  const near = event => {
    const box = canvas.current.getBoundingClientRect();
    const row = rows[Math.floor((event.clientY - box.top - AXIS) / LANE)];
    if (!row) return null;
    const lanes = row.type === 'lane' ? [row.lane] : closed.has(row.group.name) ? row.group.lanes : [];
    const px = event.clientX - box.left;
    let best = null;
    for (const lane of lanes) {
      for (const one of lane.events) {
        const distance = Math.abs(((at(one, axis) - begin) / (end - begin)) * box.width - px);
        if (distance < 7 && (!best || distance < best.distance || (distance === best.distance && one.kind === 'deopt'))) best = { distance, event: one, lane };
      }
    }
    return best;
  };
  const hover = event => {
    const found = near(event);
    const box = canvas.current.parentElement.getBoundingClientRect();
    setTip(found ? {
      x: Math.min(event.clientX - box.left + 12, box.width - 300), y: event.clientY - box.top + 14,
      text: `${found.event.kind} · ${found.lane.process.name}${found.lane.process.process_id || !found.event.definition ? '' : ` · ${found.event.definition}`}\n${formatTime(found.event.time_fs, 4)} · wall ${formatNs(found.event.wall_ns)}${found.event.dur_ns ? ` · took ${formatNs(found.event.dur_ns)}` : ''}`,
    } : null);
  };
  const down = event => {
    if (event.button) return;
    const box = canvas.current.getBoundingClientRect();
    const from = event.clientX - box.left;
    const found = near(event);
    canvas.current.setPointerCapture(event.pointerId);
    let to = from;
    const move = moved => { to = Math.min(box.width, Math.max(0, moved.clientX - box.left)); if (Math.abs(to - from) > 3) setDrag([from, to]); };
    const up = () => {
      canvas.current.removeEventListener('pointermove', move);
      canvas.current.removeEventListener('pointerup', up);
      setDrag(null);
      const value = px => begin + (px / box.width) * (end - begin);
      if (Math.abs(to - from) > 4) select([value(Math.min(from, to)), value(Math.max(from, to))]);
      else open(found, value(from));
    };
    canvas.current.addEventListener('pointermove', move);
    canvas.current.addEventListener('pointerup', up);
  };
  return html`<div class="lane-scroll"><div class="lanes" data-testid="lanes">
    <div class="lane-names"><div class="axis">Process<span class="spring"></span>lost time</div>
      ${rows.map(row => (row.type === 'group'
        ? html`<div class="group" key=${`g${row.group.name}`} aria-expanded=${!closed.has(row.group.name)} ...${press(() => toggle(row.group.name))} data-group=${row.group.name}><span>${closed.has(row.group.name) ? '▶' : '▼'}</span><span class="name" title=${row.group.name}>${row.group.name}</span><span class="lost">×${row.group.lanes.length} · ${formatNs(row.group.lost, 1)}</span></div>`
        : html`<div class="lane ${chosen === row.lane.process.process_id ? 'on' : ''}" style=${row.single ? 'padding-left:10px' : ''} key=${row.lane.process.process_id} data-process=${row.lane.process.process_id} aria-pressed=${chosen === row.lane.process.process_id} ...${press(() => pick(row.lane.process.process_id))}
            title="${row.lane.process.name} (${row.lane.process.definition}): ${row.lane.process.deopts} deopts, score ${row.lane.process.score}${row.lane.share ? `, ${percent(row.lane.share, 1)} of its activations were handed to the interpreter` : ''}"><span class="name"><bdi>${row.lane.process.name}</bdi></span>${row.single && row.lane.process.definition !== row.lane.process.name ? html`<span class="of">${row.lane.process.definition}</span>` : ''}<span class="lost">${formatNs(row.lane.process.lost_ns, 1)}</span></div>`))}
    </div>
    <canvas ref=${canvas} style=${{ height: `${height}px` }} data-testid="lanes-canvas" onPointerMove=${hover} onPointerLeave=${() => setTip(null)} onPointerDown=${down}></canvas>
    ${tip && html`<div class="tip" style=${{ left: `${tip.x}px`, top: `${tip.y}px` }}>${tip.text}</div>`}
  </div></div>`;
}
