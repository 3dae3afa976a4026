// The search field and the chips that filter a list. All that is chosen is in the address: ?q=, ?state=, ?tag= and ?before=.

import { get } from "../api.js";
import { html, useEffect, useRef, useState } from "../html.js";
import { address, setParameters } from "../url.js";
import { useLoaded } from "./live.js";

const TYPING_MS = 250;
const MAX_CHARS = 100;
const SHOWN_TAGS = 12;

// What a list is asked for. {query: of the request, filter: the same without its page, isFiltered, isFirstPage, ...what Search and Older show}
export function useSearch(params, view, page = {}) {
  const [text, setText] = useState(params.get("q") ?? "");
  const [hasTyped, setTyped] = useState(false);
  const timer = useRef(null);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (value) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      setTyped(true);
      setText(value.trim());
      setParameters({ q: value.trim() || null, before: null });
    }, TYPING_MS);
  };
  const [state, tags] = [params.get("state"), params.getAll("tag")];
  const before = hasTyped ? null : params.get("before");
  const chosen = [...(text ? [["q", text]] : []), ...(state ? [["state", state]] : []), ...tags.map((tag) => ["tag", tag])];
  const query = new URLSearchParams([...Object.entries(page), ...chosen, ...(before ? [["before", before]] : [])]);
  // The address of the same list with another state, or with other tags.
  const changed = (changes) => address([["view", view], ...chosen.filter(([name]) => !(name in changes)), ...Object.values(changes).flat()]);
  return { view, text, type, state, tags, query: `${query}`, filter: `${new URLSearchParams(chosen)}`, changed, isFiltered: chosen.length > 0, isFirstPage: !before };
}

// kinds: whose tags are shown. states: those that can be chosen. children: what else is in the row.
export function Search({ search: { view, text, type, state, tags, changed }, kinds, states = [], children = null }) {
  const { data } = useLoaded(() => Promise.all(kinds.map((kind) => get(`/tags?kind=${kind}`))), []);
  const used = [...new Set((data ?? []).flatMap((found) => found.tags).map(({ tag }) => tag))];
  const shown = [...tags, ...used.filter((tag) => !tags.includes(tag)).slice(0, SHOWN_TAGS)];
  const pairs = (some) => some.map((tag) => ["tag", tag]);
  return html`<div class="filter" role="search">
    <input type="search" id="search" aria-label=${`Search the ${view}`} placeholder="Search titles, names, tags, notes" autocomplete="off" maxlength=${MAX_CHARS} defaultValue=${text} onInput=${(event) => type(event.target.value)} />
    ${states.length > 0 && html`<div class="row" role="group" aria-label="Filter by state">
      ${[null, ...states].map((each) => html`<a key=${each} class="chip" href=${changed({ state: each ? [["state", each]] : [] })} aria-current=${each === state ? "true" : null}>${each ?? "all"}</a>`)}
    </div>`}
    ${shown.length > 0 && html`<div class="row" role="group" aria-label="Filter by tag">
      ${shown.map((tag) => html`<a key=${tag} class="chip tag" href=${changed({ tag: pairs(tags.includes(tag) ? tags.filter((each) => each !== tag) : [...tags, tag]) })} aria-current=${tags.includes(tag) ? "true" : null}>${tag}</a>`)}
    </div>`}
    ${children}
  </div>`;
}

export const Nothing = ({ search }) => html`<div class="card empty"><p>Nothing matches.</p><a class="button main" href=${address({ view: search.view })}>Show all</a></div>`;

// The link to the next page.
export const Older = ({ search, next, children }) => next && html`<a class="button" href=${search.changed({ before: [["before", next]] })}>${children}</a>`;
