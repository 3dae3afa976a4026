// The public API: every request of the page goes through `send`, which adds the key if there is one.

import { askForKey, storedKey } from "./key.js";

const BASE = "/api/v1";
const MAX_RETRIES = 5;
const SCOPE = "insufficient-scope";
const ANOTHER_KEY = "To use another key than that of this tab, open the page in a new tab.";
const UNREACHABLE = "The server cannot be reached. Is it running? Try again in a moment.";

export class Problem extends Error {
  constructor(body, status) {
    const errors = (body.errors ?? []).map(describe);
    const type = (body.type ?? "").replace("/problems/", "");
    const words = errors.length ? errors.join(" ") : body.detail ?? `The server answered ${status}.`;
    super(type === SCOPE ? `${words} ${ANOTHER_KEY}` : words);
    this.status = status;
    this.type = type;
    this.fields = Object.fromEntries((body.errors ?? []).map((error) => [(error.pointer ?? "").slice(2), describe(error)]));
  }

  // Whether the key is valid, but not for this.
  get isScope() {
    return this.type === SCOPE;
  }

  // Whether the same request may succeed a moment later.
  get isTransient() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const describe = ({ message, allowed }) => (!allowed || message.includes(allowed) ? message : `${message} Allowed: ${allowed}.`);

export const get = async (path) => (await send(path)).json();

// All of what is listed by name, page by page: models or data sets.
export async function all(noun) {
  const found = await get(`/${noun}`);
  for (let { next } = found; next; ) {
    const page = await get(`/${noun}?before=${encodeURIComponent(next)}`);
    found[noun].push(...page[noun]);
    ({ next } = page);
  }
  return found;
}

const change = async (method, path, body, headers = {}) => {
  const { body: content, headers: kind } = encoded(body);
  return (await send(path, { method, body: content, headers: { ...kind, ...headers } })).json();
};

export const post = (path, body) => change("POST", path, body);

export const put = (path, body, headers) => change("PUT", path, body, headers);

export const patch = (path, body) => change("PATCH", path, body);

let unanswered = { text: "", key: "" };

// A submission whose answer was lost may have been accepted: the same once more, with the same key, is answered with what it made.
export async function postOnce(path, body) {
  const text = `${path} ${JSON.stringify(body)}`;
  if (unanswered.text !== text) unanswered = { text, key: Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("") };
  const answer = await change("POST", path, body, { "Idempotency-Key": unanswered.key });
  unanswered = { text: "", key: "" };
  return answer;
}

// path: below /api/v1, or complete as in links of the API. Returns the response, or throws a Problem.
// A GET that exceeds the rate limit is repeated after Retry-After.
/** @param {string} path @param {RequestInit & {headers?: Record<string, string>}} options */
export async function send(path, { headers = {}, ...options } = {}, retries = MAX_RETRIES) {
  const key = storedKey();
  const authorization = key ? { Authorization: `Bearer ${key}` } : {};
  let answer;
  try {
    answer = await fetch(path.startsWith(BASE) ? path : BASE + path, { ...options, headers: { ...headers, ...authorization } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: UNREACHABLE }, 0);
  }
  if (answer.ok) return answer;
  if (answer.status === 401 && (await askForKey(key))) return send(path, { headers, ...options });
  if (answer.status === 429 && !options.method && retries) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(answer.headers.get("Retry-After") ?? 1)));
    return send(path, { headers, ...options }, retries - 1);
  }
  throw new Problem(await answer.json().catch(() => ({})), answer.status);
}

// Sends a form and reports progress, which `fetch` cannot.
export async function upload(path, form, onProgress, signal) {
  const key = storedKey();
  const request = new XMLHttpRequest();
  request.open("POST", BASE + path);
  if (key) request.setRequestHeader("Authorization", `Bearer ${key}`);
  await new Promise((resolve, reject) => {
    request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(total ? loaded / total : 0));
    request.addEventListener("load", resolve);
    request.addEventListener("error", () => reject(new Problem({ detail: UNREACHABLE }, 0)));
    request.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
  if (request.status === 401 && (await askForKey(key))) return upload(path, form, onProgress, signal);
  /** @type {any} */
  let answer = {};
  try {
    answer = JSON.parse(request.responseText);
  } catch {
    // some proxy's page
  }
  if (request.status >= 400) throw new Problem(answer, request.status);
  return answer;
}

function encoded(body) {
  if (body instanceof FormData) return { body, headers: {} };
  if (body instanceof Blob) return { body, headers: { "Content-Type": body.type || "application/octet-stream" } };
  return { body: JSON.stringify(body ?? {}), headers: { "Content-Type": "application/json" } };
}

// The default data set of the API.
export const DATASET = "mnist";

// The addresses of a version of a model, below /api/v1.
export const versionPath = (name, version) => `/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}`;
