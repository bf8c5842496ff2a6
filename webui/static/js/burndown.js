import { html } from './lib.js';
export const Burndown = () => html`<p>…</p>`;
