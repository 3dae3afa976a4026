// The state of the page is its address: ?view=, ?job=, ?sweep=, ?report=, ?model=, ?hide= and the fields of the form.

const listeners = [];

export const query = () => new URLSearchParams(location.search);

export function viewOf(params) {
  if (params.has("job") || params.has("sweep")) return "watch";
  if (params.has("report")) return "report";
  const view = params.get("view");
  if (view === "models" && params.has("model")) return "model-page";
  return ["train", "jobs", "sweeps", "models", "compare", "data", "reports"].includes(view) ? view : "draw";
}

export function onMove(listener) {
  listeners.push(listener);
}

// Go to another place of the page, as a link would.
export function go(address) {
  history.pushState(null, "", address);
  showAgain();
}

// Name this place anew, once it is known what it shows.
export function entitle(id, text) {
  document.getElementById(id).textContent = text;
  document.title = `${text} · Inkling`;
}

// Change parameters of this place without a new entry in the history; null takes one away.
export function amend(changes) {
  const params = query();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) params.delete(name);
    else params.set(name, value);
  }
  history.replaceState(null, "", `?${params}`);
}

// An address within the page that keeps what a teacher has hidden.
export function address(values) {
  const params = new URLSearchParams(values);
  const hidden = query().get("hide");
  if (hidden) params.set("hide", hidden);
  return `/?${params}`;
}

// What ?hide= names, a teacher has taken off the page.
export function hideParts(root) {
  const hidden = (query().get("hide") ?? "").split(",");
  for (const part of root.querySelectorAll("[data-hides]")) part.hidden = hidden.includes(part.dataset.hides);
}

export function showAgain() {
  for (const listener of listeners) listener(query());
}

export function followLinks() {
  addEventListener("popstate", showAgain);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !isPlain || link.origin !== location.origin || link.pathname !== "/" || link.hash) return;
    event.preventDefault();
    go(address(new URL(link.href).searchParams));
    scrollTo(0, 0);
  });
  showAgain();
}
