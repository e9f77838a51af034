/** A picture, a video or a sound of the person's own: dropped, chosen, pasted, or a link; uploaded at once. */

import { LitElement, css, html, nothing } from "./vendor/lit.js";
import * as icons from "./icons.js";
import { base } from "./styles.js";
import { label, size } from "./words.js";

/**
 * @fires chosen - what a job names the file by; undefined when it was removed
 */
class FileField extends LitElement {
  static properties = {
    field: { attribute: false },
    value: { attribute: false },
    session: { attribute: false },
    part: { state: true },
    fault: { state: true },
    over: { state: true },
    linking: { state: true },
    picture: { state: true },
  };

  static styles = [
    base,
    css`
      .zone {
        position: relative;
        display: flex;
        align-items: center;
        gap: 12px;
        min-height: 64px;
        padding: 10px 12px;
        border: 1px dashed var(--edge);
        border-radius: var(--small);
        background: var(--ground);
        cursor: pointer;
        transition:
          border-color 140ms var(--ease),
          background 140ms var(--ease);
      }
      .zone.over,
      .zone:hover {
        border-color: var(--accent);
        background: var(--glow);
      }
      .zone:has(input:focus-visible) {
        outline: 2px solid var(--accent);
        outline-offset: 2px;
      }
      .zone > svg {
        width: 22px;
        height: 22px;
        color: var(--dim);
      }
      .zone b {
        display: block;
        font-weight: 500;
      }
      .zone input {
        position: absolute;
        inset: 0;
        opacity: 0;
        cursor: pointer;
      }
      .chosen {
        display: flex;
        align-items: center;
        gap: 12px;
        padding: 8px;
        border: 1px solid var(--line);
        border-radius: var(--small);
        background: var(--ground);
      }
      .chosen img,
      .chosen .kind {
        width: 84px;
        aspect-ratio: 16 / 9;
        object-fit: cover;
        border-radius: 6px;
        background: var(--raised);
        display: grid;
        place-items: center;
        color: var(--dim);
      }
      .chosen div {
        flex: 1;
        min-width: 0;
      }
      .chosen b {
        font-weight: 500;
        display: block;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      progress {
        margin-top: 6px;
      }
      .link {
        display: flex;
        gap: 6px;
        margin-top: 6px;
      }
      button.text {
        border: 0;
        background: none;
        padding: 4px 0;
        min-height: 28px;
        color: var(--dim);
        font-size: 13px;
        text-decoration: underline;
        text-underline-offset: 3px;
      }
      .fault {
        margin-top: 5px;
      }
    `,
  ];

