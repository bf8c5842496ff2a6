// What the design printed. A time stamp moves the cursor; the line at the cursor is marked. Lines are fetched as they scroll into view.
import { html, useEffect, useRef, useState } from './lib.js';
import { Empty, ErrorBox } from './ui.js';
import { debounce, formatTime } from './util.js';
import { get, run as runPath } from './api.js';

const LINE = 20;
const BLOCK = 200;

export function LogPanel({ id, cursor, onTime, full }) {
  const box = useRef();
  const blocks = useRef(new Map());
  const [info, setInfo] = useState({ total: null });
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(400);
  const [query, setQuery] = useState('');
  const [hits, setHits] = useState({ lines: [], at: -1 });
  const [now, setNow] = useState(-1);
  const [picked, setPicked] = useState(cursor);

  const fetchBlock = async n => {
    if (blocks.current.has(n)) return;
    blocks.current.set(n, []);
    try {
      const body = await get(`${runPath(id)}/log`, { first: n * BLOCK, limit: BLOCK });
      blocks.current.set(n, body.lines);
      setInfo({ total: body.total });
    } catch (error) {
      blocks.current.delete(n);
      setInfo({ total: 0, error });
    }
  };
  useEffect(() => {
    blocks.current.clear();
    fetchBlock(0);
    const observer = new ResizeObserver(() => box.current && setHeight(box.current.clientHeight));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [id]);
  const first = Math.max(0, Math.floor(top / LINE) - 5);
  const last = Math.min((info.total || 0) - 1, Math.ceil((top + height) / LINE) + 5);
  useEffect(() => {
    for (let n = Math.floor(first / BLOCK); info.total && n <= Math.floor(Math.max(first, last) / BLOCK); n += 1) fetchBlock(n);
  }, [first, last, info.total]);

  const time = cursor ?? picked;
  useEffect(() => { if (cursor !== null && cursor !== undefined) setPicked(cursor); }, [cursor]);
  useEffect(() => {
    if (time === null || time === undefined || !info.total) return;
    get(`${runPath(id)}/log`, { at: Math.round(time) + 1, limit: 2 }).then(body => {
      // The line in force at the cursor: the last one printed at or before it.
      const before = body.lines.filter(line => line.t <= time);
      const line = before.length ? before[before.length - 1].n : -1;
      setNow(line);
      if (line >= 0) reveal(line);
    }, () => setNow(-1));
  }, [time, info.total]);

  const reveal = line => {
    const list = box.current;
    if (list && (line * LINE < list.scrollTop || line * LINE > list.scrollTop + list.clientHeight - LINE)) list.scrollTop = Math.max(0, line * LINE - list.clientHeight / 2);
  };
  const search = useRef(debounce(async text => {
    const body = text ? await get(`${runPath(id)}/log`, { q: text, limit: 1 }) : { hits: [] };
    setHits({ lines: body.hits, at: body.hits.length ? 0 : -1 });
    if (body.hits.length) reveal(body.hits[0]);
  }, 200)).current;
  const step = by => {
    if (!hits.lines.length) return;
    const at = (hits.at + by + hits.lines.length) % hits.lines.length;
    setHits({ ...hits, at });
    reveal(hits.lines[at]);
  };
  const pick = t => { setPicked(t); onTime(t); };

  const rows = [];
  for (let n = first; n <= last; n += 1) {
    const line = blocks.current.get(Math.floor(n / BLOCK))?.[n % BLOCK];
    const mark = n === hits.lines[hits.at] ? 'hit' : n === now ? 'now' : '';
    rows.push(html`<div key=${n} class="line ${mark}" style=${{ position: 'absolute', top: `${n * LINE}px`, left: 0, right: 0 }} data-line=${n}>
      ${line ? html`<button onClick=${() => pick(line.t)} title="Move the cursor here" data-testid="stamp">${formatTime(line.t, 3)}</button><span>${line.text}</span>` : ''}</div>`);
  }
  return html`<div class="log ${full ? 'full' : ''}" data-testid="log">
    <header><b>Log</b><span class="dim">${info.total === null ? '' : `${info.total} lines`}</span><span class="spring"></span>
      <input type="search" placeholder="Search the log" aria-label="Search the log" value=${query} data-testid="log-search" onInput=${event => { setQuery(event.target.value); search(event.target.value); }}
        onKeyDown=${event => event.key === 'Enter' && step(event.shiftKey ? -1 : 1)} />
      ${query && html`<span class="dim" data-testid="log-hits">${hits.lines.length ? `${hits.at + 1} of ${hits.lines.length}` : 'no hit'}</span>`}</header>
    <div class="lines" ref=${box} onScroll=${event => setTop(event.target.scrollTop)}>
      ${info.error ? html`<${ErrorBox} error=${info.error} />`
        : info.total === 0 ? html`<${Empty} title="The design printed nothing"><p>Text of $display and friends appears here with its time.</p></${Empty}>`
        : html`<div style=${{ height: `${(info.total || 0) * LINE}px` }}>${rows}</div>`}
    </div></div>`;
}
