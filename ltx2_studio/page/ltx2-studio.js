/**
 * `<ltx2-studio>`: the studio as one element, for any page.
 *
 *     <script type="module" src="…/studio/ltx2-studio.js"></script>
 *     <ltx2-studio api="https://video.example" token="…"></ltx2-studio>
 *
 * Attributes: `api` (what stands before /api; "" on the backend's own page), `token` (better set as a property),
 * `theme` ("light", "dark"; the system's otherwise). Properties of CSS: `--ltx2-accent` and the others in styles.js.
 * Events, which bubble: `ltx2:submitted`, `ltx2:done`, `ltx2:failed` (the generation), `ltx2:need-credits`
 * (`{credits, available, missing}`), `ltx2:unauthorized`.
 */

import { LitElement, css, html, nothing } from "./vendor/lit.js";
import { Following, Session } from "./session.js";
import { base, tokens } from "./styles.js";
import * as icons from "./icons.js";
import "./compose.js";
import "./film.js";
import "./gallery.js";
import "./stage.js";

class Ltx2Studio extends LitElement {
  static properties = {
    api: {},
    token: {},
    theme: { reflect: true },
    titles: { type: Boolean },
  };

  static styles = [
    base,
    tokens,
    css`
      :host {
        display: block;
        container-type: inline-size;
        background: var(--ground);
        min-height: 100%;
      }
      .all {
        max-width: 1500px;
        margin: 0 auto;
        padding: 0 24px 48px;
      }
      header {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 8px 16px;
        min-height: 64px;
      }
      h1 {
        margin: 0;
        font-size: 19px;
        font-weight: 650;
        letter-spacing: -0.02em;
        display: flex;
        align-items: center;
        gap: 10px;
      }
      h1::before {
        content: "";
        width: 10px;
        height: 18px;
        border-radius: 3px;
        background: var(--accent);
        transform: skewX(-12deg);
      }
      header select {
        width: auto;
        min-height: 34px;
        background-color: transparent;
      }
      .balance {
        margin-left: auto;
        text-align: right;
      }
      .balance b {
        font-weight: 600;
        font-size: 17px;
      }
      .columns {
        display: grid;
        grid-template-columns: minmax(340px, 400px) minmax(0, 1fr);
        gap: 24px;
        align-items: start;
      }
      ltx2-compose {
        position: sticky;
        top: 16px;
        max-height: calc(100dvh - 80px);
      }
      .column {
        display: grid;
        gap: 32px;
        min-width: 0;
      }
      .line {
        display: flex;
        align-items: center;
        gap: 12px;
        margin-bottom: 16px;
        padding: 10px 10px 10px 16px;
        border-radius: var(--small);
        background: var(--raised);
        border: 1px solid var(--line);
      }
      .line span {
        flex: 1;
      }
      .alone {
        min-height: 60vh;
        display: grid;
        place-content: center;
        justify-items: center;
        gap: 14px;
        text-align: center;
        padding: 24px;
      }
      .alone form {
        display: flex;
        gap: 8px;
        width: min(420px, 100%);
      }
      .wait {
        width: 180px;
      }
      @container (max-width: 899px) {
        .columns {
          grid-template-columns: minmax(300px, 340px) minmax(0, 1fr);
          gap: 16px;
        }
      }
      @container (max-width: 719px) {
        .all {
          padding: 0 16px 32px;
        }
        .columns {
          grid-template-columns: minmax(0, 1fr);
        }
        ltx2-compose {
          position: static;
          max-height: none;
        }
        .column {
          gap: 24px;
        }
      }
    `,
  ];

  constructor() {
    super();
    this.api = "";
    this.token = "";
    this.session = new Session(this);
    new Following(this);
  }

  willUpdate(changed) {
    if (this.token && (changed.has("token") || changed.has("api"))) this.session.open(this.api, this.token);
  }

  connectedCallback() {
    super.connectedCallback();
    if (this.hasUpdated && this.token) this.session.open(this.api, this.token);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.session.close();
  }

