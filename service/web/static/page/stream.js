// What happens to a job, as it happens. A connection that breaks is made anew where it broke.

const AGAIN_MS = 2000;

export class JobStream {
  // on: {state, check, over, link}; link(isUp) tells when the connection is lost and when it is back.
  constructor(jobId, on) {
    this.jobId = jobId;
    this.on = on;
    this.lastId = "";
    this.#open();
  }

  close() {
    clearTimeout(this.timer);
    this.source.close();
  }

  #open() {
    const after = this.lastId ? `?after=${this.lastId}` : "";
    this.source = new EventSource(`/api/v1/jobs/${this.jobId}/events${after}`);
    this.source.onopen = () => this.on.link(true);
    this.source.onerror = () => this.#lost();
    for (const kind of ["state", "check"]) {
      this.source.addEventListener(kind, (event) => {
        this.lastId = event.lastEventId;
        this.on[kind](JSON.parse(event.data));
      });
    }
    this.source.addEventListener("end", () => {
      this.close();
      this.on.over();
    });
  }

  // The browser reconnects by itself with Last-Event-ID, unless what it met was an answer that is no stream.
  #lost() {
    this.on.link(false);
    if (this.source.readyState !== EventSource.CLOSED) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#open(), AGAIN_MS);
  }
}