  #ending = null;

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#ending?.abort();
  }

  willUpdate(changed) {
    if (changed.has("value")) this.#look();
  }

  focus() {
    this.renderRoot.querySelector("input, button")?.focus();
  }

  /** Find a picture of what is chosen: the file itself, or what was uploaded once. */
  async #look() {
    const { value } = this;
    const known = this.session?.draft.files.get(value);
    this.picture = known?.picture ?? null;
    if (!value || known || this.field.accept !== "image") return;
    if (/^https?:/.test(value)) this.picture = value;
    else if (value.startsWith("s3://")) {
      const address = await this.session.api.open(`/api/uploads/${value.split("/").pop()}`).catch(() => null);
      if (this.value === value) this.picture = address;
    }
  }

  #choose(value) {
    this.linking = false;
    this.dispatchEvent(new CustomEvent("chosen", { detail: value }));
  }

  async take(file) {
    this.fault = null;
    if (!accepted(this.field).some((kind) => file.type.startsWith(`${kind}/`))) {
      this.fault = `${file.name} is not ${this.field.accept === "image" ? "an image" : `a file of ${this.field.accept}`}.`;
      return;
    }
    this.#ending?.abort();
    const { signal } = (this.#ending = new AbortController());
    this.part = 0;
    this.name = file.name;
    this.#count(1);
    try {
      const value = await this.session.api.upload(file, (part) => (this.part = part), signal);
      if (signal.aborted) return;
      const picture = this.field.accept === "image" ? URL.createObjectURL(file) : null;
      this.session.draft.files.set(value, { name: file.name, bytes: file.size, picture });
      this.#choose(value);
    } catch (error) {
      if (!signal.aborted) this.fault = error.message;
    } finally {
      if (this.#ending?.signal === signal) this.part = null;
      this.#count(-1);
    }
  }

  #count(more) {
    this.session.uploading += more;
    this.session.changed();
  }

  #drop(event) {
    event.preventDefault();
    this.over = false;
    const [file] = event.dataTransfer.files;
    if (file) this.take(file);
  }

  #paste(event) {
    const [file] = event.clipboardData?.files ?? [];
    if (file) this.take(file);
  }

  #remove() {
    this.#ending?.abort();
    this.part = null;
    this.#choose(undefined);
    this.updateComplete.then(() => this.focus());
  }

  render() {
    const fault = this.fault ? html`<p class="fault" role="alert">${this.fault}</p>` : nothing;
    if (typeof this.part === "number") return this.#uploading();
    return html`${this.value ? this.#chosen() : this.#zone()}${fault}`;
  }

  #uploading() {
    return html`<div class="chosen">
      <span class="kind">${icons.image}</span>
      <div>
        <b>${this.name}</b>
        <progress max="1" .value=${this.part} aria-label="Uploading ${this.name}"></progress>
      </div>
      <button type="button" class="icon quiet" aria-label="Stop the upload" @click=${this.#remove}>${icons.cross}</button>
    </div>`;
  }

  #chosen() {
    const known = this.session.draft.files.get(this.value);
    const name = known?.name ?? decodeURIComponent(this.value.split("/").pop().split("?")[0]);
    return html`<div class="chosen">
      ${this.picture
        ? html`<img src=${this.picture} alt="" @error=${() => (this.picture = null)} />`
        : html`<span class="kind">${this.field.accept === "image" ? icons.image : icons.film}</span>`}
      <div><b>${label(this.field)}</b><span class="note">${known?.bytes ? `${name} · ${size(known.bytes)}` : name}</span></div>
      <button type="button" class="icon quiet" aria-label="Remove the ${label(this.field).toLowerCase()}" @click=${this.#remove}>${icons.cross}</button>
    </div>`;
  }

  #zone() {
    const { accept } = this.field;
    return html`<label
        class="zone ${this.over ? "over" : ""}"
        @dragover=${(event) => (event.preventDefault(), (this.over = true))}
        @dragleave=${() => (this.over = false)}
        @drop=${this.#drop}
        @paste=${this.#paste}
      >
        ${accept === "image" ? icons.image : accept === "audio" ? icons.music : icons.film}
        <span><b>${label(this.field)}</b><span class="note">Drop, paste or choose ${accept === "image" ? "a picture" : `a file`}</span></span>
        <input type="file" accept=${accepted(this.field).map((kind) => `${kind}/*`).join(",")} aria-label="${label(this.field)}: choose a file" @change=${(event) => event.target.files[0] && this.take(event.target.files[0])} />
      </label>
      ${this.field.uploaded ? nothing : this.#link()}`;
  }

  /** A file that lies somewhere already. */
  #link() {
    return html`${this.linking
        ? html`<form class="link" @submit=${(event) => (event.preventDefault(), this.#choose(event.target.elements[0].value.trim() || undefined))}>
            <input type="url" placeholder="https://…" aria-label="${label(this.field)}: link" /><button>Use</button>
          </form>`
        : html`<button type="button" class="text" @click=${() => (this.linking = true)}>or use a link</button>`}`;
  }
}

/** The sound of a video is a sound, where a job takes one. */
const accepted = ({ accept, uploaded }) => (accept === "audio" && !uploaded ? ["audio", "video"] : [accept]);

customElements.define("ltx2-file-field", FileField);
