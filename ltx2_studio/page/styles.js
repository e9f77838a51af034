/**
 * Colours, type and spacing, and the few controls that everything is made of.
 *
 * A host changes the look by the `--ltx2-…` properties; everything else follows from them.
 */

import { css } from "./vendor/lit.js";

export const tokens = css`
  :host {
    color-scheme: dark light;
    --accent: var(--ltx2-accent, light-dark(#b8400e, #ff8b4d));
    --on-accent: var(--ltx2-on-accent, light-dark(#ffffff, #1c0d04));
    --ground: var(--ltx2-ground, light-dark(#f4f2ee, #0c0d10));
    --panel: var(--ltx2-panel, light-dark(#ffffff, #15171b));
    --raised: var(--ltx2-raised, light-dark(#f1eee9, #1e2127));
    --line: var(--ltx2-line, light-dark(#dcd8d0, #2c3038));
    --edge: var(--ltx2-edge, light-dark(#8b867c, #6d7480));
    --ink: var(--ltx2-ink, light-dark(#1b1a18, #f3f1ed));
    --dim: var(--ltx2-dim, light-dark(#5d5a54, #a4a8b1));
    --bad: var(--ltx2-bad, light-dark(#b3261e, #ff8a80));
    --glow: color-mix(in oklab, var(--accent) 16%, transparent);
    --radius: var(--ltx2-radius, 14px);
    --small: calc(var(--radius) * 0.62);
    --ease: cubic-bezier(0.2, 0.7, 0.2, 1);
    font-family: var(--ltx2-font, system-ui, sans-serif);
    font-size: 15px;
    line-height: 1.45;
    color: var(--ink);
    font-variant-numeric: tabular-nums;
    -webkit-font-smoothing: antialiased;
  }
  :host([theme="light"]) {
    color-scheme: light;
  }
  :host([theme="dark"]) {
    color-scheme: dark;
  }
`;

/** For every component: boxes, buttons, inputs, words. */
export const base = css`
  :host {
    display: block;
  }
  :host([hidden]),
  [hidden] {
    display: none !important;
  }
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  h2,
  h3,
  p,
  ul,
  ol,
  dl,
  dd,
  fieldset,
  figure {
    margin: 0;
    padding: 0;
    border: 0;
    min-width: 0;
  }
  ul,
  ol {
    list-style: none;
  }
  h2 {
    font-size: 13px;
    font-weight: 600;
    letter-spacing: 0.01em;
  }
  legend {
    padding: 0;
  }
  button,
  input,
  select,
  textarea,
  summary {
    font: inherit;
    color: inherit;
    letter-spacing: inherit;
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }
  .unseen {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  .dim {
    color: var(--dim);
  }
  .fault {
    color: var(--bad);
    font-size: 13px;
  }
  .note {
    color: var(--dim);
    font-size: 13px;
  }
  button {
    cursor: pointer;
    border: 1px solid var(--line);
    background: transparent;
    border-radius: var(--small);
    padding: 7px 12px;
    min-height: 36px;
    font-weight: 500;
    white-space: nowrap;
    transition:
      background 140ms var(--ease),
      border-color 140ms var(--ease),
      transform 140ms var(--ease);
  }
  button:hover {
    background: var(--raised);
    border-color: var(--edge);
  }
  button:active {
    transform: translateY(1px);
  }
  button[aria-disabled="true"] {
    cursor: default;
    opacity: 0.6;
  }
  button.primary {
    background: var(--accent);
    border-color: transparent;
    color: var(--on-accent);
    font-weight: 600;
  }
  button.primary:hover {
    background: color-mix(in oklab, var(--accent) 88%, var(--ink));
  }
  button.quiet {
    border-color: transparent;
    color: var(--dim);
  }
  button.quiet:hover {
    color: var(--ink);
  }
  button.icon {
    padding: 0;
    width: 36px;
    display: inline-grid;
    place-items: center;
  }
  svg {
    width: 18px;
    height: 18px;
    fill: none;
    stroke: currentColor;
    stroke-width: 1.75;
    stroke-linecap: round;
    stroke-linejoin: round;
    flex: none;
  }
  input:not([type="radio"], [type="checkbox"], [type="range"], [type="file"]),
  select,
  textarea {
    width: 100%;
    background: var(--ground);
    border: 1px solid var(--line);
    border-radius: var(--small);
    padding: 8px 11px;
    min-height: 38px;
  }
  select {
    appearance: none;
    padding-right: 30px;
    text-overflow: ellipsis;
  }
  .select {
    position: relative;
    display: block;
  }
  .select::after {
    content: "";
    position: absolute;
    right: 14px;
    top: calc(50% - 5px);
    width: 6px;
    height: 6px;
    border-right: 1.75px solid var(--dim);
    border-bottom: 1.75px solid var(--dim);
    transform: rotate(45deg);
    pointer-events: none;
  }
  select option {
    background: var(--panel);
    color: var(--ink);
  }
  input:hover,
  select:hover,
  textarea:hover {
    border-color: var(--edge);
  }
  ::placeholder {
    color: var(--dim);
    opacity: 1;
  }
  progress {
    appearance: none;
    display: block;
    width: 100%;
    height: 4px;
    border: 0;
    border-radius: 4px;
    overflow: hidden;
    background: color-mix(in oklab, var(--ink) 16%, transparent);
  }
  progress::-webkit-progress-bar {
    background: transparent;
  }
  progress::-webkit-progress-value {
    background: var(--accent);
    border-radius: 4px;
    transition: width 600ms var(--ease);
  }
  progress::-moz-progress-bar {
    background: var(--accent);
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after,
    progress::-webkit-progress-value {
      animation: none !important;
      transition: none !important;
      scroll-behavior: auto !important;
    }
  }
`;
