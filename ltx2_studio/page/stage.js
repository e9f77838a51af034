/** The one generation that is looked at: how far it is, its video, or why there is none. */

import { LitElement, css, html, nothing } from "./vendor/lit.js";
import * as icons from "./icons.js";
import { Following, OPEN } from "./session.js";
import { base } from "./styles.js";
import { EXAMPLES, credits, doing, ended, left, plain, size } from "./words.js";
import "./emerging.js";
import "./picture.js";
import { shaped } from "./player.js";

class Stage extends LitElement {
  static properties = { session: { attribute: false }, copied: { state: true } };

  static styles = [
    base,
    css`
      .screen {
        position: relative;
        aspect-ratio: 16 / 9;
        border-radius: var(--radius);
        overflow: hidden;
        background: #08090b;
        color: var(--ink);
        border: 1px solid var(--line);
        /* A dark room in either theme: pictures are looked at there. */
        color-scheme: dark;
      }
      .screen > .full {
        position: absolute;
        inset: 0;
        display: flex;
        flex-direction: column;
        justify-content: center;
        padding: clamp(16px, 5cqi, 52px);
      }
      .light {
        position: absolute;
        inset: 0;
        background:
          radial-gradient(58% 70% at 78% 8%, color-mix(in oklab, var(--accent) 30%, transparent), transparent 70%),
          radial-gradient(46% 60% at 12% 100%, color-mix(in oklab, var(--accent) 13%, transparent), transparent 70%);
      }
      .light.on {
        animation: breathe 5s ease-in-out infinite alternate;
      }
      @keyframes breathe {
        from {
          opacity: 0.45;
        }
        to {
          opacity: 1;
        }
      }
      .empty h2 {
        font-size: clamp(24px, 4.6cqi, 42px);
        line-height: 1.08;
        letter-spacing: -0.025em;
        font-weight: 600;
        text-wrap: balance;
        max-width: 15ch;
      }
      .empty > p {
        margin: 12px 0 clamp(14px, 3cqi, 28px);
        color: var(--dim);
      }
      .examples {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(190px, 1fr));
        gap: 10px;
      }
      .examples button {
        text-align: left;
        white-space: normal;
        padding: 13px 15px 14px;
        background: rgb(255 255 255 / 6%);
        border-color: rgb(255 255 255 / 13%);
      }
      .examples button:hover {
        background: rgb(255 255 255 / 12%);
        border-color: var(--accent);
      }
      .examples small {
        display: -webkit-box;
        -webkit-line-clamp: 3;
        -webkit-box-orient: vertical;
        overflow: hidden;
        margin-top: 5px;
        font-size: 13px;
        font-weight: 400;
        line-height: 1.4;
        color: var(--dim);
      }
      .percent {
        font-size: clamp(44px, 10cqi, 92px);
        font-weight: 500;
        letter-spacing: -0.045em;
        line-height: 1;
      }
      .percent small {
        font-size: 0.42em;
        letter-spacing: 0;
        margin-left: 0.1em;
        color: var(--dim);
      }
      .doing {
        display: flex;
        align-items: center;
        flex-wrap: wrap;
        gap: 4px 16px;
        margin-top: 14px;
      }
      .doing b {
        font-weight: 500;
      }
      .doing button {
        margin-left: auto;
      }
      .over :is(.dim, small) {
        color: var(--ink);
      }
      .over button {
        background: rgb(8 9 11 / 70%);
      }
      .bar {
        position: absolute;
        inset: auto 0 0;
        border-radius: 0;
      }
      .failed h2 {
        font-size: 22px;
        letter-spacing: -0.01em;
        margin-bottom: 6px;
        display: flex;
        align-items: center;
        gap: 10px;
      }
      .failed p {
        max-width: 60ch;
      }
      .failed .row {
        display: flex;
        flex-wrap: wrap;
        gap: 8px;
        margin-top: 18px;
      }
      .about {
        padding: 14px 2px 0;
      }
      .about .prompt {
        display: -webkit-box;
        -webkit-line-clamp: 2;
        -webkit-box-orient: vertical;
        overflow: hidden;
        overflow-wrap: anywhere;
      }
      .facts {
        display: flex;
        flex-wrap: wrap;
        gap: 2px 14px;
        margin-top: 4px;
        font-size: 13px;
        color: var(--dim);
      }
      .tools {
        display: flex;
        flex-wrap: wrap;
        gap: 6px;
        margin-top: 12px;
      }
      .tools:empty {
        display: none;
      }
      .tools button {
        display: inline-flex;
        align-items: center;
        gap: 7px;
        padding-inline: 10px;
        font-size: 14px;
      }
      .tools button:not(.named) {
        border-color: transparent;
        color: var(--dim);
      }
      .tools button:not(.named):hover {
        color: var(--ink);
      }
      .tools button:last-child:not(:only-child) {
        margin-left: auto;
      }
      .right {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 10px 18px;
        margin-top: 14px;
        padding: 14px 18px;
        border: 1px solid color-mix(in oklab, var(--accent) 45%, var(--line));
        border-radius: var(--radius);
        background: var(--glow);
      }
      .right div {
        flex: 1 1 220px;
      }
      .right b {
        font-weight: 600;
      }
      .warnings {
        margin-top: 10px;
        font-size: 13px;
        color: var(--dim);
      }
      @container (max-width: 719px) {
        .screen.tall {
          aspect-ratio: auto;
        }
        .screen.tall > .full {
          position: relative;
        }
        .tools button span {
          display: none;
        }
        .tools button {
          width: 40px;
          padding: 0;
          justify-content: center;
          min-height: 40px;
        }
      }
    `,
  ];

