// The list of runs: filter, sort, compare two, delete, upload, start; rows change while runs go on.
import { html, useEffect, useMemo, useRef, useState } from './lib.js';
import { del, events, get, run as runPath, upload } from './api.js';
import { Empty, ErrorBox, Loading, TierBar, TierLegend, Verdict, toast } from './ui.js';
import { Launch } from './launch.js';
import { ago, debounce, formatCount, formatMs, formatTime, percent } from './util.js';
import { go, link, setQuery } from './router.js';

const COLUMNS = [
  ['design', 'Design'], ['mode', 'Mode'], ['verdict', 'Verdict'], ['final_time_fs', 'Simulated'], ['run_wall_ms', 'Run time'], ['deopts_total', 'Deopts'],
  ['tier_native', 'Tier mix'], ['coverage', 'Coverage'], ['commit', 'Commit'], ['created', 'Recorded'],
];
const NUMERIC = new Set(['final_time_fs', 'run_wall_ms', 'deopts_total', 'coverage']);
const PAGE = 100;

export function Runs({ query }) {
  const [filter, setFilter] = useState({
    q: query.q || '', design: query.design || '', mode: query.mode || '', verdict: query.verdict || '', sort: query.sort || 'created', order: query.order || 'desc',
  });
  const [page, setPage] = useState({ loading: true });
  const [offset, setOffset] = useState(0);
  const [chosen, setChosen] = useState([]);
  const [live, setLive] = useState(false);
  const [launching, setLaunching] = useState(false);
  const [confirming, setConfirming] = useState(false);
  const file = useRef();

  const asked = useRef(0);
  const load = () => {
    // Answers may overtake each other: only the one to the last question counts.
    const turn = (asked.current += 1);
    const show = answer => { if (turn === asked.current) setPage(answer); };
    return get('/api/runs', { ...filter, limit: PAGE, offset }).then(show, error => show({ error }));
  };
  const loadSoon = useMemo(() => debounce(load, 120), [filter, offset]);
  useEffect(() => {
    setQuery({ ...filter, sort: filter.sort === 'created' ? '' : filter.sort, order: filter.order === 'desc' ? '' : filter.order });
    loadSoon();
  }, [filter, offset]);
  useEffect(() => events(message => {
    if (message.event === 'changed') {
      setPage(old => (old.runs ? { ...old, runs: old.runs.map(row => (row.id === message.id ? message.run : row)) } : old));
    } else if (message.event !== 'hello') loadSoon();
    if (message.event === 'deleted') setChosen(old => old.filter(id => id !== message.id));
  }, setLive), [filter, offset]);

  const set = changes => { setOffset(0); setFilter({ ...filter, ...changes }); };
  const sortBy = key => set({ sort: key, order: filter.sort === key && filter.order === 'desc' ? 'asc' : 'desc' });
  const choose = id => setChosen(old => (old.includes(id) ? old.filter(other => other !== id) : [...old, id].slice(-20)));
  const remove = async () => {
    setConfirming(false);
    for (const id of chosen) {
      try {
        await del(runPath(id));
      } catch (error) {
        toast(`${id}: ${error.message}`, true);
      }
    }
    setChosen([]);
    load();
  };
  const running = (page.runs || []).filter(row => chosen.includes(row.id) && row.status === 'running');
  const stop = async () => {
    for (const row of running) await del(`/api/launch/${row.pid}`).catch(error => toast(`${row.design}: ${error.message}`, true));
  };
  const send = async picked => {
    if (!picked) return;
    try {
      const answer = await upload(picked);
      go(['run', answer.id, 'waves']);
    } catch (error) {
      toast(`${picked.name}: ${error.message}`, true);
    }
  };

  const facets = page.facets || {};
  const filtered = filter.q || filter.design || filter.mode || filter.verdict;
  const select = (key, label) => html`<select aria-label=${label} data-testid="filter-${key}" value=${filter[key]} onChange=${event => set({ [key]: event.target.value })}>
    <option value="">${label}: all</option>${(facets[key] || []).map(value => html`<option value=${value} selected=${filter[key] === value}>${value}</option>`)}</select>`;

  return html`<section class="page runs">
    <div class="toolbar">
      <input type="search" placeholder="Filter by name, design, commit…" aria-label="Filter" data-testid="filter-q" value=${filter.q} onInput=${event => set({ q: event.target.value })} />
      ${select('design', 'Design')}${select('mode', 'Mode')}${select('verdict', 'Verdict')}
      <span class="spring"></span>
      <span class="livedot ${live ? 'on' : ''}" title=${live ? 'The list changes while runs go on' : 'Not connected'} data-testid="live">${live ? 'live' : 'offline'}</span>
      <button onClick=${() => file.current.click()} data-testid="upload">Open VCD/FST…</button>
      <input type="file" hidden ref=${file} accept=".vcd,.fst" onChange=${event => { send(event.target.files[0]); event.target.value = ''; }} data-testid="upload-file" />
      <button class="primary" onClick=${() => setLaunching(true)} data-testid="launch">Start a run…</button>
    </div>
    ${chosen.length > 0 && html`<div class="selection" data-testid="selection">
      <b>${chosen.length} selected</b>
      <button disabled=${chosen.length !== 2} data-testid="compare" title="Overlay the waveforms of two runs" onClick=${() => go(['compare', ...chosen])}>Compare waveforms</button>
      ${confirming ? html`<span>Delete ${chosen.length} ${chosen.length === 1 ? 'run' : 'runs'} with all files?</span>
          <button class="danger" onClick=${remove} data-testid="delete-yes">Delete</button><button onClick=${() => setConfirming(false)}>Keep</button>`
        : html`<button onClick=${() => setConfirming(true)} data-testid="delete">Delete…</button>`}
      ${running.length > 0 && html`<button onClick=${stop} data-testid="stop" title="Only runs that were started from this page">Stop</button>`}
      <button class="quiet" onClick=${() => setChosen([])}>Clear</button>
    </div>`}
    ${page.error ? html`<${ErrorBox} error=${page.error} retry=${load} />`
      : !page.runs ? html`<${Loading} />`
      : !page.runs.length ? html`<${Empty} title=${filtered ? 'No run fits the filter' : 'No runs yet'}>
          ${filtered ? html`<button onClick=${() => set({ q: '', design: '', mode: '', verdict: '' })}>Clear the filter</button>`
            : html`<p>Record one, and it appears here while it goes on:</p><pre>wasmjit run design.mlir --mode=compile --record</pre>`}</${Empty}>`
      : html`<div class="tablewrap"><table class="runs-table" data-testid="runs">
        <thead><tr><th class="check"></th>${COLUMNS.map(([key, label]) => html`<th class=${NUMERIC.has(key) ? 'num' : ''} aria-sort=${filter.sort === key ? (filter.order === 'asc' ? 'ascending' : 'descending') : 'none'}>
          <button class="sort" onClick=${() => sortBy(key)} data-testid="sort-${key}">${label}<i>${filter.sort === key ? (filter.order === 'asc' ? '▲' : '▼') : ''}</i></button></th>`)}</tr></thead>
        <tbody>${page.runs.map(row => html`<${Row} key=${row.id} row=${row} on=${chosen.includes(row.id)} choose=${choose} />`)}</tbody>
      </table></div>
      <div class="pager"><${TierLegend} /><span class="spring"></span>
        ${page.total > PAGE && html`<button disabled=${!offset} onClick=${() => setOffset(Math.max(0, offset - PAGE))}>Newer</button>
        <button disabled=${offset + PAGE >= page.total} onClick=${() => setOffset(offset + PAGE)}>Older</button>`}
        <span class="dim" data-testid="total">${formatCount(page.total)} ${page.total === 1 ? 'run' : 'runs'}</span></div>`}
    ${launching && html`<${Launch} close=${() => setLaunching(false)} />`}
  </section>`;
}

