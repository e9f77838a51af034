/** The form: what is seen and heard, how, and what it costs; a free preview first. */

import { LitElement, css, html, live, nothing, repeat } from "./vendor/lit.js";
import { newSeed } from "./draft.js";
import { applies, effective, placed } from "./schema.js";
import { Following } from "./session.js";
import { base } from "./styles.js";
import { HINTS, credits, label, shown } from "./words.js";
import "./field.js";

/** Milliseconds without a change after which the price is asked for. */
const SETTLED = 180;

class Compose extends LitElement {
  static properties = {
    session: { attribute: false },
    quote: { state: true },
    tried: { state: true },
  };

  static styles = [
    base,
    css`
      :host {
        display: flex;
        flex-direction: column;
        background: var(--panel);
        border: 1px solid var(--line);
        border-radius: var(--radius);
        min-height: 0;
      }
      .fields {
        display: grid;
        gap: 16px;
        padding: 18px;
        overflow: auto;
        overscroll-behavior: contain;
        scrollbar-width: thin;
        scrollbar-color: var(--line) transparent;
      }
      .prompt label {
        display: block;
        font-weight: 600;
        margin-bottom: 8px;
      }
      .prompt textarea {
        display: block;
        resize: vertical;
        min-height: 132px;
        max-height: 60vh;
        padding: 12px 13px;
        line-height: 1.5;
        field-sizing: content;
      }
      .under {
        display: flex;
        justify-content: space-between;
        margin-top: 6px;
      }
      details > summary {
        cursor: pointer;
        list-style: none;
        display: flex;
        align-items: center;
        gap: 6px;
      }
      summary::-webkit-details-marker {
        display: none;
      }
      summary::before {
        content: "";
        width: 6px;
        height: 6px;
        border-right: 1.75px solid var(--dim);
        border-bottom: 1.75px solid var(--dim);
        transform: rotate(-45deg);
        transition: transform 140ms var(--ease);
      }
      details[open] > summary::before {
        transform: rotate(45deg);
      }
      .hints {
        flex: 1;
      }
      .hints summary {
        color: var(--dim);
        font-size: 13px;
      }
      .hints dl {
        display: grid;
        grid-template-columns: auto 1fr;
        gap: 5px 12px;
        padding: 10px 0 4px;
        font-size: 13px;
      }
      .hints dt {
        font-weight: 500;
      }
      .basics {
        display: grid;
        grid-template-columns: 1fr 1fr;
        gap: 14px;
        align-items: start;
      }
      .basics .wide {
        grid-column: 1 / -1;
      }
      .section {
        border-top: 1px solid var(--line);
        margin: 0 -18px;
        padding: 0 18px;
      }
      .section summary {
        padding: 12px 0;
        font-weight: 500;
      }
      .section + .section {
        margin-top: -16px;
      }
      .section .in {
        display: grid;
        gap: 12px;
        padding-bottom: 16px;
      }
      .section .sum {
        margin-left: auto;
        color: var(--dim);
        font-weight: 400;
        font-size: 13px;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .actions {
        border-top: 1px solid var(--line);
        padding: 14px 18px 16px;
        background: var(--panel);
        border-radius: 0 0 var(--radius) var(--radius);
      }
      .buttons {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        gap: 8px;
      }
      .buttons button {
        min-height: 46px;
        padding: 0 clamp(8px, 3.4cqi, 16px);
      }
      .buttons button small {
        font-size: 13px;
        font-weight: 500;
        margin-left: 6px;
      }
      .buttons .primary {
        font-size: 16px;
      }
      .why {
        margin-top: 8px;
        font-size: 13px;
        min-height: 19px;
      }
      @container (max-width: 399px) {
        .buttons .primary {
          font-size: 15px;
        }
        .buttons button small {
          margin-left: 3px;
          font-size: 12px;
        }
      }
      @container (max-width: 719px) {
        :host {
          overflow: visible;
        }
        .fields {
          overflow: visible;
          padding: 16px;
        }
        .section {
          margin-inline: -16px;
          padding-inline: 16px;
        }
        .actions {
          position: sticky;
          bottom: 0;
          z-index: 2;
          padding: 12px 16px;
        }
      }
    `,
  ];

  constructor() {
    super();
    new Following(this);
    this.quote = null;
    this.tried = false;
  }

  #timer = 0;
  #ending = null;
  #asked = "";

  willUpdate() {
    const { session } = this;
    if (session?.status !== "ready") return;
    const input = session.input;
    const asked = JSON.stringify([session.model.id, input, session.account?.available]);
    if (asked === this.#asked) return;
    this.#asked = asked;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(input), this.quote ? SETTLED : 0);
  }

  /** @returns {Promise<object|null>} the quote of just this job; null if nobody answered, or a later one is asked for */
  async #ask(input) {
    clearTimeout(this.#timer);
    this.#ending?.abort();
    const { signal } = (this.#ending = new AbortController());
    const { api, model } = this.session;
    try {
      this.quote = await api.post("/api/generations/quote", { model: model.id, input }, { signal });
      return this.quote;
    } catch {
      if (!signal.aborted) this.#asked = ""; // asked again with the next change
      return null;
    }
  }

  /** Faults that are shown: of what the person has filled in, and of everything once they have tried. */
  get #faults() {
    const faults = this.quote?.faults ?? [];
    return this.tried ? faults : faults.filter((fault) => fault.field.split(".")[0] in this.session.draft.values);
  }

  async #go(preview) {
    const { session } = this;
    if (session.sending || session.uploading) return;
    const { input } = session;
    // Not the quote that is shown: it may be of what the form said before. Without one, the order itself is judged.
    const quote = await this.#ask(input);
    if (quote?.faults.length) {
      this.tried = true;
      await this.updateComplete;
      return this.#focusFault(quote);
    }
    if (!preview && quote && !quote.enough) {
      const { credits: needed, available } = quote;
      return session.tell("need-credits", { credits: needed, available, missing: needed - available });
    }
    this.tried = false;
    // With a seed of its own, a preview that looks right can be made at full length from the same one.
    await session.order(preview ? { ...input, seed: input.seed ?? newSeed(), preview: true } : input);
  }

