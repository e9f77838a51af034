/** One field of the form, drawn by its kind: choice, number, switch, text, file, group, list. */

import { LitElement, css, html, live, nothing } from "./vendor/lit.js";
import { applies, effective } from "./schema.js";
import { base } from "./styles.js";
import { about, label, shown } from "./words.js";
import "./file-field.js";

/** More choices than this are a list to open; fewer stand side by side. */
const SIDE_BY_SIDE = 3;

/**
 * @fires chosen - `{name, value}`; undefined goes back to the default
 */
class FieldElement extends LitElement {
  static properties = {
    field: { attribute: false },
    siblings: { attribute: false },
    values: { attribute: false },
    faults: { attribute: false },
    session: { attribute: false },
    /** Where in the job it is, as faults name it: of a list's entry with its number. */
    at: { attribute: false },
  };

  static styles = [
    base,
    css`
      .head {
        display: flex;
        justify-content: space-between;
        align-items: baseline;
        gap: 8px;
        margin-bottom: 5px;
        font-size: 13px;
        font-weight: 500;
        color: var(--dim);
      }
      .row {
        display: grid;
        grid-auto-flow: column;
        grid-auto-columns: 1fr;
        gap: 3px;
        padding: 3px;
        background: var(--ground);
        border: 1px solid var(--line);
        border-radius: var(--small);
      }
      .row label {
        position: relative;
        text-align: center;
        border-radius: calc(var(--small) - 3px);
        cursor: pointer;
        transition: background 140ms var(--ease);
      }
      .row span {
        display: block;
        padding: 5px 4px;
        min-height: 32px;
        font-weight: 500;
        color: var(--dim);
        white-space: nowrap;
      }
      .row input {
        position: absolute;
        inset: 0;
        opacity: 0;
        margin: 0;
        cursor: pointer;
      }
      .row label:hover span {
        color: var(--ink);
      }
      .row label:has(:checked) {
        background: var(--raised);
        box-shadow:
          inset 0 0 0 1px var(--line),
          0 1px 2px rgb(0 0 0 / 18%);
      }
      .row label:has(:checked) span {
        color: var(--ink);
      }
      .row label:has(:focus-visible) {
        outline: 2px solid var(--accent);
        outline-offset: 1px;
      }
      .switch {
        display: flex;
        justify-content: space-between;
        align-items: center;
        gap: 14px;
        cursor: pointer;
        min-height: 36px;
      }
      .switch b {
        font-weight: 500;
        display: block;
      }
      .switch input {
        appearance: none;
        flex: none;
        width: 38px;
        height: 22px;
        margin: 0;
        border-radius: 22px;
        border: 1px solid var(--edge);
        background: radial-gradient(circle at 10px 50%, var(--edge) 6.5px, transparent 7px);
        cursor: pointer;
        transition:
          background 140ms var(--ease),
          border-color 140ms var(--ease);
      }
      .switch input:checked {
        border-color: transparent;
        background: radial-gradient(circle at 27px 50%, var(--on-accent) 6.5px, var(--accent) 7px);
      }
      input[type="range"] {
        width: 100%;
        accent-color: var(--accent);
        margin: 4px 0;
      }
      .note,
      .fault {
        margin-top: 5px;
      }
      .group {
        display: grid;
        gap: 12px;
        padding: 12px 0 2px;
      }
      .entry {
        border-top: 1px solid var(--line);
      }
    `,
  ];

