// The state of the page is its address: ?view=, ?job=, ?sweep=, ?report=, ?model=, ?hide= and the fields of the form.

const listeners = [];

export const query = () => new URLSearchParams(location.search);

export function viewOf(params) {
  const named = ["job", "sweep", "report"].find((name) => params.has(name));
  if (named) return named;
  const view = params.get("view");
  if (view === "models" && params.has("model")) return "model-page";
  return ["train", "jobs", "sweeps", "models", "compare", "data", "reports"].includes(view) ? view : "draw";
}

export function onMove(listener) {
  listeners.push(listener);
}

// Go to another part of the page, like a link; resolves when it is shown.
export function go(address) {
  history.pushState(null, "", address);
  return showAgain();
}

// Names this part, once its contents are known.
export function setTitle(text) {
  document.title = `${text} · Inkling`;
}

// Change parameters of the address without a new entry in the history; null removes one.
export function setParameters(changes) {
  const params = query();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) params.delete(name);
    else params.set(name, value);
  }
  history.replaceState(null, "", `${location.pathname}${params.size ? `?${params}` : ""}`);
}

// What all links keep: the collection of a class, who would else add to another after a look around, and hidden parts.
const KEPT = ["collect", "hide"];

// An address within the page.
export function address(values) {
  const params = new URLSearchParams(values);
  const here = query();
  for (const name of KEPT) if (here.has(name) && !params.has(name)) params.set(name, here.get(name));
  return `/?${params}`;
}

// Whether ?hide= names a part, for lessons.
export const isHidden = (part) => (query().get("hide") ?? "").split(",").includes(part);

export const showAgain = () => Promise.all(listeners.map((listener) => listener(query())));

export function followLinks() {
  addEventListener("popstate", showAgain);
  document.addEventListener("click", (event) => {
    const link = /** @type {HTMLAnchorElement} */ (/** @type {Element} */ (event.target).closest?.("a[href]"));
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !isPlain || link.origin !== location.origin || link.pathname !== "/" || link.hash) return;
    event.preventDefault();
    go(address(new URL(link.href).searchParams));
    scrollTo(0, 0);
  });
  showAgain();
}
