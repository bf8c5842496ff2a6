// One deopt: why, what to do, where it goes on, what was in the frame, and the code on both sides.
import { html, useEffect, useRef, useState } from '../lib.js';
import { Empty, ErrorBox, Loading, Prose, Reason, Toggle, useLoad } from '../ui.js';
import { download, formatCount, formatNs, formatTime } from '../util.js';
import { get, run as runPath } from '../api.js';
import { link } from '../router.js';

const MLIR = /(\/\/.*)|(\^\w+)|((?:![\w.]+)(?:<[^<>]*>)?|\bi\d+\b)|("(?:[^"\\]|\\.)*")|\b((?:llhd|comb|hw|cf|llvm|sim|seq|func|scf|arith|moore|verif)\.[\w.]+)/g;
const WAT = /(;;.*)|(\$[\w.]+)|\b(i32|i64|f32|f64|funcref|v128)\b|("(?:[^"\\]|\\.)*")|\b((?:local|global|memory|call|block|loop|if|then|else|end|br|return|func|module|import|export|param|result|i32|i64|f64)(?:[._]\w+)*)\b/g;
const CLASSES = ['cm', 'lb', 'ty', 'cm', 'op'];

function highlight(text, pattern) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > from) parts.push(text.slice(from, match.index));
    parts.push(html`<span class=${CLASSES[match.slice(1).findIndex(Boolean)]}>${match[0]}</span>`);
    from = match.index + match[0].length;
  }
  parts.push(text.slice(from));
  return parts;
}

function Source({ id, record }) {
  const [context, setContext] = useState(12);
  const { data, error } = useLoad(signal => get(`${runPath(id)}/source`, { line: record.line, context }, signal), [id, record.line, context]);
  const box = useRef();
  useEffect(() => { const on = box.current?.querySelector('.on'); if (on) box.current.scrollTop = on.offsetTop - box.current.offsetTop - box.current.clientHeight / 2; }, [data]);
  if (error) return html`<${ErrorBox} error=${error} />`;
  if (!data) return html`<${Loading} />`;
  return html`<div class="code" ref=${box} data-testid="source">${data.lines.map((text, n) => {
    const on = data.first + n === record.line;
    return html`<div class=${on ? 'on' : ''}><span class="no">${data.first + n}</span><span>${highlight(text, MLIR)}</span></div>`;
  })}</div><button class="quiet" onClick=${() => setContext(Math.min(500, context * 3))} disabled=${data.lines.length >= data.total || context >= 500}>More lines around</button>`;
}

const WAT_LINES = 2000;

/** The code of a body that was in force when the record was made. */
function Wat({ id, body, at }) {
  const [all, setAll] = useState(false);
  const { data, error } = useLoad(signal => get(`${runPath(id)}/wat`, { body, at }, signal), [id, body, at]);
  if (error) return error.status === 404 ? html`<${Empty} title="No WebAssembly text"><p>${error.hint || error.message}</p></${Empty}>` : html`<${ErrorBox} error=${error} />`;
  if (!data) return html`<${Loading}>Printing the code…</${Loading}>`;
  const lines = data.text.split('\n');
  const shown = all ? lines : lines.slice(0, WAT_LINES);
  return html`<div class="code" data-testid="wat">${shown.map((text, n) => html`<div><span class="no">${n + 1}</span><span>${highlight(text, WAT)}</span></div>`)}</div>
    <div class="codefoot"><small class="dim">Function of module ${data.module}${data.cause ? ` (compiled: ${data.cause})` : ''}${data.versions > 1 ? `, one of ${data.versions} versions of this body` : ''} · ${formatCount(lines.length)} lines</small>
      ${lines.length > shown.length && html`<button class="quiet" onClick=${() => setAll(true)}>Show all lines</button>`}
      <button class="quiet" onClick=${() => download(`${body}.wat`, data.text)} data-testid="wat-save">Save text</button></div>`;
}

