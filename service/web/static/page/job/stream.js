// The events of a job as they happen. A lost or silent connection is opened again and continues after the last event.
// With fetch instead of EventSource, which cannot send a header, so the key would be in the address.

import { send } from "../api.js";

const RETRY_MS = 1000;
const SILENT_MS = 40_000; // the server sends at least a comment every 15 s

export class JobStream {
  // on: {state, check, end, link}; link(isUp, problem) is called when the connection is lost and when it is back.
  constructor(jobId, on) {
    this.jobId = jobId;
    this.on = on;
    this.lastId = "";
    this.#follow();
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.timer);
    clearTimeout(this.watchdog);
    this.aborter.abort();
  }

  async #follow() {
    this.aborter = new AbortController();
    try {
      const after = this.lastId ? `?after=${this.lastId}` : "";
      const answer = await send(`/jobs/${this.jobId}/events${after}`, { signal: this.aborter.signal, cache: "no-store" });
      this.on.link(true);
      if (await this.#read(answer.body.pipeThrough(new TextDecoderStream()).getReader())) return;
      this.#lost();
    } catch (problem) {
      this.#lost(problem);
    }
  }

  // Returns whether the job has ended.
  async #read(reader) {
    let text = "";
    for (;;) {
      this.#expectMore();
      const { value, done } = await reader.read();
      if (done || this.isClosed) return this.isClosed;
      const parts = (text + value).split("\n\n");
      text = parts.pop();
      for (const part of parts) if (this.#dispatch(part)) return true;
    }
  }

  #dispatch(part) {
    const lines = part.split("\n").map((line) => line.split(/: ?(.*)/s));
    const field = (name) => lines.find(([key]) => key === name)?.[1];
    const kind = field("event");
    this.lastId = field("id") ?? this.lastId;
    if (kind === "end") {
      this.close();
      this.on.end();
      return true;
    }
    if (!this.isClosed && kind in this.on) this.on[kind](JSON.parse(field("data")));
    return this.isClosed;
  }

  #expectMore() {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => this.aborter.abort(), SILENT_MS);
  }

  #lost(problem) {
    clearTimeout(this.watchdog);
    if (this.isClosed) return;
    this.on.link(false, problem);
    this.timer = setTimeout(() => this.#follow(), RETRY_MS);
  }
}