  updated() {
    if (!this.titles) return;
    const [running] = this.session.list("open", "");
    const percent = running?.progress?.percent;
    document.title = running ? `${percent === undefined ? "…" : `${percent} %`} · AI Video` : "AI Video";
  }

  /** On a narrow page the parts lie below each other: bring the one that is meant into sight. */
  #show(name) {
    const part = this.renderRoot.querySelector(name);
    const { top, bottom } = part.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight) part.scrollIntoView({ block: "start", behavior: "smooth" });
  }

  render() {
    return html`<div class="all">${this.#header()}${this.token ? this.#body() : this.#signIn("")}</div>`;
  }

  #header() {
    const { session } = this;
    const { account } = session;
    return html`<header>
      <h1>AI Video</h1>
      ${session.status === "ready" ? this.#models() : nothing}
      ${account && session.status === "ready"
        ? html`<div class="balance"><b>${account.available.toLocaleString()}</b> credits${account.held ? html` <span class="dim">(${account.held} held)</span>` : nothing}</div>`
        : nothing}
    </header>`;
  }

  /** Which model: one of the API's, or one of the generations that a job of it may name. */
  #models() {
    const { session } = this;
    const { draft, fields, model, models } = session;
    const field = fields.find((each) => each.name === "model");
    const [name, options, chosen] = field
      ? ["model", field.options, draft.values.model ?? field.default ?? field.options[0]]
      : [".model", models.map(({ id }) => id), model.id];
    if (options.length < 2) return html`<span class="dim">${model.id.toUpperCase()}</span>`;
    return html`<span class="select"
      ><select aria-label="Model" @change=${(event) => draft.set(name, event.target.value)}>
        ${options.map((option) => html`<option value=${option} ?selected=${option === chosen}>${option.toUpperCase()}</option>`)}
      </select></span
    >`;
  }

  #body() {
    const { session } = this;
    if (session.status === "unauthorized") return this.#signIn("This token is not known here.");
    if (session.status === "unreachable") {
      return html`<div class="alone" role="alert">
        <p>The studio cannot be reached.<br /><span class="dim">Videos that are under way go on.</span></p>
        <button type="button" @click=${() => session.open(this.api, this.token)}>Try again</button>
      </div>`;
    }
    if (session.status === "loading") return html`<div class="alone"><progress class="wait" aria-label="Loading"></progress></div>`;
    return html`${session.connected ? nothing : html`<p class="line" role="status"><span>The connection is lost. Your videos go on; this page catches up when it is back.</span></p>`}
      ${session.notice
        ? html`<p class="line" role="status">
            <span>${session.notice}</span>
            <button type="button" class="icon quiet" aria-label="Close the notice" @click=${() => session.say(null)}>${icons.cross}</button>
          </p>`
        : nothing}
      <div class="columns" @compose=${() => this.#show("ltx2-compose")} @look=${() => this.#show("ltx2-stage")}>
        <ltx2-compose role="region" aria-label="Compose" .session=${session}></ltx2-compose>
        <div class="column">
          <ltx2-stage role="region" aria-label="Stage" .session=${session}></ltx2-stage>
          <ltx2-film role="region" aria-label="Film" .session=${session}></ltx2-film>
          <ltx2-gallery role="region" aria-label="Your videos" .session=${session}></ltx2-gallery>
        </div>
      </div>`;
  }

  #signIn(why) {
    const take = (event) => {
      event.preventDefault();
      this.token = event.target.elements[0].value.trim();
      this.dispatchEvent(new CustomEvent("ltx2:token", { detail: this.token, bubbles: true, composed: true }));
    };
    return html`<div class="alone">
      <p>${why} <span class="dim">Sign in with your token.</span></p>
      <form @submit=${take}>
        <input type="password" autocomplete="off" aria-label="Token" required />
        <button class="primary">Sign in</button>
      </form>
    </div>`;
  }
}

customElements.define("ltx2-studio", Ltx2Studio);
