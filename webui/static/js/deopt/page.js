import { html } from '../lib.js';
export const DeoptPage = () => html`<p>…</p>`;
