/**
 * Every change of the account's generations, as it happens: one stream for the whole page.
 *
 * It is closed while the page is hidden (browsers allow six connections to a server, and tabs add up), and comes back
 * with the number of the last change that was seen: what was missed comes then, once.
 */

const AGAIN_AFTER = 2_000;
const MOST = 30_000;

export class Live {
  #source = null;
  #timer = 0;
  #failures = 0;
  #wanted = false;

  /**
   * @param {import("./api.js").Api} api
   * @param {{since: () => number, change: (event: string, data: object) => void, connected: (is: boolean) => void}} to
   */
  constructor(api, to) {
    this.api = api;
    this.to = to;
  }

  start() {
    this.#wanted = true;
    document.addEventListener("visibilitychange", this.#look);
    window.addEventListener("online", this.#look);
    this.#look();
  }

  stop() {
    this.#wanted = false;
    document.removeEventListener("visibilitychange", this.#look);
    window.removeEventListener("online", this.#look);
    this.#close();
  }

  #look = () => {
    if (document.hidden) this.#close();
    else if (!this.#source) this.#open();
  };

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  async #open() {
    clearTimeout(this.#timer);
    let address;
    try {
      address = await this.api.open("/api/generations/events", { since: this.to.since() });
    } catch {
      return this.#later();
    }
    if (!this.#wanted || document.hidden || this.#source) return;
    const source = (this.#source = new EventSource(address));
    source.onopen = () => {
      this.#failures = 0;
      this.to.connected(true);
    };
    for (const kind of ["generation", "film"]) {
      source.addEventListener(kind, (event) => this.to.change(kind, JSON.parse(event.data)));
    }
    // The browser would try the same address again; its ticket may be too old for that by now.
    source.onerror = () => {
      if (source !== this.#source) return;
      this.#close();
      this.api.dropTicket();
      this.#later();
    };
  }

  #later() {
    if (!this.#wanted || document.hidden) return;
    if (this.#failures++) this.to.connected(false);
    this.#timer = setTimeout(() => this.#open(), Math.min(MOST, AGAIN_AFTER * 2 ** Math.min(4, this.#failures - 1)) * (0.8 + 0.4 * Math.random()));
  }
}
