// What the deopt page computes from a timeline: lanes, ranges on two axes, totals inside a range.

export const TIERS = ['interpret', 'compile', 'optimise'];
const CHANGES = new Set(['install', 'tier', 'deopt', 'evict']);

export const at = (event, axis) => (axis === 'wall' ? event.wall_ns : event.time_fs);

/** [first, last) of the events, in order on `axis`, whose place is in [begin, end]. */
export function between(events, axis, begin, end) {
  const bound = (value, after) => {
    let low = 0;
    let high = events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const here = at(events[middle], axis);
      if (here < value || (after && here === value)) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return [bound(begin, false), bound(end, true)];
}

/** Piecewise linear map from one axis to the other through the events, which are in order on both. */
export function axisMap(timeline, from) {
  const to = from === 'wall' ? 'sim' : 'wall';
  const end = from === 'wall' ? [timeline.end_ns, timeline.end_fs] : [timeline.end_fs, timeline.end_ns];
  const points = [[0, 0], ...timeline.events.map(event => [at(event, from), at(event, to)]).sort((a, b) => a[0] - b[0] || a[1] - b[1]), end];
  for (let i = 1; i < points.length; i += 1) points[i][1] = Math.max(points[i][1], points[i - 1][1]);
  return value => {
    let low = 0;
    let high = points.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (points[middle][0] <= value) low = middle;
      else high = middle;
    }
    const [x0, y0] = points[low];
    const [x1, y1] = points[high];
    return x1 > x0 ? y0 + ((value - x0) / (x1 - x0)) * (y1 - y0) : y0;
  };
}

/** Per process: tier stretches [{tier, from: {sim, wall}, to}] and its events. */
export function buildLanes(timeline) {
  const lanes = new Map(timeline.processes.map(process => [process.process_id, { process, events: [], stretches: [], tier: 'interpret', since: { sim: 0, wall: 0 } }]));
  for (const event of timeline.events) {
    const lane = lanes.get(event.process_id);
    if (!lane) continue;
    lane.events.push(event);
    if (!CHANGES.has(event.kind) || !lane.process.process_id) continue; // the compiler is in no tier
    const { tier } = event;
    if (tier === lane.tier) continue;
    const here = { sim: event.time_fs, wall: event.wall_ns };
    lane.stretches.push({ tier: lane.tier, from: lane.since, to: here });
    lane.tier = tier;
    lane.since = here;
  }
  for (const lane of lanes.values()) {
    lane.others = lane.events.filter(event => event.kind !== 'deopt');
    const deopts = lane.events.filter(event => event.kind === 'deopt');
    lane.deopts = { sim: deopts, wall: [...deopts].sort((a, b) => a.wall_ns - b.wall_ns) };
    // After such a deopt the process is in its tier again: one activation was interpreted.
    lane.once = deopts.filter(event => event.tier !== 'interpret');
    lane.share = lane.once.length ? lane.once.length / Math.max(lane.once.length, lane.process.activations) : 0;
  }
  // Process 0 is the compiler: its lane has marks only.
  for (const lane of lanes.values()) if (lane.process.process_id) lane.stretches.push({ tier: lane.tier, from: lane.since, to: { sim: timeline.end_fs, wall: timeline.end_ns } });
  return lanes;
}

/** Lanes grouped by definition, the group that lost most time first: [{name, lost, deopts, lanes}]. */
export function groupLanes(lanes) {
  const groups = new Map();
  for (const lane of lanes.values()) {
    const { definition } = lane.process;
    if (!groups.has(definition)) groups.set(definition, { name: definition, lost: 0, deopts: 0, score: 0, lanes: [] });
    const group = groups.get(definition);
    group.lanes.push(lane);
    group.lost += lane.process.lost_ns;
    group.deopts += lane.process.deopts;
    group.score += lane.process.score;
  }
  return [...groups.values()].sort((a, b) => b.lost - a.lost || b.score - a.score);
}

/** Rows as drawn: [{type: 'group' | 'lane', group, lane?}]. A group of one is its lane. */
export function laneRows(groups, closed, limit = 300) {
  const rows = [];
  for (const group of groups) {
    if (rows.length >= limit) break;
    if (group.lanes.length === 1) rows.push({ type: 'lane', group, lane: group.lanes[0], single: true });
    else {
      rows.push({ type: 'group', group });
      if (!closed.has(group.name)) for (const lane of group.lanes.slice(0, limit - rows.length)) rows.push({ type: 'lane', group, lane });
    }
  }
  return rows;
}

