// Deopts over many runs: which causes remain, how their number moves from commit to commit, which the allow-list accepts.
import { html, useEffect, useState } from './lib.js';
import { Chart, ChartLegend } from './deopt/chart.js';
import { Empty, ErrorBox, Loading, REASONS, Reason, Toggle, useLoad } from './ui.js';
import { formatCount, formatNs, percent } from './util.js';
import { get } from './api.js';
import { link, setQuery } from './router.js';

const STATES = { allowed: 'good', 'partly allowed': 'warn', open: 'bad' };

export function Burndown({ query }) {
  const [design, setDesign] = useState(query.design || '');
  const [by, setBy] = useState(query.by || 'commit');
  const [state, setState] = useState('');
  const facets = useLoad(() => get('/api/runs', { limit: 1 }), []);
  const { data, error, reload } = useLoad(signal => get('/api/burndown', { design, by }, signal), [design, by]);
  useEffect(() => setQuery({ design, by: by === 'commit' ? '' : by }), [design, by]);
  if (error) return html`<section class="page"><${ErrorBox} error=${error} retry=${reload} /></section>`;
  if (!data) return html`<${Loading} />`;
  const total = data.causes.reduce((sum, cause) => sum + cause.count, 0);
  const names = [...new Set(data.trend.flatMap(point => Object.keys(point.reasons)))].sort((a, b) => REASONS.indexOf(a) - REASONS.indexOf(b));
  const series = [
    { label: 'all', colour: '--text', points: data.trend.map((point, n) => [n, point.deopts]) },
    ...names.map(name => ({ label: name, colour: `--reason-${REASONS.indexOf(name) < 0 ? 4 : REASONS.indexOf(name)}`, points: data.trend.map((point, n) => [n, point.reasons[name] || 0]) })),
  ];
  const label = point => (by === 'commit' ? (/^[0-9a-f]{9,}$/.test(point.point) ? point.point.slice(0, 8) : point.point) : by === 'date' ? point.point : point.point.slice(0, 15));
  const ticks = data.trend.map((point, n) => ({ value: n, label: label(point) }));
  const causes = data.causes.filter(cause => !state || cause.state === state);
  return html`<section class="page" data-testid="burndown">
    <div class="toolbar">
      <select aria-label="Design" value=${design} onChange=${event => setDesign(event.target.value)} data-testid="burndown-design"><option value="">All designs</option>
        ${(facets.data?.facets.design || []).map(name => html`<option value=${name} selected=${name === design}>${name}</option>`)}</select>
      <${Toggle} testid="burndown-by" value=${by} options=${[['commit', 'Per commit'], ['date', 'Per day'], ['run', 'Per run']]} onChange=${setBy} />
      <span class="spring"></span>
      <span class="dim">${data.allow.lines ? `${data.allow.lines} allow-list ${data.allow.lines === 1 ? 'rule' : 'rules'}` : 'no allow-list'} <span class="mono">${data.allow.file}</span></span>
    </div>
    ${data.allow.errors.map(text => html`<${ErrorBox} error=${{ message: 'The allow-list cannot be read; nothing is allowed', hint: text }} />`)}
    ${!data.runs ? html`<${Empty} title="No compiled runs yet"><p>The burn-down counts deopts of recorded runs in compile mode.</p></${Empty}>` : html`
    <div class="card trend" style="flex:none"><header><h2>Deopts ${by === 'commit' ? 'per commit' : by === 'date' ? 'per day' : 'per run'}</h2><span class="dim">the last run of each design counts</span><span class="spring"></span><${ChartLegend} series=${series} /></header>
      <${Chart} series=${series} range=${[0, Math.max(1, data.trend.length - 1)]} formatY=${value => formatCount(value)} whole xTicks=${ticks} label="Deopts over time" testid="trend" marks /></div>
    <div class="card" style="flex:none"><header><h2>Causes</h2><span class="dim">${formatCount(total)} records in ${formatCount(data.runs)} runs</span><span class="spring"></span>
        <${Toggle} testid="burndown-state" value=${state} options=${[['', 'all'], ['open', 'open'], ['partly allowed', 'partly'], ['allowed', 'allowed']]} onChange=${setState} /></header>
      ${causes.length ? html`<div class="tablewrap" style="border:0"><table data-testid="burndown-causes"><thead><tr><th class="num">Count</th><th>Cause</th><th>Allow-list</th><th class="num">Runs</th><th class="num">Cost</th><th>Designs</th><th>Processes most often</th><th>Last seen</th></tr></thead><tbody>
        ${causes.map(cause => html`<tr><td class="num">${formatCount(cause.count)}<span class="share" style=${{ width: percent(cause.count / total, 1).replace(' ', '') }}></span></td>
          <td><a href=${link(['run', cause.example[0], 'deopts'], { d: cause.example[1] })}><${Reason} value=${cause.reason} /></a><div class="mono dim" style="overflow-wrap:anywhere;max-width:330px">${cause.detail}</div></td>
          <td><span class="badge ${STATES[cause.state]}">${cause.state}</span></td><td class="num">${formatCount(cause.runs)}</td><td class="num">${cause.cost_ns ? formatNs(cause.cost_ns, 1) : html`<span class="dim" title="not measured">–</span>`}</td><td>${cause.designs.join(', ')}</td>
          <td>${cause.processes.slice(0, 2).map(([name, n]) => html`<div class="nowrap">${name} <span class="dim">${n}</span></div>`)}</td><td class="nowrap">${(cause.last_seen || '').slice(0, 10)}</td></tr>`)}</tbody></table></div>`
        : html`<${Empty} title=${total ? 'No cause in this state' : 'No deopts in any run'} />`}
    </div>`}
  </section>`;
}
