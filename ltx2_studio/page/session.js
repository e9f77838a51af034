/**
 * What the page knows and does: the models, the account, the generations; orders, cancels, removals.
 *
 * The server owns everything. This is a view of it that starts from one list and follows the stream; a component
 * reads it, calls its methods, and draws itself again on "change".
 */

import { Api, Problem, Unreachable } from "./api.js";
import { Draft, newKey, pending, read, write } from "./draft.js";
import { Live } from "./live.js";
import { fieldsOf, inputOf } from "./schema.js";
import { EMPTY_FILM, added } from "./film-edit.js";

export const OPEN = ["held", "submitting", "queued", "running"];
export const FILTERS = {
  all: { title: "All", states: [] },
  open: { title: "Running", states: OPEN },
  done: { title: "Done", states: ["succeeded"] },
  ended: { title: "Failed", states: ["failed", "expired", "cancelled"] },
};

const SELECTED = "ltx2-studio:selected";
const FILM = "ltx2-studio:film";
const PAGE = 24;
/** Milliseconds between two tries to send an order that nobody answered, and between two looks while hidden. */
const SEND_AGAIN = 3_000;
const LOOK_HIDDEN = 20_000;

export class Session extends EventTarget {
  /** @param {HTMLElement} host - where events for the page around it are sent from */
  constructor(host) {
    super();
    this.host = host;
    this.draft = new Draft();
    this.draft.addEventListener("change", () => this.changed());
    /** loading, ready, unauthorized or unreachable */
    this.status = "loading";
    this.connected = true;
    this.models = [];
    this.account = null;
    this.items = new Map();
    this.films = new Map();
    this.cursors = new Map();
    this.selected = read(sessionStorage, SELECTED);
    this.sending = 0;
    /** Files that are on their way: an order waits for them, or it would be one without them. */
    this.uploading = 0;
    this.film = read(localStorage, FILM) ?? EMPTY_FILM;
    this.filmFields = null;
    this.prices = new Map();
    this.notice = null;
    this.#reset("", "");
  }

  #reset(base, token) {
    this.api = new Api(base, token);
    this.live?.stop();
    this.seq = 0;
    this.items.clear();
    this.films.clear();
    this.live = new Live(this.api, {
      since: () => this.seq,
      change: (kind, data) => {
        this.seq = Math.max(this.seq, data.seq);
        if (kind === "film") this.#film(data);
        else this.#heard(data);
      },
      connected: (is) => this.#connected(is),
    });
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  tell(name, detail) {
    this.host.dispatchEvent(new CustomEvent(`ltx2:${name}`, { detail, bubbles: true, composed: true }));
  }

  /** Begin with a server and a token; what was shown of another account is forgotten. */
  async open(base, token) {
    this.#reset(base, token);
    this.status = "loading";
    this.changed();
    try {
      [this.models, this.account] = await Promise.all([
        this.api.get("/api/generations/models"),
        this.api.get("/api/account"),
        this.more("all", ""),
        this.#findFilms(),
      ]);
    } catch (error) {
      this.status = error.status === 401 ? "unauthorized" : "unreachable";
      if (this.status === "unauthorized") this.tell("unauthorized", {});
      return this.changed();
    }
    this.status = "ready";
    this.live.start();
    this.changed();
    for (const order of pending.all()) this.#send(order);
    clearInterval(this.looking);
    this.looking = setInterval(() => document.hidden && this.openCount && this.more("all", "", true), LOOK_HIDDEN);
  }

  close() {
    this.live.stop();
    clearInterval(this.looking);
  }

  get model() {
    return this.models.find((model) => model.id === this.draft.values[".model"]) ?? this.models[0];
  }

  get fields() {
    const { model } = this;
    if (this.fieldsFor !== model) {
      this.fieldsFor = model;
      this.fieldsRead = fieldsOf(model.input_schema);
    }
    return this.fieldsRead;
  }

