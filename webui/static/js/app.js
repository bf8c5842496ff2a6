// The frame of the page: header, navigation, theme; picks the page by the address.
import { html, render, useEffect, useState } from './lib.js';
import { Burndown } from './burndown.js';
import { Compare } from './wave/compare.js';
import { Empty, Toasts } from './ui.js';
import { RunPage } from './run.js';
import { Runs } from './runs.js';
import { stored } from './util.js';
import { useRoute } from './router.js';

function useTheme() {
  const [theme, setTheme] = useState(stored.get('theme', 'system'));
  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const apply = () => {
      document.documentElement.dataset.theme = theme === 'system' ? (dark.matches ? 'dark' : 'light') : theme;
      dispatchEvent(new Event('themechange'));
    };
    apply();
    stored.set('theme', theme);
    dark.addEventListener('change', apply);
    return () => dark.removeEventListener('change', apply);
  }, [theme]);
  return [theme, setTheme];
}

const NEXT_THEME = { system: 'light', light: 'dark', dark: 'system' };
const THEME_ICON = { system: '◐', light: '☀', dark: '☾' };

function App() {
  const { parts, query } = useRoute();
  const [theme, setTheme] = useTheme();
  const page = parts[0] || 'runs';
  const nav = [['runs', 'Runs'], ['burndown', 'Burn-down']];
  return html`
    <header class="top">
      <a class="brand" href="#/runs"><img src="icon.svg" alt="" width="22" height="22" />wasmjit</a>
      <nav>${nav.map(([key, label]) => html`<a href="#/${key}" class=${page === key ? 'on' : ''}>${label}</a>`)}</nav>
      <span class="spring"></span>
      <button class="quiet" data-testid="theme" title="Theme: ${theme}" aria-label="Theme: ${theme}" onClick=${() => setTheme(old => NEXT_THEME[old])}>${THEME_ICON[theme]}</button>
    </header>
    <main>
      ${page === 'runs' ? html`<${Runs} query=${query} />`
        : page === 'run' && parts[1] ? html`<${RunPage} key=${parts[1]} id=${parts[1]} tab=${parts[2] || 'deopts'} query=${query} />`
        : page === 'compare' && parts[2] ? html`<${Compare} key=${parts.join('/')} a=${parts[1]} b=${parts[2]} query=${query} />`
        : page === 'burndown' ? html`<${Burndown} query=${query} />`
        : html`<${Empty} title="No such page"><a href="#/runs">Back to the runs</a></${Empty}>`}
    </main>
    <${Toasts} />`;
}

render(html`<${App} />`, document.getElementById('app'));