/** Records inside a range (null: all) and, if given, of one process and one cause. */
export function filterRecords(records, { axis, range, process, reason, detail }) {
  return records.filter(record => (!range || (at(record, axis) >= range[0] && at(record, axis) <= range[1])) && (process === null || record.process_id === process)
    && (!reason || record.reason === reason) && (detail === null || detail === undefined || record.detail === detail));
}

/** Causes ranked by count: [{reason, detail, kind, count, cost, processes, first}]. */
export function causesOf(records) {
  const causes = new Map();
  for (const record of records) {
    const key = `${record.reason}\n${record.detail}`;
    if (!causes.has(key)) causes.set(key, { reason: record.reason, detail: record.detail, kind: record.kind, count: 0, cost: 0, processes: new Set(), first: record.seq });
    const cause = causes.get(key);
    cause.count += 1;
    cause.cost += record.cost_ns;
    cause.processes.add(record.process);
  }
  return [...causes.values()].sort((a, b) => b.count - a.count || b.cost - a.cost);
}

/** Row of the reason table for a record: the longest detail pattern that fits, else the reason's own row. */
export function explanation(table, reason, detail) {
  const fits = row => row.detail && (row.detail.endsWith(':') ? detail.startsWith(row.detail) : detail === row.detail);
  const best = table.filter(fits).sort((a, b) => (b.reason === reason) - (a.reason === reason) || b.detail.length - a.detail.length)[0];
  return best || table.find(row => row.reason === reason && !row.detail) || { message: reason, explanation: '', remedy: '' };
}

/** Cumulative curves over [begin, end]: compiles and deopts (counts), and time per tier (ns) as sampled points. */
export function curves(timeline, lanes, axis, begin, end, process = null, samples = 160) {
  const events = timeline.events.filter(event => (process === null || event.process_id === process) && at(event, axis) >= begin && at(event, axis) <= end);
  const count = kinds => {
    const points = [[begin, 0]];
    let n = 0;
    for (const event of events.filter(one => kinds.includes(one.kind)).sort((a, b) => at(a, axis) - at(b, axis))) { n += 1; points.push([at(event, axis), n - 1], [at(event, axis), n]); }
    points.push([end, n]);
    return points;
  };
  const xs = Array.from({ length: samples + 1 }, (_, n) => begin + ((end - begin) * n) / samples);
  const tiers = Object.fromEntries(TIERS.map(tier => [tier, xs.map(() => 0)]));
  const length = stretch => Math.max(0, stretch.to[axis] - stretch.from[axis]);
  for (const lane of lanes.values()) {
    if (process !== null && lane.process.process_id !== process) continue;
    for (const tier of TIERS) {
      const mine = lane.stretches.filter(stretch => stretch.tier === tier);
      const whole = mine.reduce((sum, stretch) => sum + length(stretch), 0);
      const ns = lane.process.tier_ns[tier] || 0;
      if (tier === 'interpret' && lane.once.length) {
        // Activations interpreted one by one: each has its own time.
        const order = lane.deopts[axis];
        const [first, last] = between(order, axis, begin, end);
        let n = 0;
        let sum = 0;
        for (let k = first; k < last; k += 1) {
          while (n <= samples && xs[n] < at(order[k], axis)) { tiers.interpret[n] += sum; n += 1; }
          if (order[k].tier !== 'interpret') sum += order[k].dur_ns;
        }
        for (; n <= samples; n += 1) tiers.interpret[n] += sum;
      }
      if (!whole || !ns) continue;
      // Only totals per tier are recorded: they are spread evenly over the stretches the process spent in the tier.
      xs.forEach((x, n) => { for (const stretch of mine) { const inside = Math.min(x, stretch.to[axis]) - Math.max(begin, stretch.from[axis]); if (inside > 0) tiers[tier][n] += (ns * inside) / whole; } });
    }
  }
  return { compiles: count(['compile']), deopts: count(['deopt']), bailouts: count(['bailout']), tiers: TIERS.map(tier => ({ tier, points: xs.map((x, n) => [x, tiers[tier][n]]) })) };
}

const SEVERITY = { bailout: 1, lazy: 2, eager: 3 }; // as the server weighs whole runs (api/records.py)

/** The processes with what these records alone say of them (deopts, time lost, score), the highest score first. */
export function scoresOf(processes, records) {
  const rows = new Map(processes.map(one => [one.process_id, { process_id: one.process_id, name: one.name, deopts: 0, lost_ns: 0, score: 0 }]));
  for (const record of records) {
    const row = rows.get(record.process_id);
    if (!row) continue;
    row.deopts += 1;
    row.lost_ns += record.cost_ns;
    row.score += SEVERITY[record.kind] || SEVERITY.lazy;
  }
  for (const row of rows.values()) row.score += row.lost_ns / 1e6;
  return [...rows.values()].sort((a, b) => b.score - a.score);
}
