/** A generation's poster, asked for when it comes into sight: a fresh link each time, kept while it works. */

import { LitElement, css, html, nothing } from "./vendor/lit.js";
import { base } from "./styles.js";

class Picture extends LitElement {
  static properties = {
    session: { attribute: false },
    generation: { attribute: false },
    source: { state: true },
  };

  static styles = [
    base,
    css`
      :host {
        position: absolute;
        inset: 0;
      }
      img {
        width: 100%;
        height: 100%;
        object-fit: cover;
        display: block;
      }
    `,
  ];

  #seen = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && this.#look());
  #tries = 0;

  connectedCallback() {
    super.connectedCallback();
    this.#seen.observe(this);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#seen.disconnect();
  }

  willUpdate(changed) {
    const before = changed.get("generation");
    if (before && before.id !== this.generation.id) {
      this.source = null;
      this.#tries = 0;
    }
    if (before && !this.source) this.#look();
  }

  async #look() {
    const { generation } = this;
    if (this.source || !generation?.has_poster || this.#tries > 1) return;
    this.#tries++;
    this.source = await this.session.api.open(`/api/generations/${generation.id}/poster`).catch(() => null);
  }

  #broken() {
    this.source = null;
    this.session.api.dropTicket();
    this.#look();
  }

  render() {
    return this.source ? html`<img src=${this.source} alt="" @error=${this.#broken} />` : nothing;
  }
}

customElements.define("ltx2-picture", Picture);
