// The address is the state: #/page/parts?key=value. Pages read it with `useRoute` and change it with `go` and `setQuery`.
import { useEffect, useState } from './lib.js';

export function parse(hash = location.hash) {
  const [path, query = ''] = hash.replace(/^#/, '').split('?');
  return { parts: path.split('/').filter(Boolean).map(decodeURIComponent), query: Object.fromEntries(new URLSearchParams(query)) };
}

export function link(parts, query = {}) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== '' && value !== null && value !== undefined)).toString();
  return `#/${parts.map(encodeURIComponent).join('/')}${search ? `?${search}` : ''}`;
}

export const go = (parts, query) => { location.hash = link(parts, query); };

/** Changes keys of the query without a new history entry and without telling the pages: they already show it. */
export function setQuery(changes) {
  const { parts, query } = parse();
  history.replaceState(null, '', link(parts, { ...query, ...changes }));
}

export function useRoute() {
  const [route, setRoute] = useState(parse());
  useEffect(() => {
    const update = () => setRoute(parse());
    addEventListener('hashchange', update);
    return () => removeEventListener('hashchange', update);
  }, []);
  return route;
}
