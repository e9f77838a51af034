/** Everything that was made: filtered, searched, looked at again. */

import { LitElement, css, html, nothing, repeat } from "./vendor/lit.js";
import * as icons from "./icons.js";
import { FILTERS, Following, OPEN } from "./session.js";
import { base } from "./styles.js";
import { clock, doing } from "./words.js";
import "./picture.js";

const SETTLED = 250;

class Gallery extends LitElement {
  static properties = {
    session: { attribute: false },
    filter: { state: true },
    words: { state: true },
    busy: { state: true },
  };

  static styles = [
    base,
    css`
      .bar {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 8px 14px;
        margin-bottom: 14px;
      }
      h2 {
        font-size: 17px;
        letter-spacing: -0.01em;
      }
      .filters {
        display: flex;
        gap: 2px;
        margin-right: auto;
        flex-wrap: wrap;
      }
      .filters button {
        border-color: transparent;
        color: var(--dim);
        padding: 5px 10px;
        min-height: 34px;
        border-radius: 20px;
      }
      .filters button[aria-pressed="true"] {
        background: var(--raised);
        color: var(--ink);
      }
      input[type="search"] {
        width: 190px;
        border-radius: 20px;
        padding-inline: 14px;
        background: var(--panel);
      }
      ul {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(168px, 1fr));
        gap: 14px;
      }
      .card {
        display: block;
        width: 100%;
        padding: 0;
        border: 0;
        text-align: left;
        background: none;
        white-space: normal;
        border-radius: var(--small);
      }
      .card:hover {
        background: none;
      }
      .frame {
        position: relative;
        display: grid;
        place-items: center;
        aspect-ratio: 16 / 9;
        border-radius: var(--small);
        overflow: hidden;
        background: var(--raised);
        box-shadow: inset 0 0 0 1px var(--line);
        transition: box-shadow 160ms var(--ease);
      }
      .card:hover .frame {
        box-shadow: 0 0 0 1px var(--edge);
      }
      .card[aria-current="true"] .frame {
        box-shadow:
          0 0 0 2px var(--ground),
          0 0 0 4px var(--accent);
      }
      .badge {
        position: absolute;
        right: 7px;
        bottom: 7px;
        padding: 1px 7px;
        border-radius: 20px;
        font-size: 12px;
        font-weight: 500;
        background: rgb(8 9 11 / 78%);
        color: #f3f1ed;
        z-index: 1;
      }
      .badge.left {
        right: auto;
        left: 7px;
      }
      .now {
        font-size: 22px;
        font-weight: 500;
        letter-spacing: -0.02em;
      }
      .now.small {
        font-size: 13px;
        letter-spacing: 0;
        color: var(--dim);
      }
      .frame progress {
        position: absolute;
        inset: auto 0 0;
        border-radius: 0;
      }
      .text {
        display: -webkit-box;
        -webkit-line-clamp: 2;
        -webkit-box-orient: vertical;
        overflow: hidden;
        overflow-wrap: anywhere;
        margin-top: 7px;
        font-size: 13px;
        font-weight: 400;
        line-height: 1.35;
        color: var(--dim);
      }
      .none {
        padding: 28px 0;
        color: var(--dim);
      }
      .more {
        display: block;
        margin: 18px auto 0;
      }
      @container (max-width: 719px) {
        input[type="search"] {
          width: 100%;
        }
        ul {
          grid-template-columns: repeat(auto-fill, minmax(140px, 1fr));
          gap: 12px;
        }
      }
    `,
  ];

  constructor() {
    super();
    new Following(this);
    this.filter = "all";
    this.words = "";
    this.busy = false;
  }

  #timer = 0;

  async #more(afresh = false) {
    this.busy = true;
    try {
      await this.session.more(this.filter, this.words, afresh);
    } catch (error) {
      this.session.say(error.message);
    } finally {
      this.busy = false;
    }
  }

  #choose(filter) {
    this.filter = filter;
    if (this.session.cursors.get(`${filter} ${this.words}`) === undefined) this.#more();
  }

  #search(words) {
    this.words = words;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#more(), SETTLED);
  }

  render() {
    const { session, filter, words } = this;
    if (session?.status !== "ready") return nothing;
    const items = session.list(filter, words);
    if (!items.length && filter === "all" && !words) return nothing;
    const open = session.openCount;
    return html`<div class="bar">
        <h2>Yours</h2>
        <div class="filters" role="group" aria-label="Show">
          ${Object.entries(FILTERS).map(
            ([name, { title }]) =>
              html`<button type="button" aria-pressed=${filter === name} @click=${() => this.#choose(name)}>${title}${name === "open" && open ? ` ${open}` : ""}</button>`,
          )}
        </div>
        <input type="search" placeholder="Search prompts" aria-label="Search prompts" .value=${words} @input=${(event) => this.#search(event.target.value)} />
      </div>
      ${items.length
        ? html`<ul aria-busy=${this.busy}>
            ${repeat(items, (item) => item.id, (item) => html`<li>${this.#card(item)}</li>`)}
          </ul>`
        : html`<p class="none">${this.busy ? "Looking…" : words ? "No prompt has these words." : "Nothing here."}</p>`}
      ${session.hasMore(filter, words) && items.length
        ? html`<button type="button" class="more" aria-disabled=${this.busy} @click=${() => this.busy || this.#more()}>Show more</button>`
        : nothing}`;
  }

  #card(item) {
    const { session } = this;
    const current = session.selected === item.id;
    const choose = () => {
      session.select(item.id);
      this.dispatchEvent(new CustomEvent("look", { bubbles: true, composed: true }));
    };
    return html`<button type="button" class="card" aria-current=${current} aria-label="${doing(item)}: ${item.input.prompt}" @click=${choose}>
      <span class="frame">${OPEN.includes(item.state) ? this.#open(item) : item.state === "succeeded" ? this.#done(item) : this.#ended(item)}</span>
      <span class="text">${item.input.prompt}</span>
    </button>`;
  }

  #open(item) {
    const percent = item.progress?.percent;
    return html`${percent === undefined
        ? html`<span class="now small">${item.cancelling ? "Cancelling" : "Queued"}</span>`
        : html`<span class="now">${percent} %</span>`}
      <progress max="100" .value=${percent ?? nothing} aria-label="Progress"></progress>`;
  }

  #done(item) {
    return html`<ltx2-picture .session=${this.session} .generation=${item}></ltx2-picture>
      ${item.input.preview ? html`<span class="badge left">Preview</span>` : nothing}
      <span class="badge">${clock(item.result.duration)}</span>`;
  }

  #ended(item) {
    return html`<span class="now small">${item.state === "failed" ? icons.warning : nothing} ${doing(item)}</span>`;
  }
}

customElements.define("ltx2-gallery", Gallery);
