/**
 * The video as it emerges: the small picture that some endpoints send with their progress, under what is said of it.
 *
 * It fills its place, and so moves nothing when it comes; where none is sent there is nothing to see of it.
 */

import { LitElement, css, html, nothing } from "./vendor/lit.js";
import { base } from "./styles.js";

class Emerging extends LitElement {
  static properties = {
    session: { attribute: false },
    generation: { attribute: false },
    source: { state: true },
    tall: { state: true },
  };

  static styles = [
    base,
    css`
      :host {
        position: absolute;
        inset: 0;
        overflow: hidden;
      }
      img {
        width: 100%;
        height: 100%;
        object-fit: cover;
        display: block;
        animation: appear 900ms var(--ease);
        /* It has one pixel for 32 of the video, drawn large: softer it shows more. */
        filter: blur(0.9cqi);
        scale: 1.04;
      }
      img.tall {
        object-fit: contain;
      }
      /* What is written on it has to be read on any picture. */
      .shade {
        position: absolute;
        inset: 0;
        background: linear-gradient(90deg, rgb(8 9 11 / 76%), rgb(8 9 11 / 64%) 60%, rgb(8 9 11 / 30%));
      }
      @container (max-width: 719px) {
        .shade {
          background: rgb(8 9 11 / 72%);
        }
      }
      @keyframes appear {
        from {
          opacity: 0;
        }
      }
    `,
  ];

  #name = null;

  willUpdate(changed) {
    const before = changed.get("generation");
    const { id, progress } = this.generation;
    if (before && before.id !== id) this.source = this.#name = null;
    const name = progress?.picture ?? null;
    if (name === this.#name) return;
    this.#name = name;
    if (name) this.#look(id, name);
    else this.source = null; // another worker has begun anew
  }

  /** The address holds the picture's name: with the same ticket it would be the same one, and not be loaded again. */
  async #look(id, name) {
    const source = await this.session.api.open(`/api/generations/${id}/picture`, { name }).catch(() => null);
    if (source && name === this.#name) this.source = source;
  }

  #measure({ target }) {
    this.tall = target.naturalHeight > target.naturalWidth;
  }

  /** The ticket was too old, or the video is there already: the next picture comes with the next progress. */
  #broken() {
    this.source = null;
    this.session.api.dropTicket();
  }

  render() {
    if (!this.source) return nothing;
    return html`<img src=${this.source} class=${this.tall ? "tall" : ""} alt="The video so far" @load=${this.#measure} @error=${this.#broken} />
      <div class="shade"></div>`;
  }
}

customElements.define("ltx2-emerging", Emerging);
