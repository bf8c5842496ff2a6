// Waves of one run: waits for the index, builds the view, shows what went wrong otherwise.
import { html, useEffect, useRef, useState } from '../lib.js';
import { Empty, ErrorBox, Loading } from '../ui.js';
import { fromAddress, WaveView } from './view.js';
import { loadTree, waitReady } from './source.js';
import { Controller } from './controller.js';
import { parse } from '../router.js';
import { signalRow } from './model.js';

/** Rows of a first visit: clocks and resets first, then the signals of the outermost scope. */
export function defaultRows(tree) {
  const scope = tree.roots[0];
  const vars = (scope ? scope.vars.length ? scope.vars : scope.scopes[0]?.vars || [] : tree.loose).slice(0, 16);
  const rank = variable => (/^(clk|clock)/i.test(variable.name) ? 0 : /^(rst|reset)/i.test(variable.name) ? 1 : 2);
  return [...vars].sort((a, b) => rank(a) - rank(b));
}

export function WavePage({ id, run }) {
  const [state, setState] = useState({ state: 'loading' });
  const [turn, setTurn] = useState(0);
  const kept = useRef(null); // the view before a reload
  const running = run.status === 'running';
  useEffect(() => {
    const abort = new AbortController();
    let made = null;
    (async () => {
      const answer = await waitReady(id, progress => !abort.signal.aborted && progress.state === 'indexing' && setState(progress), abort.signal);
      if (answer.state !== 'ready') { if (!abort.signal.aborted) setState(answer); return; }
      const tree = await loadTree(id, abort.signal);
      if (abort.signal.aborted) return;
      made = new Controller([id], tree);
      made.withPair = variable => variable;
      made.addVariable = variable => made.model.add([signalRow(variable)]);
      const { query } = parse();
      const view = kept.current;
      if (view) {
        made.model.restore(view.rows, path => tree.byPath.get(path));
        made.model.markers = view.markers;
        made.model.setView(view.t0, view.whole ? made.model.end : view.t1);
        made.model.setCursor(view.cursor);
      } else if (!fromAddress(made, query)) { made.model.rows = defaultRows(tree).map(variable => signalRow(variable)); made.model.rowsChanged(); }
      setState({ state: 'ready', controller: made });
    })().catch(error => !abort.signal.aborted && setState({ state: 'failed', error }));
    return () => {
      abort.abort();
      if (made) {
        const { model } = made;
        kept.current = { rows: model.serialise(), t0: model.t0, t1: model.t1, whole: model.t1 >= model.end, cursor: model.cursor, markers: model.markers };
        made.dispose();
      }
    };
  }, [id, turn, running]); // a run that ends is shown to its end
  if (state.state === 'ready') return html`<${WaveView} key=${turn} controller=${state.controller} title=${run.id} reload=${() => setTurn(turn + 1)} growing=${running} />`;
  if (state.state === 'none') {
    return html`<${Empty} title=${run.status === 'running' ? 'No waveform yet' : 'The run dumped no waveform'} testid="no-waves"><p>A recorded run keeps a VCD unless <code>--vcd</code> or <code>--fst</code> put the waveform elsewhere; “Open VCD/FST…” on the list of runs shows such a file.</p><pre>wasmjit run design.mlir --record</pre></${Empty}>`;
  }
  if (state.state === 'error') return html`<section class="page"><${ErrorBox} error=${{ message: 'The waveform cannot be read', hint: state.message }} /></section>`;
  if (state.state === 'failed') return html`<section class="page"><${ErrorBox} error=${state.error} retry=${() => location.reload()} /></section>`;
  return html`<${Loading}>${state.state === 'indexing' ? `Indexing the waveform… ${state.size ? `${Math.min(99, Math.round((100 * (state.read || 0)) / state.size))} %` : ''}` : 'Loading…'}</${Loading}>`;
}
