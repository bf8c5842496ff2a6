// Deopts of a run: lanes, curves, causes, records. One range and one set of filters hold for every panel; breadcrumbs lead back.
import { html, useEffect, useMemo, useState } from '../lib.js';
import { Chart, ChartLegend } from './chart.js';
import { Empty, ErrorBox, Loading, Menu, Prose, Reason, TierLegend, Toggle, useLoad } from '../ui.js';
import { Lanes, MarkLegend } from './lanes.js';
import { at, axisMap, buildLanes, causesOf, curves, explanation, filterRecords, groupLanes, laneRows, scoresOf } from './model.js';
import { axisNs, axisTime, formatCount, formatNs, formatTime, percent, preciseTime } from '../util.js';
import { get, run as runPath } from '../api.js';
import { Detail } from './detail.js';
import { setQuery } from '../router.js';

const RECORD_LIMIT = 20000;
const SHOWN = 200;

async function load(id, signal) {
  const [timeline, table] = await Promise.all([get(`${runPath(id)}/timeline`, {}, signal), get('/api/reasons', {}, signal)]);
  const records = [];
  for (let total = 1; records.length < total && records.length < RECORD_LIMIT;) {
    const page = await get(`${runPath(id)}/deopts`, { limit: 1000, offset: records.length, brief: true }, signal);
    records.push(...page.deopts);
    ({ total } = page);
    if (!page.deopts.length) break;
  }
  return { timeline, records, reasons: table.reasons };
}

export function DeoptPage({ id, run, has, query }) {
  const { data, error, reload } = useLoad(signal => load(id, signal), [id, run.status]);
  if (error) return html`<section class="page"><${ErrorBox} error=${error} retry=${reload} /></section>`;
  if (!data) return html`<${Loading} />`;
  if (!data.timeline.processes.length) {
    return html`<section class="page">${run.status === 'running' ? html`<${Empty} title="The run goes on"><p>${formatCount(run.deopts_total)} deopts so far; the timeline appears when it ends.</p></${Empty}>`
      : run.kind === 'upload' ? html`<${Empty} title="An uploaded waveform"><p>It has no report. <a href=${`#/run/${id}/waves`}>Show the waves</a></p></${Empty}>`
      : html`<${Empty} title=${has.report ? 'The report has no processes' : 'The run left no report'}><p>${has.report ? 'It was written by a tool that records none.' : 'It ended before writing one.'}</p></${Empty}>`}</section>`;
  }
  return html`<${Triage} id=${id} run=${run} data=${data} query=${query} />`;
}

function initialRanges(query, timeline) {
  const [t0, t1] = [Number(query.t0), Number(query.t1)];
  // A window that comes from the waves and shows part of the run is a range here.
  return query.t0 && t1 > t0 && t1 - t0 < 0.98 * timeline.end_fs ? [{ axis: 'sim', range: [Math.max(0, t0), Math.min(t1, timeline.end_fs)] }] : [];
}

