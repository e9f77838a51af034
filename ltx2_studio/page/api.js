/** The studio's API over HTTP: a bearer token, problems as errors, tickets for what the browser opens itself. */

/** An answer that is an error; `code` is for programs, `message` for the person. */
export class Problem extends Error {
  constructor(problem) {
    super(problem.detail ?? problem.title ?? "The server gave no reason.");
    Object.assign(this, { faults: [] }, problem);
  }
}

/** Nobody answered: the network is away, or the server is. */
export class Unreachable extends Error {
  constructor() {
    super("The server cannot be reached.");
  }
}

/** A ticket is asked for anew this long before it ends. */
const EARLY = 10_000;
const TIMEOUT = 30_000;

export class Api {
  #ticket = { value: null, until: 0 };

  /**
   * @param {string} base - what stands before /api; "" where the page comes from there
   * @param {string} token
   */
  constructor(base, token) {
    this.base = base.replace(/\/$/, "");
    this.token = token;
  }

  /** @returns {Promise<any>} the answer's JSON; null for one without a body */
  async send(method, path, body, { key, signal } = {}) {
    const headers = { Authorization: `Bearer ${this.token}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key) headers["Idempotency-Key"] = key;
    const limit = AbortSignal.timeout(TIMEOUT);
    let answer;
    try {
      answer = await fetch(this.base + path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Unreachable();
    }
    if (answer.ok) return answer.status === 204 ? null : answer.json();
    throw new Problem(await answer.json().catch(() => ({ status: answer.status, code: "unknown", title: answer.statusText })));
  }

  get = (path, options) => this.send("GET", path, undefined, options);
  post = (path, body, options) => this.send("POST", path, body, options);

  /** An address that the browser may open without a header, for about a minute. */
  async open(path, query = {}) {
    if (Date.now() > this.#ticket.until - EARLY) {
      const { ticket, expires_in } = await this.post("/api/generations/ticket");
      this.#ticket = { value: ticket, until: Date.now() + expires_in * 1000 };
    }
    return `${this.base}${path}?${new URLSearchParams({ ...query, ticket: this.#ticket.value })}`;
  }

  /** Forget the ticket: it was refused. */
  dropTicket() {
    this.#ticket = { value: null, until: 0 };
  }

  /**
   * Upload a file straight into the bucket.
   *
   * @param {File} file
   * @param {(part: number) => void} on - how much is there, 0 to 1
   * @returns {Promise<string>} what a job names it by
   */
  async upload(file, on, signal) {
    const place = await this.post("/api/uploads", {
      name: file.name,
      bytes: file.size,
      sha256: await digest(file),
    });
    await put(place, file, on, signal);
    return place.url;
  }
}

async function digest(file) {
  if (!crypto.subtle) throw new Problem({ code: "insecure", detail: "Files can be sent from an https address only." });
  const bytes = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** fetch tells nothing of how far an upload is; XMLHttpRequest does. */
function put(place, file, on, signal) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    const broken = () => failed(new Problem({ code: "upload_failed", detail: "The upload did not go through: try it again." }));
    request.open("PUT", place.put_url);
    for (const [name, value] of Object.entries(place.headers)) {
      if (name.toLowerCase() !== "content-length") request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => event.lengthComputable && on(event.loaded / event.total);
    request.onload = () => (request.status < 300 ? done() : broken());
    request.onerror = broken;
    request.onabort = broken;
    signal?.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
