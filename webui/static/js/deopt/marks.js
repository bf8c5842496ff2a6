// Deopt marks: triangles where they are few, a histogram where they would cover each other.

/**
 * Draws the events [first, last) of `events`, which are in order of their place: `place(event)` px, `colour(event)`. A mark takes 8 px: with more than
 * one for every 10 px their number per 3 px is drawn instead, as bars of `tall` px for the most.
 */
export function drawMarks(context, events, first, last, place, colour, width, top, tall) {
  if (last - first <= width / 10) {
    for (let n = first; n < last; n += 1) {
      const x = place(events[n]);
      context.fillStyle = colour(events[n]);
      context.beginPath();
      context.moveTo(x - 4.5, top);
      context.lineTo(x + 4.5, top);
      context.lineTo(x, top + tall);
      context.fill();
    }
    return;
  }
  const columns = new Map(); // column -> number of events
  let most = 1;
  for (let n = first; n < last; n += 1) {
    const column = Math.floor(place(events[n]) / 3);
    const count = (columns.get(column) || 0) + 1;
    columns.set(column, count);
    if (count > most) most = count;
  }
  context.fillStyle = colour(events[first]);
  for (const [column, count] of columns) {
    const height = 2 + (tall - 2) * Math.sqrt(count / most);
    context.fillRect(column * 3, top + tall - height, 2.5, height);
  }
}