  #focusFault(quote) {
    const [{ field }] = quote.faults;
    const name = field.split(".")[0];
    if (name === "prompt") return this.renderRoot.querySelector("textarea").focus();
    const found = [...this.renderRoot.querySelectorAll("ltx2-field")].find((element) => [element.field.name, element.field.url, `${element.field.stem}_base64`].includes(name));
    const section = found?.closest("details");
    if (section) section.open = true;
    found?.focus();
  }

  render() {
    if (this.session?.status !== "ready") return nothing;
    const { fields } = this.session;
    const [words, basics, files, ...sections] = ["words", "basics", "files", "quality", "control", "sound", "more"].map((id) =>
      placed(fields).find((place) => place.id === id));
    return html`<div class="fields" role="group" aria-label="What to make">
        ${words ? this.#prompt(words.fields[0]) : nothing}
        ${basics ? html`<div class="basics">${this.#each(basics.fields)}</div>` : nothing}
        ${files ? html`<div class="in">${this.#each(files.fields)}</div>` : nothing}
        ${sections.filter(Boolean).map((place) => this.#section(place))}
      </div>
      ${this.#actions()}`;
  }

  #prompt(field) {
    const { draft } = this.session;
    const value = draft.values[field.name] ?? "";
    const fault = this.#faults.find((each) => each.field === field.name && this.tried);
    return html`<div class="prompt">
      <label for="prompt">What is seen and heard</label>
      <textarea
        id="prompt"
        rows="6"
        placeholder="Describe the shot, the light, what happens, and what it sounds like."
        maxlength=${field.most ?? nothing}
        aria-describedby=${fault ? "prompt-fault" : "prompt-count"}
        aria-invalid=${fault ? "true" : nothing}
        .value=${live(value)}
        @input=${(event) => draft.set(field.name, event.target.value)}
        @keydown=${(event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && this.#go(true)}
      ></textarea>
      <div class="under">
        <details class="hints">
          <summary>What a good prompt says</summary>
          <dl>
            ${HINTS.map(([term, text]) => html`<dt>${term}</dt><dd class="dim">${text}</dd>`)}
          </dl>
        </details>
        <span class="note" id="prompt-count">${value.length}${field.most ? ` / ${field.most}` : ""}</span>
      </div>
      ${fault ? html`<p class="fault" id="prompt-fault" role="alert">Say what is seen and heard first.</p>` : nothing}
    </div>`;
  }

  #each(fields) {
    const { session } = this;
    const chosen = ({ detail }) => session.draft.set(detail.name, detail.value);
    return repeat(
      fields,
      (field) => field.path,
      (field) =>
        html`<ltx2-field
          class=${field.kind === "choice" ? "" : "wide"}
          ?hidden=${!applies(field, session.fields, session.draft.values)}
          .field=${field}
          .siblings=${session.fields}
          .values=${session.draft.values}
          .faults=${this.#faults}
          .session=${session}
          @chosen=${chosen}
        ></ltx2-field>`,
    );
  }

  #section(place) {
    const { values } = this.session.draft;
    const said = place.fields.filter((field) => (values[field.url ?? field.name] ?? field.default) !== field.default && applies(field, this.session.fields, values));
    const sum = said.map((field) => (field.kind === "choice" ? shown(field, effective(field, values)) : field.kind === "number" ? `${label(field)} ${values[field.name]}` : label(field)));
    return html`<details class="section">
      <summary>${place.title}<span class="sum">${sum.join(" · ")}</span></summary>
      <div class="in">${this.#each(place.fields)}</div>
    </details>`;
  }

  #actions() {
    const { quote, session } = this;
    const price = quote?.credits;
    const dear = quote && price !== null && !quote.enough && !session.input.preview;
    const busy = session.sending > 0 || session.uploading > 0;
    return html`<div class="actions">
      <div class="buttons">
        <button type="button" id="preview" aria-disabled=${busy} @click=${() => this.#go(true)}>Preview 1 s<small class="dim">free</small></button>
        <button type="button" id="generate" class="primary" aria-disabled=${busy} aria-describedby="why" @click=${() => this.#go(false)}>
          ${session.sending ? "Sending…" : html`Generate${price === null || price === undefined ? nothing : html`<small>${credits(price)}</small>`}`}
        </button>
      </div>
      <p class="why ${dear || this.tried ? "fault" : "dim"}" id="why" aria-live="polite">${this.#why(dear, price)}</p>
    </div>`;
  }

  #why(dear, price) {
    const { quote, session } = this;
    if (session.uploading) return "A file is still on its way.";
    if (dear) return `${price} needed, ${quote.available} left.`;
    const faults = this.#faults.filter((fault) => fault.field !== "prompt");
    if (faults.length) return faults[0].message;
    if (quote?.warnings.length) return quote.warnings[0];
    if (session.account && price) return `${session.account.available} − ${price} leaves ${session.account.available - price}. Charged only when the video is there.`;
    return "";
  }
}

customElements.define("ltx2-compose", Compose);