  get #id() {
    return `f-${this.field.path.replaceAll(".", "-")}`;
  }

  /** The faults of this field itself, and of what belongs to it where it is drawn as one thing. */
  get #fault() {
    const { url, stem } = this.field;
    const path = this.at ?? this.field.path;
    const within = path.slice(0, path.lastIndexOf(".") + 1);
    const names = [path, url && within + url, url && `${within}${stem}_base64`];
    const own = (this.faults ?? []).filter((fault) => names.includes(fault.field));
    return own.map((fault) => fault.message).join(" ");
  }

  #choose(value, name = this.field.name) {
    this.dispatchEvent(new CustomEvent("chosen", { detail: { name, value } }));
  }

  /** Put the focus where this field is filled in. */
  focus() {
    this.renderRoot.querySelector("textarea, input, select, ltx2-file-field, ltx2-field")?.focus();
  }

  render() {
    const { field, siblings, values } = this;
    if (!applies(field, siblings, values)) return nothing;
    const drawn = {
      choice: this.#choice,
      switch: this.#switch,
      number: this.#number,
      text: this.#text,
      file: this.#file,
      group: this.#group,
      list: this.#list,
    }[field.kind];
    const fault = this.#fault;
    return html`${drawn.call(this, field, effective(field, values))}
    ${fault ? html`<p class="fault" id="${this.#id}-fault">${fault}</p>` : nothing}`;
  }

  /** What is read aloud after the name: the fault, or else a hint. */
  #described(hint = null) {
    if (this.#fault) return `${this.#id}-fault`;
    return hint ? `${this.#id}-${hint}` : nothing;
  }

  #choice(field, value) {
    const free = field.default === null;
    if (field.options.length > SIDE_BY_SIDE || free) return this.#select(field, value, free);
    const hint = about(field, value);
    return html`<fieldset aria-describedby=${this.#described()}>
      <legend class="head">${label(field)}</legend>
      <div class="row">
        ${field.options.map(
          (option) => html`<label
            ><input type="radio" name=${this.#id} .checked=${live(option === value)} @change=${() => this.#choose(option)} /><span>${shown(field, option)}</span></label
          >`,
        )}
      </div>
      ${hint ? html`<p class="note">${hint}</p>` : nothing}
    </fieldset>`;
  }

  #select(field, value, free) {
    const chosen = (event) => {
      const at = Number(event.target.value);
      this.#choose(at < 0 ? undefined : field.options[at]);
    };
    return html`<label class="head" for=${this.#id}>${label(field)}</label>
      <span class="select"><select id=${this.#id} aria-describedby=${this.#described()} .value=${live(String(field.options.indexOf(value)))} @change=${chosen}>
        ${free && !field.required ? html`<option value="-1">Automatic</option>` : nothing}
        ${field.options.map((option, at) => html`<option value=${at} ?selected=${option === value}>${shown(field, option)}</option>`)}
      </select></span>`;
  }

  #switch(field, value) {
    return html`<label class="switch"
      ><span><b>${label(field)}</b><span class="note" id="${this.#id}-hint">${field.hint?.replace(/^(true|false): /, "")}</span></span
      ><input type="checkbox" role="switch" aria-label=${label(field)} aria-describedby=${this.#described("hint")} .checked=${live(Boolean(value))} @change=${(event) => this.#choose(event.target.checked)}
    /></label>`;
  }

  // A number or a text counts once it is whole. Until then it stays as it is typed, whatever is drawn again meanwhile.
  #number(field, value) {
    const chosen = (event) => this.#choose(event.target.value === "" ? undefined : Number(event.target.value));
    if (field.slides) {
      return html`<label class="head" for=${this.#id}><span>${label(field)}</span><span>${value ?? field.assumed}</span></label>
        <input id=${this.#id} type="range" min=${field.least} max=${field.most} step="0.05" aria-describedby=${this.#described()} .value=${live(String(value ?? field.assumed))} @input=${chosen} />`;
    }
    return html`<label class="head" for=${this.#id}>${label(field)}</label>
      <input
        id=${this.#id}
        type="number"
        inputmode=${field.whole ? "numeric" : "decimal"}
        min=${field.least ?? nothing}
        max=${field.most ?? nothing}
        step=${field.whole ? 1 : "any"}
        placeholder=${value === null && !field.required ? "Automatic" : nothing}
        aria-describedby=${this.#described()}
        .value=${value === null ? "" : String(value)}
        @change=${chosen}
      />
      ${field.hint ? html`<p class="note">${field.hint}</p>` : nothing}`;
  }

  #text(field, value) {
    return html`<label class="head" for=${this.#id}>${label(field)}</label>
      <input id=${this.#id} maxlength=${field.most ?? nothing} aria-describedby=${this.#described("hint")} .value=${value ?? ""} @change=${(event) => this.#choose(event.target.value)} />
      ${field.hint ? html`<p class="note" id="${this.#id}-hint">${field.hint}</p>` : nothing}`;
  }

  #file(field) {
    return html`<ltx2-file-field
      .field=${field}
      .value=${this.values?.[field.url]}
      .session=${this.session}
      @chosen=${(event) => this.#choose(event.detail, field.url)}
    ></ltx2-file-field>`;
  }

  #group(field, value) {
    const is = value !== null && value !== undefined;
    return html`<label class="switch"
        ><span><b>${label(field)}</b><span class="note" id="${this.#id}-hint">${field.hint}</span></span
        ><input type="checkbox" role="switch" aria-label=${label(field)} aria-describedby=${this.#described("hint")} .checked=${live(is)} @change=${(event) => this.#choose(event.target.checked ? {} : undefined)}
      /></label>
      ${is ? this.#entries(field, value, (changed) => this.#choose(changed), this.at ?? field.path) : nothing}`;
  }

  #list(field, value) {
    const entries = value ?? [];
    const put = (at, entry) => this.#choose(entries.toSpliced(at, 1, entry));
    return html`<div class="head"><span>${label(field)}</span></div>
      ${field.hint ? html`<p class="note">${field.hint}</p>` : nothing}
      ${entries.map(
        (entry, at) => html`<div class="entry" role="group" aria-label="${label(field)} ${at + 1}">
          ${this.#entries(field, entry, (changed) => put(at, changed), `${this.at ?? field.path}.${at}`)}
          <button type="button" class="quiet" aria-label="Remove ${at + 1} of ${label(field)}" @click=${() => this.#remove(entries, at)}>Remove ${at + 1}</button>
        </div>`,
      )}
      ${entries.length < field.most ? html`<button type="button" class="add" aria-label="Add one to ${label(field)}" @click=${() => this.#choose([...entries, {}])}>Add one</button>` : nothing}`;
  }

  /** The button that was pressed goes with its entry: the focus goes on to the one that brings another. */
  async #remove(entries, at) {
    this.#choose(entries.toSpliced(at, 1));
    await this.updateComplete;
    this.renderRoot.querySelector(".add")?.focus();
  }

  #entries(field, values, put, where) {
    const chosen = ({ detail }) => put({ ...values, [detail.name]: detail.value });
    const choices = field.fields.filter((part) => part.required && part.kind === "choice" && values[part.name] === undefined);
    const whole = choices.reduce((all, part) => ({ ...all, [part.name]: part.default ?? part.options[0] }), values);
    return html`<div class="group">
      ${field.fields.map(
        (part) =>
          html`<ltx2-field .field=${part} .siblings=${field.fields} .values=${whole} .at="${where}.${part.name}" .faults=${this.faults} .session=${this.session} @chosen=${chosen}></ltx2-field>`,
      )}
    </div>`;
  }
}

customElements.define("ltx2-field", FieldElement);
