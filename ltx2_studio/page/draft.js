/** What the person has typed and chosen, kept in this browser: a reload or a second tab begins with it. */

const KEY = "ltx2-studio:draft";
const PENDING = "ltx2-studio:pending";

export class Draft extends EventTarget {
  constructor() {
    super();
    this.values = read(localStorage, KEY) ?? {};
    /** Names of files that were chosen here, and pictures of them, by what a job names them by. */
    this.files = new Map();
  }

  /** Choose a value; undefined goes back to the default. */
  set(name, value) {
    const { [name]: _, ...rest } = this.values;
    this.replace(value === undefined || value === null || value === "" ? rest : { ...rest, [name]: value });
  }

  replace(values) {
    this.values = values;
    write(localStorage, KEY, values);
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * Orders that were sent and not answered: a reload sends the same ones again, and the key makes them the same order.
 * They are of this tab alone; two tabs with one order would be two that wait for it.
 */
export const pending = {
  all: () => read(sessionStorage, PENDING) ?? [],
  add: (order) => write(sessionStorage, PENDING, [...pending.all(), order]),
  remove: (key) => write(sessionStorage, PENDING, pending.all().filter((order) => order.key !== key)),
};

/** A key that stands for one order. `crypto.randomUUID` is there on https alone. */
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** A seed that JavaScript's numbers hold exactly. */
export const newSeed = () => crypto.getRandomValues(new Uint32Array(1))[0];

export function read(storage, key) {
  try {
    return JSON.parse(storage.getItem(key));
  } catch {
    return null; // no storage is allowed here, or something else lies there
  }
}

export function write(storage, key, value) {
  try {
    storage.setItem(key, JSON.stringify(value));
  } catch {
    // a page without storage works all the same; it only forgets
  }
}