function Row({ row, on, choose }) {
  const tab = row.kind === 'upload' ? 'waves' : 'deopts';
  return html`<tr class=${on ? 'on' : ''} data-run=${row.id} onDblClick=${() => go(['run', row.id, tab])}>
    <td class="check"><input type="checkbox" checked=${on} onChange=${() => choose(row.id)} aria-label="Select ${row.id}" /></td>
    <td class="design"><a href=${link(['run', row.id, tab])}>${row.design}</a><small title=${row.id}>${row.kind === 'run' ? '' : `${row.kind} · `}${row.id}</small></td>
    <td>${row.mode}</td>
    <td title=${row.message || ''}><${Verdict} value=${row.verdict} /></td>
    <td class="num">${formatTime(row.final_time_fs, 3)}</td>
    <td class="num">${formatMs(row.run_wall_ms)}</td>
    <td class="num">${row.deopts_total ? html`<a href=${link(['run', row.id, 'deopts'])}>${formatCount(row.deopts_total)}</a>` : html`<span class="dim">0</span>`}</td>
    <td><${TierBar} mix=${row.tier_mix} /></td>
    <td class="num">${row.coverage === null ? html`<span class="dim">–</span>` : percent(row.coverage / 100, 1)}</td>
    <td class="mono">${row.commit ? row.commit.slice(0, 8) : html`<span class="dim">–</span>`}</td>
    <td class="nowrap" title=${row.created}>${ago(row.created)}</td>
  </tr>`;
}