  constructor() {
    super();
    new Following(this);
  }

  render() {
    const { session } = this;
    if (session?.status !== "ready") return nothing;
    const { shown } = session;
    if (!shown) return this.#empty();
    if (OPEN.includes(shown.state)) return this.#running(shown);
    return shown.state === "succeeded" ? this.#done(shown) : this.#failed(shown);
  }

  #empty() {
    const fill = (text) => {
      this.session.draft.set("prompt", text);
      this.dispatchEvent(new CustomEvent("compose", { bubbles: true, composed: true }));
    };
    return html`<div class="screen tall">
      <div class="light"></div>
      <div class="full empty">
        <h2>Describe a shot. Hear it, too.</h2>
        <p>Picture and sound are made together, from one text. Begin with one of these, or with your own.</p>
        <div class="examples">${EXAMPLES.map(([name, text]) => html`<button type="button" @click=${() => fill(text)}>${name}<small>${text}</small></button>`)}</div>
      </div>
    </div>`;
  }

  #running(item) {
    const percent = item.progress?.percent;
    const seconds = item.progress?.seconds_left;
    return html`<div class="screen">
        <div class="light on"></div>
        <ltx2-emerging .session=${this.session} .generation=${item}></ltx2-emerging>
        <div class="full ${item.progress?.picture ? "over" : ""}">
          ${percent === undefined ? nothing : html`<div class="percent">${percent}<small>%</small></div>`}
          <div class="doing">
            <b>${doing(item)}</b>
            ${seconds ? html`<span class="dim">${left(seconds)}</span>` : nothing}
            ${item.cancelling ? nothing : html`<button type="button" @click=${() => this.session.cancel(item.id)}>Cancel</button>`}
          </div>
        </div>
        <progress class="bar" max="100" .value=${percent ?? nothing} aria-label="Progress"></progress>
      </div>
      <p class="unseen" aria-live="polite">${doing(item).split(" · ")[0]}</p>
      ${this.#about(item, [item.credits ? `${credits(item.credits)} held` : "Free"])}`;
  }

  #done(item) {
    const { result, id } = item;
    const path = `/api/generations/${id}/video`;
    return html`<div class="screen" ${shaped(result)}>
        <ltx2-player
          .session=${this.session}
          .path=${path}
          .poster=${item.has_poster ? `/api/generations/${id}/poster` : null}
          .name=${`Video: ${item.input.prompt.slice(0, 120)}`}
          ?loops=${result.duration < 3}
        ></ltx2-player>
      </div>
      <p class="unseen" aria-live="polite">The video is ready.</p>
      ${item.input.preview ? this.#looksRight(item) : nothing}
      ${this.#about(item, [
        item.input.preview ? "Preview" : credits(item.charged),
        `${result.width}×${result.height}`,
        `${result.fps} fps`,
        `${result.duration.toFixed(1)} s`,
        ...(result.changed ? [`new from ${result.changed[0].toFixed(1)} to ${result.changed[1].toFixed(1)} s`] : []),
        size(result.bytes),
        `seed ${result.seed}`,
      ])}
      ${result.prompt_used && result.prompt_used !== item.input.prompt ? html`<p class="dim">Written out: ${result.prompt_used}</p>` : nothing}
      ${result.warnings.length && !item.input.preview ? html`<ul class="warnings">${result.warnings.map((text) => html`<li>${text}</li>`)}</ul>` : nothing}`;
  }

  /** A preview that looks right is made at full size with the same prompt and seed. */
  #looksRight(item) {
    const { preview: _, ...input } = item.input;
    const price = this.session.priceOf(input);
    // A video that was sent and has kept its own frames says itself how long it is.
    const seconds = item.result.changed ? null : input.duration ?? this.session.fields.find((field) => field.name === "duration")?.default;
    return html`<div class="right">
      <div><b>Looks right?</b> <span class="dim">The same prompt and seed; another size draws it anew, so expect it alike, not the same.</span></div>
      <button type="button" class="primary" id="make-it" aria-disabled=${this.session.sending > 0} @click=${() => this.session.sending || this.session.order({ ...input, seed: item.result.seed })}>
        Make ${seconds ? `${seconds} s` : "it"}${price === undefined ? nothing : ` · ${credits(price)}`}
      </button>
    </div>`;
  }

  #failed(item) {
    const { session } = this;
    const copy = async () => {
      await navigator.clipboard?.writeText(`${item.error?.code ?? item.state} ${item.id}`);
      this.copied = item.id;
    };
    return html`<div class="screen tall">
        <div class="full failed" role="status">
          <h2>${icons.warning}${item.state === "cancelled" ? "Cancelled" : "No video this time"}</h2>
          <p>${ended(item)} <b>Nothing was charged.</b></p>
          ${item.error?.field ? html`<p class="dim">It is about: ${plain(item.error.field)}.</p>` : nothing}
          <div class="row">
            ${item.error?.retryable || item.state !== "failed" ? html`<button type="button" class="primary" @click=${() => session.retry(item.id)}>Try again</button>` : nothing}
            <button type="button" @click=${() => this.#edit(item)}>Edit and try again</button>
            ${item.error ? html`<button type="button" class="quiet" @click=${copy}>${this.copied === item.id ? "Copied" : `Copy ${item.error.code}`}</button>` : nothing}
          </div>
        </div>
      </div>
      ${this.#about(item, [new Date(item.created_at).toLocaleString()])}`;
  }

  #edit(item, changes) {
    this.session.reuse(item, changes);
    this.dispatchEvent(new CustomEvent("compose", { bubbles: true, composed: true }));
  }

  async #lastFrame(item) {
    const url = await this.session.lastFrame(item.id);
    if (!url) return;
    const file = this.session.fields.find((field) => field.kind === "file" && field.accept === "image");
    // New frames were put among those of a video: the next one is of its own.
    const sent = item.result.changed ? this.session.fields.filter((field) => field.kind === "group" && field.fields.some((part) => part.kind === "file")) : [];
    const without = Object.fromEntries(sent.map((field) => [field.name, undefined]));
    this.#edit(item, { ...without, [file?.url ?? "image_url"]: url, seed: undefined });
    this.session.say("The next one starts from this last frame. Write what happens then.");
  }

  #about(item, facts) {
    return html`<div class="about">
      <div>
        <p class="prompt">${item.input.prompt}</p>
        <p class="facts">${facts.map((fact) => html`<span>${fact}</span>`)}</p>
      </div>
      <div class="tools">${OPEN.includes(item.state) ? nothing : this.#tools(item)}</div>
    </div>`;
  }

  #tools(item) {
    const { session } = this;
    const made = item.state === "succeeded";
    const tool = (icon, name, act, kind = "") =>
      html`<button type="button" class=${kind} title=${name} aria-label=${name} @click=${act}>${icon}<span>${name}</span></button>`;
    return html`${made ? tool(icons.download, "Download", () => session.download(`/api/generations/${item.id}/video`), "named") : nothing}
    ${made ? tool(icons.seed, "Use seed", () => session.draft.set("seed", item.result.seed)) : nothing}
    ${tool(icons.pencil, "Edit", () => this.#edit(item, made ? { seed: item.result.seed } : {}))}
    ${made ? tool(icons.next, "Last frame as start", () => this.#lastFrame(item)) : nothing}
    ${made && session.filmFields ? tool(icons.film, "Add to film", () => session.addToFilm(item.id)) : nothing}
    ${tool(icons.bin, "Remove", () => session.remove(item.id))}`;
  }
}

customElements.define("ltx2-stage", Stage);
