/** Line drawings of 24 by 24; all are decoration beside words or a label. */

import { svg, html } from "./vendor/lit.js";

const drawn = (paths) => html`<svg viewBox="0 0 24 24" aria-hidden="true" focusable="false">${paths}</svg>`;

export const play = drawn(svg`<path d="M8 5.5v13l11-6.5z" />`);
export const image = drawn(svg`<rect x="3.5" y="4.5" width="17" height="15" rx="2.5" /><path d="m4 17 5-5 4 4 3-3 4 4" /><circle cx="15.5" cy="9" r="1.4" />`);
export const cross = drawn(svg`<path d="m6.5 6.5 11 11m0-11-11 11" />`);
export const download = drawn(svg`<path d="M12 4v11m-4.5-4.5L12 15l4.5-4.5M5 19.5h14" />`);
export const again = drawn(svg`<path d="M19 12a7 7 0 1 1-2.2-5.1M19 4v4.5h-4.5" />`);
export const pencil = drawn(svg`<path d="m5 19 1-4L16 5l3 3L9 18z" />`);
export const seed = drawn(svg`<rect x="4.5" y="4.5" width="15" height="15" rx="3" /><circle cx="9" cy="9" r="0.9" /><circle cx="15" cy="15" r="0.9" /><circle cx="15" cy="9" r="0.9" /><circle cx="9" cy="15" r="0.9" />`);
export const next = drawn(svg`<path d="M4 12h14m-5-5 5 5-5 5M20.5 5v14" />`);
export const film = drawn(svg`<rect x="3.5" y="5" width="17" height="14" rx="2.5" /><path d="M8 5v14m8-14v14M3.5 9.7H8m8 0h4.5M3.5 14.3H8m8 0h4.5" />`);
export const bin = drawn(svg`<path d="M5 7h14M10 4h4M7 7l.8 12.5h8.4L17 7" />`);
export const left = drawn(svg`<path d="m14 6-6 6 6 6" />`);
export const right = drawn(svg`<path d="m10 6 6 6-6 6" />`);
export const music = drawn(svg`<path d="M9 17.5V6l10-2v11.5" /><circle cx="6.8" cy="17.5" r="2.3" /><circle cx="16.8" cy="15.5" r="2.3" />`);
export const warning = drawn(svg`<path d="M12 4.5 3.5 19h17zM12 10v4.2M12 16.6v.1" />`);
export const copy = drawn(svg`<rect x="8.5" y="8.5" width="11" height="11" rx="2" /><path d="M15.5 8.5v-2a2 2 0 0 0-2-2h-7a2 2 0 0 0-2 2v7a2 2 0 0 0 2 2h2" />`);