export function Detail({ id, seq, close, step, run }) {
  const { data, error } = useLoad(signal => get(`${runPath(id)}/deopts/${seq}`, {}, signal), [id, seq]);
  const [side, setSide] = useState('mlir');
  const box = useRef();
  useEffect(() => { if (data) box.current?.scrollIntoView({ block: 'nearest' }); }, [data?.deopt.seq]);
  if (error) return html`<${ErrorBox} error=${error} />`;
  if (!data) return html`<div class="card"><${Loading} /></div>`;
  const record = data.deopt;
  const window = Math.max(1, run.final_time_fs) / 50;
  const waves = link(['run', id, 'waves'], { c: record.time_fs, t0: Math.max(0, Math.round(record.time_fs - window)), t1: Math.round(record.time_fs + window) });
  const where = record.line ? `${record.file || 'design.mlir'}:${record.line}${record.col ? `:${record.col}` : ''}` : 'not recorded';
  return html`<article class="card detail" ref=${box} data-testid="detail">
    <header><h2>${record.kind === 'bailout' ? 'Bailout' : 'Deopt'} ${record.seq}</h2><${Reason} value=${record.reason} /><span class="dim">${record.kind}</span><span class="spring"></span>
      <button onClick=${() => step(-1)} aria-label="Previous record" class="icon">◂</button><button onClick=${() => step(1)} aria-label="Next record" class="icon">▸</button>
      <a href=${waves} data-testid="to-waves">Waves at this moment</a><button class="quiet icon" onClick=${close} aria-label="Close">✕</button></header>
    <div class="columns">
      <div>
        <dl class="facts-grid">
          <dt>What</dt><dd><b>${data.reason.message}</b></dd>
          <dt>Detail</dt><dd class="mono">${record.detail || '–'}</dd>
          <dt>Process</dt><dd>${record.process} <span class="dim">#${record.process_id} · ${record.definition}</span></dd>
          <dt>Source line</dt><dd class="mono" data-testid="where">${where}</dd>
          <dt>Resumes at</dt><dd data-testid="resume">${record.resume || 'not recorded'}</dd>
          <dt>When</dt><dd>${formatTime(record.time_fs)}${record.delta ? `, delta ${record.delta}` : ''} <span class="dim">· wall ${formatNs(record.wall_ns)}</span></dd>
          <dt>Cost</dt><dd>${record.cost_ns ? html`${formatNs(record.cost_ns)} <span class="dim">until it waited again</span>` : html`<span class="dim">not measured</span>`}</dd>
          <dt>Then</dt><dd>${record.action || 'not recorded'}</dd>
        </dl>
        <div class="remedy" data-testid="remedy"><p><${Prose} text=${data.reason.explanation} /></p>${data.reason.remedy && html`<p><b>What to do:</b> <${Prose} text=${data.reason.remedy} /></p>`}</div>
        <h3 style="padding:0 14px 6px">Live values in the frame</h3>
        ${record.frame.length ? html`<div class="scroll" style="max-height:240px"><table data-testid="frame"><thead><tr><th>Name</th><th>Type</th><th>Value</th></tr></thead><tbody>
          ${record.frame.map(row => html`<tr><td class="mono">%${row.name.replace(/^%/, '')}</td><td class="mono dim">${row.type}</td><td class="mono">${row.value}</td></tr>`)}</tbody></table></div>`
          : html`<p class="dim" style="padding:0 14px">${record.kind === 'bailout' ? 'The body was never compiled: there was no frame to hand over.' : 'No value was live at this resume point: the frame holds nothing but where to go on.'}</p>`}
      </div>
      <div style="padding-top:10px;min-width:0">
        <${Toggle} testid="code-side" value=${side} options=${[['mlir', 'MLIR source'], ['wat', 'WebAssembly']]} onChange=${setSide} />
        ${side === 'wat' ? html`<${Wat} id=${id} body=${record.definition} at=${record.wall_ns} />` : record.line ? html`<${Source} id=${id} record=${record} />`
          : html`<${Empty} title="No source line"><p>The record does not say which operation it was.</p></${Empty}>`}
      </div>
    </div>
  </article>`;
}
