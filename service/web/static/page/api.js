// The public API: JSON in and out, and problems as errors with a sentence.

const BASE = "/api/v1";

export class Problem extends Error {
  constructor(body, status) {
    const errors = (body.errors ?? []).map((error) => error.message);
    super(errors.length ? errors.join(" ") : body.detail ?? `The server answered ${status}.`);
    this.status = status;
    this.type = (body.type ?? "").replace("/problems/", "");
    this.fields = Object.fromEntries((body.errors ?? []).map((error) => [(error.pointer ?? "").slice(2), error.message]));
  }
}

export async function get(path) {
  return ask(path, {});
}

export async function post(path, body, signal) {
  const isFile = body instanceof Blob;
  const headers = { "Content-Type": isFile ? body.type || "application/octet-stream" : "application/json" };
  return ask(path, { method: "POST", headers, body: isFile ? body : JSON.stringify(body ?? {}), signal });
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(BASE + path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: "The server cannot be reached. Is it running? Try again in a moment." }, 0);
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(body, answer.status);
  return body;
}