  /** The job that the form describes now. */
  get input() {
    return inputOf(this.fields, this.draft.values);
  }

  get shown() {
    return this.items.get(this.selected) ?? null;
  }

  get openCount() {
    return this.list("open", "").length;
  }

  /** What is known in a filter and has these words in its prompt; the newest order first. */
  list(filter, words) {
    const { states } = FILTERS[filter];
    const wanted = words.trim().toLowerCase();
    return [...this.items.values()]
      .filter((item) => (!states.length || states.includes(item.state)) && (!wanted || String(item.input.prompt).toLowerCase().includes(wanted)))
      .sort((a, b) => (a.id < b.id ? 1 : -1));
  }

  hasMore = (filter, words) => this.cursors.get(`${filter} ${words}`) !== null;

  /** Bring a further page of a list; with `afresh` its first one. */
  async more(filter, words, afresh = false) {
    const list = `${filter} ${words}`;
    const query = new URLSearchParams({ limit: PAGE });
    for (const state of FILTERS[filter].states) query.append("state", state);
    if (words.trim()) query.set("q", words.trim());
    const cursor = afresh ? null : this.cursors.get(list);
    if (cursor) query.set("cursor", cursor);
    const page = await this.api.get(`/api/generations?${query}`);
    if (!afresh) this.cursors.set(list, page.next);
    for (const item of page.items) this.#put(item);
    if (list === "all " && !cursor && !afresh) this.seq = Math.max(this.seq, page.items[0]?.seq ?? 0);
    if (!this.items.has(this.selected) && list === "all ") this.selected = this.list("all", "")[0]?.id ?? null;
    this.changed();
  }

  select(id) {
    this.selected = id;
    write(sessionStorage, SELECTED, id);
    this.changed();
  }

  /** What a job costs; undefined until the answer is there, which draws everything again. */
  priceOf(input) {
    const job = JSON.stringify([this.model.id, input]);
    if (!this.prices.has(job)) {
      this.prices.set(job, undefined);
      this.api.post("/api/generations/quote", { model: this.model.id, input }).then(
        (quote) => {
          this.prices.set(job, quote.credits ?? undefined);
          this.changed();
        },
        () => this.prices.delete(job),
      );
    }
    return this.prices.get(job);
  }

  /** Order a video; the key is written down first, so that it is one order however often it is sent. */
  async order(input) {
    const order = { key: newKey(), body: { model: this.model.id, input } };
    pending.add(order);
    await this.#send(order);
  }

