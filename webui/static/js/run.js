// One run: its header and tabs. The time window and the cursor (t0, t1, c in the address) are the same on every tab.
import { html, useEffect, useState } from './lib.js';
import { DeoptPage } from './deopt/page.js';
import { Empty, ErrorBox, Loading, TierBar, Verdict, useLoad } from './ui.js';
import { LogPanel } from './log.js';
import { events, get, run as runPath } from './api.js';
import { formatCount, formatMs, formatTime } from './util.js';
import { link, parse, setQuery } from './router.js';
import { WavePage } from './wave/page.js';

export function RunPage({ id, tab, query }) {
  const { data, error, reload } = useLoad(signal => get(runPath(id), {}, signal), [id]);
  const [live, setLive] = useState(null);
  const status = (live || data?.run)?.status;
  useEffect(() => {
    if (status !== 'running') return undefined;
    return events(message => {
      if (message.event === 'reload') reload();
      if (message.id !== id || !message.run) return;
      setLive(message.run);
      if (message.run.status !== 'running') reload();
    });
  }, [id, status]);
  if (error) return html`<section class="page"><${ErrorBox} error=${error} retry=${reload} /><a href="#/runs">Back to the runs</a></section>`;
  if (!data) return html`<${Loading} />`;
  const run = live && live.status === 'running' ? live : data.run;
  const opened = run.kind === 'upload';
  const tabs = opened ? [['waves', 'Waves']] : [['deopts', 'Deopts'], ['waves', 'Waves'], ['log', 'Log']];
  // Links keep what the tabs share; the address may have moved on since the page was drawn.
  const shared = () => { const { t0, t1, c } = parse().query; return { t0, t1, c }; };
  return html`<div class="runhead">
      <a href="#/runs" title="All runs">Runs</a><span class="dim">/</span><h1 title=${run.id}>${run.design}</h1><span class="badge">${run.mode}</span><${Verdict} value=${run.verdict} />
      <nav class="tabs">${tabs.map(([key, label]) => html`<a href=${link(['run', id, key])} class=${tab === key ? 'on' : ''} data-testid="tab-${key}"
        onClick=${event => { event.preventDefault(); location.hash = link(['run', id, key], shared()); }}>${label}</a>`)}</nav>
      <span class="spring"></span>
      ${!opened && html`<span class="facts" data-testid="facts">${formatTime(run.final_time_fs, 3)} in ${formatMs(run.run_wall_ms)} · ${formatCount(run.deopts_total)} deopts${run.commit ? ` · ${run.commit.slice(0, 8)}` : ''}</span>
      <${TierBar} mix=${run.tier_mix} />`}
      ${run.pair && html`<a class="nowrap" href=${link(['compare', ...(run.mode === 'interpret' ? [id, run.pair] : [run.pair, id])])} data-testid="compare-pair">Compare with the other mode</a>`}
    </div>
    ${run.message && html`<div class="page" style="flex:none;padding-bottom:0"><${ErrorBox} error=${{ message: 'The run did not end by itself', hint: run.message }} /></div>`}
    ${tab === 'waves' ? html`<${WavePage} id=${id} run=${run} query=${query} />`
      : tab === 'log' ? html`<${LogPanel} id=${id} cursor=${query.c ? Number(query.c) : null} onTime=${t => setQuery({ c: Math.round(t) })} full />`
      : tab === 'deopts' ? html`<${DeoptPage} id=${id} run=${run} has=${data.has} query=${query} />`
      : html`<${Empty} title="No such tab" />`}`;
}
