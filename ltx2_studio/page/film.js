/** The film: clips in a row, how each becomes the next, music under them; rendered without credits. */

import { LitElement, css, html, live, nothing, repeat } from "./vendor/lit.js";
import * as icons from "./icons.js";
import { Following } from "./session.js";
import { base } from "./styles.js";
import { clock, plain, size } from "./words.js";
import "./file-field.js";
import "./picture.js";
import { shaped } from "./player.js";

const CUT = "cut";
/** What is dragged here: nothing else that is dropped is taken for a clip. */
const CLIP = "application/x-ltx2-clip";
/** Of a transition: whole frames at 24 and 48 a second. */
const SECONDS = [0.25, 0.5, 0.75, 1, 1.5, 2, 3];
/** A film takes what was uploaded, and no links. */
const MUSIC = { name: "music", path: "music", kind: "file", accept: "audio", url: "music", uploaded: true };

class Film extends LitElement {
  static properties = { session: { attribute: false }, watched: { state: true }, fault: { state: true } };

  static styles = [
    base,
    css`
      .box {
        background: var(--panel);
        border: 1px solid var(--line);
        border-radius: var(--radius);
        padding: 18px;
        display: grid;
        gap: 16px;
      }
      .top {
        display: flex;
        align-items: baseline;
        gap: 10px;
      }
      h2 {
        font-size: 17px;
        letter-spacing: -0.01em;
      }
      .top button {
        margin-left: auto;
      }
      ol {
        display: flex;
        gap: 10px;
        overflow-x: auto;
        padding: 4px 4px 8px;
        margin: -4px;
        scrollbar-width: thin;
        scrollbar-color: var(--line) transparent;
      }
      li {
        display: flex;
        align-items: stretch;
        gap: 10px;
        flex: none;
      }
      .clip {
        width: 148px;
      }
      .frame {
        position: relative;
        aspect-ratio: 16 / 9;
        border-radius: var(--small);
        overflow: hidden;
        background: var(--raised);
        box-shadow: inset 0 0 0 1px var(--line);
        display: grid;
        place-items: center;
      }
      .number {
        position: absolute;
        left: 7px;
        top: 7px;
        min-width: 20px;
        text-align: center;
        border-radius: 20px;
        font-size: 12px;
        font-weight: 600;
        background: rgb(8 9 11 / 78%);
        color: #f3f1ed;
      }
      .hand {
        display: flex;
        justify-content: space-between;
        margin-top: 4px;
      }
      .hand button {
        width: 34px;
        min-height: 34px;
        border-color: transparent;
        color: var(--dim);
      }
      .join {
        width: 118px;
        display: flex;
        flex-direction: column;
        justify-content: center;
        gap: 6px;
        font-size: 13px;
      }
      .join select {
        font-size: 13px;
        min-height: 32px;
        padding-block: 4px;
      }
      .under {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: 16px;
        align-items: end;
      }
      .music {
        display: grid;
        grid-template-columns: minmax(0, 1.4fr) minmax(120px, 1fr);
        gap: 16px;
        align-items: center;
      }
      .music label {
        display: flex;
        justify-content: space-between;
        font-size: 13px;
        color: var(--dim);
        font-weight: 500;
      }
      .music input[type="range"] {
        width: 100%;
        accent-color: var(--accent);
      }
      .primary {
        min-height: 46px;
        padding: 0 22px;
        font-size: 16px;
      }
      .primary small {
        font-size: 13px;
        margin-left: 6px;
      }
      .screen {
        position: relative;
        aspect-ratio: 16 / 9;
        border-radius: var(--small);
        overflow: hidden;
        background: #000;
      }
      .made {
        display: grid;
        grid-template-columns: minmax(0, 440px) minmax(0, 1fr);
        gap: 14px 20px;
        align-items: end;
      }
      .made b {
        display: block;
        font-weight: 600;
        font-size: 17px;
      }
      .made button {
        display: inline-flex;
        align-items: center;
        gap: 7px;
        margin-top: 12px;
      }
      .others {
        display: flex;
        flex-wrap: wrap;
        gap: 4px;
      }
      .others button[aria-pressed="true"] {
        background: var(--raised);
        color: var(--ink);
      }
      .going {
        display: grid;
        gap: 8px;
      }
      .going div {
        display: flex;
        justify-content: space-between;
        align-items: center;
      }
      @container (max-width: 719px) {
        .under,
        .made,
        .music {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];

  constructor() {
    super();
    new Following(this);
  }

  get #kinds() {
    const clips = this.session.filmFields.find((field) => field.name === "clips");
    const transition = clips?.fields.find((field) => field.name === "transition");
    return transition?.fields.find((field) => field.name === "kind")?.options ?? [CUT];
  }

  get #clips() {
    return this.session.film.clips.filter((clip) => this.session.items.get(clip.generation)?.result);
  }

  #put(changes) {
    this.session.editFilm(changes);
  }

  #change(at, changes) {
    this.#put({ clips: this.#clips.with(at, { ...this.#clips[at], ...changes }) });
  }

  #move(from, to) {
    const clips = this.#clips;
    if (to < 0 || to >= clips.length || from === to) return;
    const [clip] = clips.splice(from, 1);
    this.#put({ clips: clips.toSpliced(to, 0, clip) });
    this.session.say(null);
    this.#focus(to, from < to ? ".later" : ".sooner");
  }

  #remove(at) {
    this.#put({ clips: this.#clips.toSpliced(at, 1) });
    this.#focus(Math.min(at, this.#clips.length - 1), ".remove");
  }

  /** The part that had the focus may be gone, or stand elsewhere. */
  #focus(at, button) {
    this.updateComplete.then(() => this.renderRoot.querySelectorAll("li")[at]?.querySelector(button)?.focus());
  }

  /** Seconds of the film: clips that flow into each other share theirs. */
  get #seconds() {
    return this.#clips.reduce(
      (sum, clip, at) => sum + this.session.items.get(clip.generation).result.duration - (at && clip.kind !== CUT ? clip.seconds : 0), 0);
  }

  async #make() {
    const { music, gain_db } = this.session.film;
    const clips = this.#clips.map(({ generation, kind, seconds }, at) =>
      at && kind !== CUT ? { generation, transition: { kind, seconds } } : { generation });
    this.watched = null;
    this.fault = null;
    try {
      await this.session.makeFilm({ clips, ...(music ? { music: { url: music, gain_db } } : {}) });
    } catch (error) {
      this.fault = error.message;
    }
  }

  render() {
    const { session } = this;
    if (session?.status !== "ready" || !session.filmFields) return nothing;
    const films = [...session.films.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
    const clips = this.#clips;
    if (!clips.length && !films.length) return nothing;
    const shown = films.find((film) => film.id === this.watched) ?? films[0];
    return html`<div class="box">
      <div class="top">
        <h2>Film</h2>
        ${clips.length ? html`<span class="dim">${clips.length === 1 ? "1 clip" : `${clips.length} clips`} · ${clock(this.#seconds)}</span>` : html`<span class="dim">Add videos with “Add to film”.</span>`}
        ${clips.length ? html`<button type="button" class="quiet" @click=${() => this.#put({ clips: [] })}>Clear</button>` : nothing}
      </div>
      ${clips.length ? this.#tray(clips) : nothing} ${shown ? this.#made(shown) : nothing}
      ${films.length > 1
        ? html`<div class="others">
            ${films.slice(0, 6).map(
              (film, at) => html`<button type="button" class="quiet" aria-pressed=${film === shown} @click=${() => (this.watched = film.id)}>Film ${films.length - at}</button>`,
            )}
          </div>`
        : nothing}
    </div>`;
  }

  #tray(clips) {
    const { music, gain_db } = this.session.film;
    return html`<ol aria-label="Clips of the film">
        ${repeat(clips, (clip) => clip.key, (clip, at) => this.#clip(clip, at, clips.length))}
      </ol>
      <div class="under">
        <div class="music">
          <ltx2-file-field .field=${MUSIC} .value=${music} .session=${this.session} @chosen=${({ detail }) => this.#put({ music: detail })}></ltx2-file-field>
          ${music
            ? html`<div>
                <label for="gain"><span>Beside the clips</span><span>${gain_db} dB</span></label>
                <input id="gain" type="range" min="-24" max="6" step="1" .value=${live(String(gain_db))} @input=${(event) => this.#put({ gain_db: Number(event.target.value) })} />
              </div>`
            : nothing}
        </div>
        <button type="button" class="primary" id="make-film" @click=${this.#make}>Make film<small>free</small></button>
      </div>
      ${this.fault ? html`<p class="fault" role="alert">${this.fault}</p>` : nothing}`;
  }

  #clip(clip, at, count) {
    const item = this.session.items.get(clip.generation);
    const name = `clip ${at + 1}`;
    return html`<li
      draggable="true"
      @dragstart=${(event) => event.dataTransfer.setData(CLIP, String(at))}
      @dragover=${(event) => event.dataTransfer.types.includes(CLIP) && event.preventDefault()}
      @drop=${(event) => event.dataTransfer.types.includes(CLIP) && (event.preventDefault(), this.#move(Number(event.dataTransfer.getData(CLIP)), at))}
    >
      ${at ? this.#join(clip, at) : nothing}
      <div class="clip">
        <div class="frame">
          <ltx2-picture .session=${this.session} .generation=${item}></ltx2-picture>
          <span class="number">${at + 1}</span>
        </div>
        <div class="hand">
          <button type="button" class="icon sooner" aria-label="Move ${name} earlier" aria-disabled=${at === 0} @click=${() => this.#move(at, at - 1)}>${icons.left}</button>
          <button type="button" class="icon remove" aria-label="Remove ${name}" @click=${() => this.#remove(at)}>${icons.cross}</button>
          <button type="button" class="icon later" aria-label="Move ${name} later" aria-disabled=${at === count - 1} @click=${() => this.#move(at, at + 1)}>${icons.right}</button>
        </div>
      </div>
    </li>`;
  }

  #join(clip, at) {
    return html`<div class="join">
      <span class="select"
        ><select aria-label="Transition to clip ${at + 1}" @change=${(event) => this.#change(at, { kind: event.target.value })}>
          ${this.#kinds.map((kind) => html`<option value=${kind} ?selected=${kind === clip.kind}>${plain(kind)}</option>`)}
        </select></span
      >
      ${clip.kind === CUT
        ? nothing
        : html`<span class="select"
            ><select aria-label="Seconds of the transition to clip ${at + 1}" @change=${(event) => this.#change(at, { seconds: Number(event.target.value) })}>
              ${SECONDS.map((seconds) => html`<option value=${seconds} ?selected=${seconds === clip.seconds}>${seconds} s</option>`)}
            </select></span
          >`}
    </div>`;
  }

  #made(film) {
    const { session } = this;
    if (film.state === "succeeded") {
      const { result } = film;
      const path = `/api/films/${film.id}/video`;
      return html`<div class="made">
        <div class="screen" ${shaped(result)}><ltx2-player .session=${session} .path=${path} name="Film"></ltx2-player></div>
        <div>
          <b>${clock(result.duration)}</b>
          <p class="note">${result.width}×${result.height} · ${result.fps} fps · ${size(result.bytes)}</p>
          ${result.notes?.length ? html`<p class="note">${result.notes.join(" ")}</p>` : nothing}
          <button type="button" @click=${() => session.download(path)}>${icons.download}Download film</button>
        </div>
        <p class="unseen" aria-live="polite">The film is ready.</p>
      </div>`;
    }
    if (film.state === "failed" || film.state === "cancelled") {
      return html`<p class="fault" role="status">${film.state === "failed" ? (film.error?.message ?? "The film failed.") : "The film was cancelled."}</p>`;
    }
    return html`<div class="going" role="group" aria-label="The film">
      <div>
        <b>${film.state === "queued" ? "The film waits for its turn" : `Rendering the film · ${film.percent ?? 0} %`}</b>
        <button type="button" @click=${() => session.cancelFilm(film.id)}>Cancel film</button>
      </div>
      <progress max="100" .value=${film.percent ?? nothing} aria-label="Progress of the film"></progress>
    </div>`;
  }
}

customElements.define("ltx2-film", Film);
