// Fuzzy and regular-expression search over hierarchical names.

/** Score of a fuzzy match (higher is better) and the positions matched, or null. Letters in order; runs and word starts count more. */
export function fuzzy(needle, text) {
  const lower = text.toLowerCase();
  const found = lower.indexOf(needle);
  if (found >= 0) {
    const local = text.lastIndexOf('.') + 1;
    const positions = Array.from({ length: needle.length }, (_, i) => found + i);
    return { score: 1000 - text.length + (found >= local ? 200 : 0) + (found === local ? 200 : 0), positions };
  }
  const positions = [];
  let score = 0;
  let from = 0;
  for (const letter of needle) {
    const at = lower.indexOf(letter, from);
    if (at < 0) return null;
    if (positions.length && at === positions[positions.length - 1] + 1) score += 8;
    if (at === 0 || '._['.includes(lower[at - 1])) score += 6;
    positions.push(at);
    from = at + 1;
  }
  return { score: score - text.length / 4, positions };
}

/** Variables that match `query`: {hits: [{variable, positions}], error}. /…/ or `regex` true: regular expression. */
export function searchVariables(vars, query, regex, limit = 1000) {
  if (regex) {
    let pattern;
    try {
      pattern = new RegExp(query, 'i');
    } catch (error) {
      return { hits: [], error: error.message };
    }
    const hits = [];
    for (const variable of vars) {
      const match = pattern.exec(variable.path);
      if (match) hits.push({ variable, positions: Array.from({ length: match[0].length }, (_, i) => match.index + i) });
      if (hits.length >= limit) break;
    }
    return { hits, error: null };
  }
  const needle = query.toLowerCase().replace(/\s+/g, '');
  const scored = [];
  for (const variable of vars) {
    const match = fuzzy(needle, variable.path);
    if (match) scored.push({ variable, positions: match.positions, score: match.score });
  }
  scored.sort((a, b) => b.score - a.score);
  return { hits: scored.slice(0, limit), error: null };
}
