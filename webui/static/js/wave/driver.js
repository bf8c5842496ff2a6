// Who drove the selected signal last before the cursor, and in which tier: of each run that is shown.
import { html, useEffect, useRef, useState } from '../lib.js';
import { debounce, formatTime } from '../util.js';
import { get, run as runPath } from '../api.js';
import { link, parse } from '../router.js';

const place = one => (one.instance && !one.process.startsWith(one.instance) ? `${one.instance} ` : '');

/** The tier, and the deopt that put it there at that very moment. */
const Tier = ({ run, one }) => html`${one.tier && html` <span class="legend"><span><i style=${{ background: `var(--tier-${one.tier})` }}></i>${one.tier}</span></span>`}
  ${one.deopt !== null && one.deopt !== undefined && html` <a href=${link(['run', run, 'deopts'], { d: one.deopt })}>deopt ${one.deopt} here</a>`}`;

const NOTES = { logic: ' (logic)', fork: ' (branch of a fork)' };

function Who({ run, one }) {
  const { t0, t1, c } = parse().query;
  return html`<span title=${`${one.instance || ''} ${one.definition}`.trim()}>${place(one) && html`<span class="dim">${place(one)}</span>`}${one.kind === 'process'
    ? html`<a href=${link(['run', run, 'deopts'], { p: one.process_id, t0, t1, c })}>${one.process}</a>` : html`<b>${one.process}</b>${NOTES[one.kind]}`}</span>`;
}

export function Driver({ controller, row }) {
  const [answers, setAnswers] = useState([]);
  const { runs } = controller;
  const t = controller.model.cursor;
  const asked = useRef(0);
  const ask = useRef(debounce((path, time) => {
    const number = (asked.current += 1);
    const one = id => get(`${runPath(id)}/driver`, { signal: path, t: Math.round(time) }).catch(() => null);
    // An answer that comes after a later question is left aside.
    Promise.all(runs.map(one)).then(found => number === asked.current && setAnswers(found));
  }, 80)).current;
  useEffect(() => { if (row && t !== null) ask(row.path, t); else { asked.current += 1; setAnswers([]); } }, [row?.path, t]);
  const known = runs.map((run, n) => ({ run, answer: answers[n], one: answers[n]?.drivers[0], letter: 'AB'[n] })).filter(({ one }) => one);
  if (!known.length) return null;
  const { answer, one } = known[known.length - 1];
  const more = answer.drivers.length - 1;
  const same = known.every(other => other.one.process === one.process && other.one.definition === one.definition && other.one.instance === one.instance);
  const title = answer.changed_fs === null ? '' : `changed at ${formatTime(answer.changed_fs, 6)}`;
  return html`<span class="driver" data-testid="driver" title=${title}>${answer.exact ? 'last driven by' : 'driven by'} ${same
    ? html`<${Who} run=${known[known.length - 1].run} one=${one} />${known.map(other => html` ${known.length > 1 && html`<b class=${`key-${other.letter.toLowerCase()}`}>${other.letter}</b>`}<${Tier} run=${other.run} one=${other.one} />`)}`
    : known.map(other => html` <b class=${`key-${other.letter.toLowerCase()}`}>${other.letter}</b> <${Who} run=${other.run} one=${other.one} /><${Tier} run=${other.run} one=${other.one} />`)}${more ? html` <span class="dim">· ${more} other ${more > 1 ? 'drivers' : 'driver'}</span>` : ''}</span>`;
}
