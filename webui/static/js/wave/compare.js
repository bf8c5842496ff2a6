// Two runs overlaid: signals that differ, where first, and who drove them.
import { html, useEffect, useState } from '../lib.js';
import { ErrorBox, Loading, Prose, Verdict } from '../ui.js';
import { get, poll, run as runPath, url } from '../api.js';
import { fromAddress, WaveView } from './view.js';
import { format, stateOf } from './values.js';
import { formatCount, formatTime } from '../util.js';
import { link, parse } from '../router.js';
import { Controller } from './controller.js';
import { defaultRows } from './page.js';
import { loadTree } from './source.js';
import { signalRow } from './model.js';

const ROW_HEIGHT = 44;
const label = run => (run.kind === 'upload' ? run.design : `${run.design} ${run.mode}`);

export function Compare({ a, b }) {
  const [state, setState] = useState({});
  useEffect(() => {
    const abort = new AbortController();
    let made = null;
    (async () => {
      const path = `/api/compare/${encodeURIComponent(a)}/${encodeURIComponent(b)}`;
      const [runA, runB] = await Promise.all([a, b].map(id => get(runPath(id), {}, abort.signal).then(body => body.run)));
      setState({ runA, runB });
      const answer = await poll(() => get(path, {}, abort.signal), body => body.state !== 'indexing', abort.signal);
      const [tree, match] = await Promise.all([loadTree(a, abort.signal), get(url(`${path}/match`), {}, abort.signal)]);
      if (abort.signal.aborted) return;
      made = new Controller([a, b], tree, answer.result);
      made.labels = [label(runA), label(runB)];
      made.model.rowHeight = ROW_HEIGHT;
      made.withPair = variable => ({ ...variable, signalB: match.common[variable.path]?.[1] ?? null });
      made.addVariable = variable => made.model.add([signalRow(made.withPair(variable))]);
      if (!fromAddress(made, parse().query)) {
        const differing = answer.result.differing.map(row => tree.byPath.get(row.signal)).filter(Boolean).slice(0, 12);
        const clocks = defaultRows(tree).filter(variable => /^(clk|clock|rst|reset)/i.test(variable.name) && !differing.includes(variable));
        made.model.rows = [...clocks, ...(differing.length ? differing : defaultRows(tree))].map(variable => signalRow(made.withPair(variable)));
        made.model.rowsChanged();
        if (answer.result.first !== null) {
          // The first difference in the middle of a window wide enough to see what led to it.
          const span = (made.model.end - made.model.begin) / 40;
          made.model.setView(answer.result.first - span / 2, answer.result.first + span / 2);
          made.model.setCursor(answer.result.first);
          made.model.select(made.model.signals().find(row => row.path === answer.result.differing[0].signal)?.id);
        }
      }
      setState({ runA, runB, controller: made, result: answer.result });
    })().catch(error => !abort.signal.aborted && setState(old => ({ ...old, error })));
    return () => { abort.abort(); made?.dispose(); };
  }, [a, b]);
  const { runA, runB, controller, result, error } = state;
  return html`<div class="runhead"><a href="#/runs">Runs</a><span class="dim">/</span><h1>Compare</h1>
      ${runA && html`<a class="key-a" href=${link(['run', a, 'waves'])}><b>A</b> ${label(runA)}</a><${Verdict} value=${runA.verdict} />`}
      ${runB && html`<a class="key-b" href=${link(['run', b, 'waves'])}><b>B</b> ${label(runB)}</a><${Verdict} value=${runB.verdict} />`}
      <a class="nowrap" href=${link(['compare', b, a])}>Swap</a><span class="spring"></span>
      ${result && html`<span class="facts" data-testid="diff-summary">${!result.signals_compared ? 'The runs have no signal in common' : result.differing.length
        ? `${formatCount(result.differing.length)} of ${formatCount(result.signals_compared)} signals differ, first at ${formatTime(result.first)}` : `${formatCount(result.signals_compared)} signals are equal over the whole run`}</span>`}
    </div>
    ${error ? html`<section class="page"><${ErrorBox} error=${error} retry=${() => location.reload()} /></section>`
      : !controller ? html`<${Loading}>Comparing every value change of both runs…</${Loading}>`
      : html`<${WaveView} controller=${controller} title=${`${a} vs ${b}`} sidePanel=${html`<${DiffList} controller=${controller} result=${result} />`} />`}`;
}

function DiffList({ controller, result }) {
  const { model } = controller;
  const pick = row => {
    const variable = controller.tree.byPath.get(row.signal);
    let shown = model.signals().find(one => one.path === row.signal);
    if (!shown && variable) { controller.addVariable(variable); shown = model.signals().find(one => one.path === row.signal); }
    if (shown) model.select(shown.id);
    model.setCursor(row.first, true);
  };
  const current = model.selected.size ? model.current()?.path : null;
  const value = (text, row) => html`<span class=${stateOf(text)}>${text === null ? 'no value' : format(text, row.width, controller.tree.byPath.get(row.signal)?.kind || 'bits', 'hex')}</span>`;
  return html`<div class="difflist" data-testid="difflist">
    ${result.hint && html`<div class="note warn" role="alert" data-testid="compare-hint">${result.hint[0].toUpperCase()}<${Prose} text=${result.hint.slice(1)} />.</div>`}
    ${!result.differing.length && result.signals_compared > 0 && html`<div class="note">Every signal that both runs have takes the same values at the same times.</div>`}
    ${result.differing.map(row => html`<button class=${current === row.signal ? 'on' : ''} onClick=${() => pick(row)} data-signal=${row.signal}>
      <span class="path" title=${row.signal}>${row.signal}</span><span class="meta"><span>${formatTime(row.first)}</span><span>${formatCount(row.total)}${row.total > 1 ? ' stretches' : ' stretch'}</span></span>
      <span class="values key-a">A ${value(row.value_a, row)}</span><span class="values key-b">B ${value(row.value_b, row)}</span></button>`)}
    ${[['only_a', 'Only in A'], ['only_b', 'Only in B']].map(([key, title]) => result[key].length > 0 && html`<div class="note"><b>${title}</b> (${result[key].length})<br />${result[key].slice(0, 20).join(', ')}</div>`)}
  </div>`;
}
