// Start a run on a design of the configured folder.
import { html, useState } from './lib.js';
import { get, poll, post } from './api.js';
import { Dialog, Empty, ErrorBox, Loading, Toggle, toast, useLoad } from './ui.js';
import { parseTime } from './util.js';

/** Says so when the simulator could not even begin: such a run leaves no directory. */
async function report(pid) {
  const status = await poll(() => get('/api/status'), answer => !answer.launch.active.includes(pid), null, 500).catch(() => null);
  const failure = status?.launch.failures.find(one => one.pid === pid);
  if (failure) toast(`${failure.design} did not run (exit code ${failure.exit_code}): ${failure.message.split('\n').pop()}`, true);
}

export function Launch({ close }) {
  const { data, error } = useLoad(() => get('/api/designs'), []);
  const [form, setForm] = useState({ design: '', mode: 'compile', plusargs: '', max: '', force: '' });
  const [failure, setFailure] = useState(null);
  const set = changes => setForm({ ...form, ...changes });
  const start = async event => {
    event.preventDefault();
    try {
      const max = form.max.trim() ? parseTime(form.max) : null;
      if (form.max.trim() && !max) throw new Error(`“${form.max}” is not a time: write 10us or 2500ns`);
      const { pid } = await post('/api/launch', {
        design: form.design || data.designs[0].path, mode: form.mode, plusargs: form.plusargs.split(/\s+/).filter(Boolean), max_time_fs: max,
        force_deopt: form.force || null,
      });
      toast('Started: the run appears in the list');
      close();
      report(pid);
    } catch (problem) {
      setFailure(problem);
    }
  };
  return html`<${Dialog} title="Start a run" close=${close}>
    ${error ? (error.status === 403 ? html`<${Empty} title="Starting runs is switched off"><p>The server offers only designs of one folder:</p><pre>wasmjit serve --designs DIR</pre></${Empty}>`
        : html`<${ErrorBox} error=${error} />`)
      : !data ? html`<${Loading} />`
      : !data.designs.length ? html`<${Empty} title="The folder has no designs"><p>Put .mlir, .sv or .v files there.</p></${Empty}>`
      : html`<form onSubmit=${start} class="form" data-testid="launch-form">
        <label>Design<select value=${form.design || data.designs[0].path} onChange=${event => set({ design: event.target.value })} data-testid="launch-design">
          ${data.designs.map(design => html`<option value=${design.path}>${design.path}</option>`)}</select></label>
        <label>Mode<${Toggle} value=${form.mode} options=${[['compile', 'compile'], ['interpret', 'interpret']]} onChange=${mode => set({ mode })} /></label>
        <label>Plusargs<input value=${form.plusargs} placeholder="+blocks=4 +seed=1" onInput=${event => set({ plusargs: event.target.value })} /></label>
        <label>Stop at<input value=${form.max} placeholder="e.g. 10us (optional)" onInput=${event => set({ max: event.target.value })} /></label>
        <label>Force deopts<select value=${form.force} onChange=${event => set({ force: event.target.value })}>
          <option value="">no</option><option value="every:100">every 100th activation</option><option value="every:7">every 7th activation</option><option value="all">every activation</option></select></label>
        ${failure && html`<${ErrorBox} error=${failure} />`}
        <footer><button type="button" onClick=${close}>Cancel</button><button class="primary" data-testid="launch-go">Start</button></footer>
      </form>`}
  </${Dialog}>`;
}
