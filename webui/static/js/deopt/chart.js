// A small line chart on a canvas: cumulative curves and trends.
import { html, useEffect, useRef } from '../lib.js';
import { css, prepareCanvas, ticks } from '../util.js';

/** `whole`: the values are counts. series: [{label, colour (CSS variable), points: [[x, y]], dash?}]; formats for the axes; `cursor` an x or null. */
export function Chart({ series, range, formatX, formatY, cursor = null, label, testid, marks = false, xTicks = null, whole = false }) {
  const canvas = useRef();
  const draw = () => {
    if (!canvas.current?.isConnected) return;
    const [context, width, height] = prepareCanvas(canvas.current);
    const top = 10;
    const bottom = 24;
    const font = '12px system-ui, Lato, "DejaVu Sans", sans-serif';
    context.font = font;
    context.textBaseline = 'middle';
    const most = Math.max(whole ? 4 : 1, ...series.flatMap(one => one.points.map(point => point[1]))); // counts have no ticks between numbers
    const rows = ticks(0, most, height - top - bottom, formatY, 34);
    const left = 14 + Math.max(20, ...rows.map(row => context.measureText(row.label).width));
    const right = 14;
    const [begin, end] = range;
    const x = value => left + ((value - begin) / (end - begin || 1)) * (width - left - right);
    const y = value => height - bottom - (value / most) * (height - top - bottom);
    context.textAlign = 'right';
    for (const row of rows) {
      context.fillStyle = css('--line');
      context.fillRect(left, Math.round(y(row.value)), width - left - right, 1);
      context.fillStyle = css('--dim');
      context.fillText(row.label, left - 7, y(row.value));
    }
    context.textAlign = 'left';
    let free = 0;
    for (const tick of xTicks || ticks(begin, end, width - left - right, formatX)) {
      const wide = context.measureText(tick.label).width;
      const from = Math.min(Math.max(left - 6, x(tick.value) - wide / 2), width - wide - 8);
      if (from < free) continue;
      context.fillStyle = css('--dim');
      context.fillText(tick.label, from, height - 9);
      free = from + wide + 12;
    }
    context.save();
    context.beginPath();
    context.rect(left - 4, 0, width - left - right + 8, height - bottom + 4);
    context.clip();
    for (const one of series) {
      context.strokeStyle = context.fillStyle = css(one.colour);
      context.lineWidth = 1.75;
      context.setLineDash(one.dash ? [5, 4] : []);
      context.beginPath();
      one.points.forEach((point, n) => (n ? context.lineTo(x(point[0]), y(point[1])) : context.moveTo(x(point[0]), y(point[1]))));
      context.stroke();
      context.setLineDash([]);
      if (marks) for (const point of one.points) { context.beginPath(); context.arc(x(point[0]), y(point[1]), 3, 0, 7); context.fill(); }
    }
    context.restore();
    context.lineWidth = 1;
    if (cursor !== null && cursor >= begin && cursor <= end) {
      context.fillStyle = css('--accent');
      context.fillRect(x(cursor), top, 1.5, height - top - bottom);
    }
  };
  useEffect(() => {
    draw();
    const observer = new ResizeObserver(draw);
    observer.observe(canvas.current);
    addEventListener('themechange', draw);
    return () => { observer.disconnect(); removeEventListener('themechange', draw); };
  });
  return html`<canvas ref=${canvas} role="img" aria-label=${label} data-testid=${testid}></canvas>`;
}

export const ChartLegend = ({ series }) => html`<span class="legend">${series.map(one => html`<span><i style=${{ background: `var(${one.colour})` }}></i>${one.label}</span>`)}</span>`;