function Triage({ id, run, data, query }) {
  const { timeline, records, reasons } = data;
  const [axis, setAxis] = useState(timeline.end_fs > 0 ? 'sim' : 'wall'); // a run may be over before time moves
  const [ranges, setRanges] = useState(() => initialRanges(query, timeline));
  const [process, setProcess] = useState(query.p ? Number(query.p) : null);
  const [cause, setCause] = useState(null);
  const [seq, setSeq] = useState(query.d ? Number(query.d) : null);
  const [closed, setClosed] = useState(() => new Set());
  const [listed, setListed] = useState(SHOWN);
  const [processesListed, setProcessesListed] = useState(SHOWN);
  const lanes = useMemo(() => buildLanes(timeline), [timeline]);
  const groups = useMemo(() => groupLanes(lanes), [lanes]);
  const maps = useMemo(() => ({ sim: axisMap(timeline, 'sim'), wall: axisMap(timeline, 'wall') }), [timeline]);
  const onAxis = range => (range.axis === axis ? range.range : range.range.map(maps[range.axis]));
  const whole = [0, Math.max(1, axis === 'sim' ? timeline.end_fs : timeline.end_ns)];
  const view = ranges.length ? onAxis(ranges[ranges.length - 1]) : whole;
  if (!(view[1] > view[0])) view[1] = view[0] + 1;
  const cursorFs = query.c ? Number(query.c) : null;
  const cursor = cursorFs === null ? null : axis === 'sim' ? cursorFs : maps.sim(cursorFs);
  useEffect(() => {
    const sim = ranges.length ? (ranges[ranges.length - 1].axis === 'sim' ? ranges[ranges.length - 1].range : ranges[ranges.length - 1].range.map(maps.wall)) : null;
    setQuery({ t0: sim ? Math.round(sim[0]) : '', t1: sim ? Math.round(sim[1]) : '', p: process, d: seq });
  }, [ranges, process, seq]);

  // A link to another record of this run changes the address only.
  useEffect(() => { if (query.d !== undefined && query.d !== '') setSeq(Number(query.d)); }, [query.d]);

  const filter = { axis, range: ranges.length ? view : null, process, reason: cause?.reason, detail: cause ? cause.detail : null };
  const inRange = filterRecords(records, { ...filter, reason: null, detail: null });
  const shown = filterRecords(records, filter);
  const causes = causesOf(inRange);
  const scores = ranges.length || cause ? scoresOf(timeline.processes, cause ? filterRecords(records, { ...filter, process: null }) : filterRecords(records, { ...filter, process: null, reason: null, detail: null })) : timeline.processes;
  const rows = laneRows(groups, closed);
  const drawn = rows.reduce((n, row) => n + (row.type === 'lane' ? 1 : closed.has(row.group.name) ? row.group.lanes.length : 0), 0);
  const hidden = lanes.size - drawn;
  const evictions = useMemo(() => new Set(timeline.events.filter(event => event.kind === 'evict').map(event => event.wall_ns)).size, [timeline]); // one for all processes of a body
  const lines = curves(timeline, lanes, axis, view[0], view[1], process);
  const formatX = axis === 'sim' ? axisTime(view[1]) : axisNs;
  const processName = process === null ? null : lanes.get(process)?.process.name || `process ${process}`;
  const open = (found, value) => {
    const fs = axis === 'sim' ? value : maps.wall(value);
    setQuery({ c: Math.round(found ? found.event.time_fs : fs) });
    dispatchEvent(new Event('hashchange'));
    if (!found || !['deopt', 'bailout'].includes(found.event.kind)) return;
    const record = records.find(one => one.process_id === found.event.process_id && one.time_fs === found.event.time_fs && one.wall_ns === found.event.wall_ns);
    if (record) setSeq(record.seq);
  };
  const step = by => { const order = shown.map(record => record.seq); const next = order[order.indexOf(seq) + by]; if (next !== undefined) setSeq(next); };
  const toggle = name => { const next = new Set(closed); if (!next.delete(name)) next.add(name); setClosed(next); };
  const counted = [
    { label: 'compiles', colour: '--tier-compile', points: lines.compiles }, { label: 'deopts', colour: '--reason-0', points: lines.deopts },
    { label: 'bailouts', colour: '--reason-1', points: lines.bailouts },
  ];
  const timed = lines.tiers.map(one => ({ label: one.tier, colour: `--tier-${one.tier}`, points: one.points }));
  const crumbs = [['Whole run', () => { setRanges([]); setProcess(null); setCause(null); }]];
  ranges.forEach((range, n) => { const [a, b] = onAxis(range); crumbs.push([[a, b].map(value => preciseTime(axis, value, (b - a) / 20 || 1, b)).join(' – '), () => { setRanges(ranges.slice(0, n + 1)); }]); });

  return html`<section class="page deopts">
    <div class="toolbar">
      <div class="crumbs" data-testid="crumbs">${crumbs.map(([text, back], n) => html`${n ? html`<span class="sep">›</span>` : ''}<button class="crumb ${n === crumbs.length - 1 ? 'on' : ''}" onClick=${back}>${text}</button>`)}
        ${processName && html`<button class="crumb on" onClick=${() => setProcess(null)} title="Show all processes" data-testid="crumb-process">process ${processName} ✕</button>`}
        ${cause && html`<button class="crumb on" onClick=${() => setCause(null)} title="Show all causes" data-testid="crumb-cause">${cause.reason}${cause.detail ? ` · ${cause.detail.slice(0, 40)}${cause.detail.length > 40 ? '…' : ''}` : ''} ✕</button>`}
        ${!ranges.length && html`<small class="dim">Drag over the lanes to pick a range</small>`}</div>
      <span class="spring"></span>
      <${Toggle} testid="axis" value=${axis} options=${[['sim', 'Simulation time'], ['wall', 'Wall time']]} onChange=${setAxis} />
      <${Menu} label="Export" testid="deopt-export" items=${[
        ['Perfetto / Chrome trace (JSON)', () => { location.href = `${runPath(id)}/export/timeline.json`; }], ['Tier timeline as VCD', () => { location.href = `${runPath(id)}/export/timeline.vcd`; }],
        ['Report (JSON)', () => { window.open(`${runPath(id)}/report`); }],
      ]} />
    </div>
    <div class="card"><header><h2>Timeline</h2><span class="dim">${groups.length} definitions, ${lanes.size} processes, most time lost first</span><span class="spring"></span><${TierLegend} /><${MarkLegend} /></header>
      <${Lanes} rows=${rows} view=${view} axis=${axis} cursor=${cursor} chosen=${process} closed=${closed} toggle=${toggle} pick=${pid => setProcess(pid === process ? null : pid)}
        select=${range => setRanges([...ranges, { axis, range }])} open=${open} />
      ${timeline.cut && html`<p class="dim" style="padding:0 14px">Only the first 200 000 events are shown.</p>`}
      ${hidden > 0 && html`<p class="dim" style="padding:6px 14px;margin:0" data-testid="hidden-lanes">${formatCount(hidden)} more processes that lost less time are not drawn; all are in the list of processes below.</p>`}
    </div>
    ${seq !== null && html`<${Detail} id=${id} seq=${seq} run=${run} close=${() => setSeq(null)} step=${step} />`}
    <div class="columns">
      <div class="card curves"><header><h2>Compiles and deopts so far</h2><span class="spring"></span><${ChartLegend} series=${counted} /></header>
        <${Chart} series=${counted} range=${view} formatX=${formatX} formatY=${value => formatCount(value)} whole cursor=${cursor} label="Cumulative compiles and deopts" testid="curve-counts" /></div>
      <div class="card curves"><header><h2>Time per tier so far</h2><span class="spring"></span><${ChartLegend} series=${timed} /></header>
        ${timed.every(one => !one.points[one.points.length - 1][1]) ? html`<${Empty} title="No time per tier recorded here" />` : html`<${Chart} series=${timed} range=${view} formatX=${formatX} formatY=${axisNs} cursor=${cursor} label="Cumulative time per tier" testid="curve-tiers" />`}</div>
    </div>
    <div class="card"><header><h2>Causes</h2><span class="dim" data-testid="cause-count">${formatCount(inRange.length)} ${inRange.length === 1 ? 'record' : 'records'} in ${formatCount(causes.length)} ${causes.length === 1 ? 'cause' : 'causes'}</span>
        ${run.deopts_total > records.length && html`<span class="spring"></span><span class="badge warn" data-testid="cut">The first ${formatCount(records.length)} of ${formatCount(run.deopts_total)} deopts: the page reads ${formatCount(RECORD_LIMIT)}, a report keeps 100\u202f000</span>`}</header>
      ${causes.length ? html`<div class="scroll"><table class="reasons-table" data-testid="causes"><thead><tr><th class="num">Count</th><th>Cause</th><th class="num">Cost</th><th>Why, and what to do</th></tr></thead><tbody>
        ${causes.map(one => { const why = explanation(reasons, one.reason, one.detail); const on = cause && cause.reason === one.reason && cause.detail === one.detail; return html`<tr class=${on ? 'on' : ''} data-reason=${one.reason}>
          <td class="num"><button onClick=${() => setCause(on ? null : { reason: one.reason, detail: one.detail })} title="Show only these">${formatCount(one.count)}</button><span class="share" style=${{ width: percent(one.count / inRange.length, 1).replace(' ', '') }}></span></td>
          <td><${Reason} value=${one.reason} /><div class="mono dim" style="overflow-wrap:anywhere;max-width:300px">${one.detail}</div><small class="dim">${one.kind} · ${one.processes.size} ${one.processes.size === 1 ? 'process' : 'processes'}</small></td>
          <td class="num">${one.cost ? formatNs(one.cost, 1) : html`<span class="dim" title="not measured">–</span>`}</td>
          <td class="why"><b>${why.message}</b> <${Prose} text=${why.explanation} />${why.remedy ? html`<div><b>What to do:</b> <${Prose} text=${why.remedy} /></div>` : ''}</td></tr>`; })}</tbody></table></div>`
        : html`<${Empty} title=${records.length ? 'No deopts in this selection' : run.mode === 'interpret' ? 'An interpreted run: nothing was compiled, so nothing could be left'
          : evictions ? `No deopts, but code was evicted ${formatCount(evictions)} times: the cache policy of this run keeps none` : 'No deopts: every process that was compiled stayed in native code'}>${records.length ? html`<button onClick=${crumbs[0][1]}>Show the whole run</button>` : ''}</${Empty}>`}
    </div>
    <div class="columns wide-left">
      <div class="card"><header><h2>Records</h2><span class="dim" data-testid="record-count">${formatCount(shown.length)}${shown.length > listed ? `, the first ${formatCount(listed)} listed` : ''}</span></header>
        ${shown.length ? html`<div class="scroll"><table class="records" data-testid="records"><thead><tr><th class="num">#</th><th class="num">${axis === 'sim' ? 'Time' : 'Wall'}</th><th>Process</th><th>Reason</th><th>Detail</th><th class="num">Cost</th></tr></thead><tbody>
          ${shown.slice(0, listed).map(record => html`<tr class=${record.seq === seq ? 'on' : ''} data-seq=${record.seq} onClick=${() => setSeq(record.seq)} tabIndex="0" onKeyDown=${event => event.key === 'Enter' && setSeq(record.seq)}>
            <td class="num">${record.seq}</td><td class="num">${axis === 'sim' ? formatTime(at(record, axis), 3) : formatNs(record.wall_ns, 1)}</td><td class="detail" title=${record.process}>${record.process}</td><td><${Reason} value=${record.reason} /></td><td class="detail mono dim" title=${record.detail}>${record.detail}</td><td class="num">${record.cost_ns ? formatNs(record.cost_ns, 1) : html`<span class="dim">–</span>`}</td></tr>`)}</tbody></table>
          ${shown.length > listed && html`<button class="quiet more" onClick=${() => setListed(listed * 4)} data-testid="more-records">List ${formatCount(Math.min(shown.length - listed, 3 * listed))} more</button>`}</div>`
          : html`<${Empty} title="No records in this selection" />`}</div>
      <div class="card"><header><h2>Processes</h2><span class="dim">${ranges.length || cause ? 'in this selection; ' : ''}score = severity of deopts + ms lost</span></header>
        <div class="scroll"><table data-testid="scores"><thead><tr><th>Process</th><th class="num">Deopts</th><th class="num">Lost</th><th class="num">Score</th></tr></thead><tbody>
          ${scores.slice(0, processesListed).map(one => html`<tr class=${one.process_id === process ? 'on' : ''}><td><a href="#" onClick=${event => { event.preventDefault(); setProcess(one.process_id === process ? null : one.process_id); }}>${one.name}</a></td>
            <td class="num">${one.deopts}</td><td class="num">${formatNs(one.lost_ns, 1)}</td><td class="num">${one.score.toFixed(1)}</td></tr>`)}</tbody></table>
          ${timeline.processes.length > processesListed && html`<button class="quiet more" onClick=${() => setProcessesListed(processesListed * 4)}>List ${formatCount(Math.min(timeline.processes.length - processesListed, 3 * processesListed))} more</button>`}</div></div>
    </div>
  </section>`;
}
