/** A finished video: the poster first, then it plays without sound until the person turns that on. */

import { LitElement, css, html, keyed, nothing, ref } from "./vendor/lit.js";
import { base } from "./styles.js";

/** A box takes the video's own shape. Set as a property: a strict policy allows no style in the markup. */
export const shaped = ({ width, height }) => ref((box) => box && (box.style.aspectRatio = `${width} / ${height}`));

class Player extends LitElement {
  static properties = {
    session: { attribute: false },
    /** Where the video is, and its poster if there is one: paths of the API. */
    path: {},
    poster: {},
    name: {},
    loops: { type: Boolean },
    source: { state: true },
    cover: { state: true },
    gone: { state: true },
  };

  static styles = [
    base,
    css`
      :host {
        position: absolute;
        inset: 0;
      }
      video {
        width: 100%;
        height: 100%;
        object-fit: contain;
        display: block;
        background: #000;
      }
      p {
        position: absolute;
        inset: 0;
        display: grid;
        place-content: center;
        justify-items: center;
        gap: 12px;
        padding: 24px;
        text-align: center;
      }
    `,
  ];

  #failures = 0;

  willUpdate(changed) {
    if (changed.has("path")) {
      this.source = this.cover = null;
      this.gone = false;
      this.#failures = 0;
      this.#look();
    }
  }

  async #look(at = 0) {
    const { path, poster, session } = this;
    try {
      const [source, cover] = [await session.api.open(path), poster ? await session.api.open(poster) : null];
      if (path !== this.path) return;
      [this.source, this.cover] = [source, cover];
    } catch {
      this.gone = true;
      return;
    }
    await this.updateComplete;
    const video = this.renderRoot.querySelector("video");
    if (!video) return;
    if (at) video.currentTime = at;
    // Muted from the start: no browser lets a page begin with sound.
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!still) video.play().catch(() => {});
  }

  /** The link was too old, as after a long pause: a fresh one, at the same place. */
  #broken(event) {
    if (this.#failures++ > 1) {
      this.gone = true;
      return;
    }
    this.session.api.dropTicket();
    this.#look(event.target.currentTime);
  }

  #again() {
    this.gone = false;
    this.#failures = 0;
    this.#look();
  }

  render() {
    if (this.gone) {
      return html`<p role="alert">The video cannot be opened now.<button type="button" @click=${this.#again}>Try again</button></p>`;
    }
    if (!this.source) return nothing;
    return keyed(
      this.source,
      html`<video
        src=${this.source}
        poster=${this.cover ?? nothing}
        aria-label=${this.name}
        controls
        playsinline
        muted
        .muted=${true}
        ?loop=${this.loops}
        preload="auto"
        @error=${this.#broken}
      ></video>`,
    );
  }
}

customElements.define("ltx2-player", Player);