  async #send(order) {
    this.sending++;
    this.changed();
    try {
      const made = await this.#untilAnswered(() => this.api.post("/api/generations", order.body, { key: order.key }));
      pending.remove(order.key);
      this.#put(made);
      this.select(made.id);
      this.tell("submitted", made);
      this.refreshAccount();
    } catch (error) {
      pending.remove(order.key);
      if (error.code === "too_few_credits") this.#tooDear(error);
      else this.say(error.message);
    } finally {
      this.sending--;
      this.changed();
    }
  }

  async #untilAnswered(send) {
    for (;;) {
      try {
        return await send();
      } catch (error) {
        if (!(error instanceof Unreachable) && !(error.status >= 500)) throw error;
        this.#connected(false);
        await new Promise((done) => setTimeout(done, SEND_AGAIN));
      }
    }
  }

  #tooDear({ credits, available, missing, message }) {
    this.say(message);
    this.tell("need-credits", { credits, available, missing });
    this.refreshAccount();
  }

  cancel = (id) => this.#act(async () => this.#put(await this.api.post(`/api/generations/${id}/cancel`)));

  retry = (id) =>
    this.#act(async () => {
      const made = await this.api.post(`/api/generations/${id}/retry`, undefined, { key: newKey() });
      this.#put(made);
      this.select(made.id);
      this.tell("submitted", made);
    });

  remove = (id) =>
    this.#act(async () => {
      await this.api.send("DELETE", `/api/generations/${id}`);
      this.items.delete(id);
      if (this.selected === id) this.select(this.list("all", "")[0]?.id ?? null);
    });

  /** @returns {Promise<string|null>} what the next job names a video's last frame by */
  lastFrame = (id) => this.#act(async () => (await this.api.post(`/api/generations/${id}/last-frame`)).url);

  /** @param {string} path - of a video, in the API */
  async download(path) {
    await this.#act(async () => {
      const link = document.createElement("a");
      link.href = await this.api.open(path, { download: 1 });
      link.download = "";
      link.click();
    });
  }

  /** Fill the form with what a generation was made from. */
  reuse(generation, changes = {}) {
    const { preview: _, mode: __, ...input } = generation.input;
    this.draft.replace({ ...input, ".model": generation.model, ...changes });
  }

  async refreshAccount() {
    this.account = await this.api.get("/api/account").catch(() => this.account);
    this.changed();
  }

  /** One sentence for the person, until it is closed or another one comes. */
  say(text) {
    this.notice = text;
    this.changed();
  }

  async #act(work) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Problem) && !(error instanceof Unreachable)) throw error;
      this.say(error.message);
      return null;
    } finally {
      this.refreshAccount();
    }
  }

  #put(item) {
    const known = this.items.get(item.id);
    if (known && known.seq >= item.seq) return known;
    const before = known?.progress?.percent ?? 0;
    // A worker that took the job over begins anew; the bar of the person who waits does not go back.
    if (item.progress && known?.started_at) item.progress.percent = Math.max(before, item.progress.percent);
    this.items.set(item.id, item);
    return known;
  }

  #heard(item) {
    const known = this.#put(item);
    // Ordered in another tab, while nothing was looked at here.
    if (!this.items.has(this.selected)) this.selected = item.id;
    if (known && OPEN.includes(known.state) && !OPEN.includes(item.state)) {
      if (item.state === "succeeded") this.tell("done", item);
      else this.tell("failed", item);
      this.refreshAccount();
    }
    this.changed();
  }

  /** Films are made where the contract has them; what can be chosen for one is read from it too. */
  async #findFilms() {
    const api = await this.api.get("/openapi.json").catch(() => null);
    const schema = api?.components?.schemas?.NewFilm;
    this.filmFields = schema ? fieldsOf(schema, api) : null;
    if (!schema) return;
    const page = await this.api.get("/api/films?limit=12").catch(() => ({ items: [] }));
    for (const film of page.items) this.films.set(film.id, film);
  }

  editFilm(changes) {
    this.film = { ...this.film, ...changes };
    write(localStorage, FILM, this.film);
    this.changed();
  }

  addToFilm = (id) => this.editFilm({ clips: added(this.film.clips, id) });

  /** @throws {Problem|Unreachable} what is wrong with it stands beside the film */
  async makeFilm(edit) {
    this.#film(await this.api.post("/api/films", edit, { key: newKey() }));
  }

  cancelFilm = (id) => this.#act(async () => this.#film(await this.api.post(`/api/films/${id}/cancel`)));

  #film(film) {
    const known = this.films.get(film.id);
    if (!known || film.seq > known.seq) this.films.set(film.id, film);
    this.changed();
  }

  #connected(is) {
    if (this.connected === is) return;
    this.connected = is;
    if (is) this.refreshAccount();
    this.changed();
  }
}

/** Draws a component again whenever the session changes. */
export class Following {
  #again = () => this.host.requestUpdate();

  constructor(host) {
    this.host = host;
    host.addController(this);
  }

  hostUpdate() {
    const { session } = this.host;
    if (session === this.session) return;
    this.session?.removeEventListener("change", this.#again);
    this.session = session;
    session?.addEventListener("change", this.#again);
  }

  hostDisconnected() {
    this.session?.removeEventListener("change", this.#again);
    this.session = null;
  }
}
