// What people write about a run, a version or a data set: a title that is changed in place, tags and notes.

import { get, patch } from "../api.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../html.js";
import { address, isHidden, setTitle } from "../url.js";

const MAX_TITLE_CHARS = 200;
const MAX_TAG_CHARS = 40;
const MAX_NOTES_CHARS = 5000;

// save(changes): resolves to whether they were accepted. changed(): called when they are.
function useChange(path, changed) {
  const [problem, setProblem] = useState(null);
  const save = (changes) =>
    patch(path, changes).then(
      async () => {
        setProblem(null);
        await changed();
        return true;
      },
      (refused) => {
        setProblem(refused);
        return false;
      },
    );
  const shown = problem && html`<span class="error" role="alert">${problem.message}</span>`;
  return { save, shown };
}

// path: null until it is known. children: the title as it is shown. what: it is the title of. Enter or leaving the field saves, Escape does not.
export function Title({ path, title, what, changed, children }) {
  const { save, shown } = useChange(path, changed);
  const [typed, setTyped] = useState(null); // null while it is only shown
  const [field, button] = [useRef(null), useRef(null)];
  const isDecided = useRef(false); // a field that is removed loses the focus, too
  const isEdited = typed !== null;
  useLayoutEffect(() => {
    if (isEdited) field.current.select();
  }, [isEdited]);
  const open = () => {
    isDecided.current = false;
    setTyped(title);
  };
  const close = () => {
    isDecided.current = true;
    const hadFocus = document.activeElement === field.current;
    setTyped(null);
    if (hadFocus) requestAnimationFrame(() => button.current?.focus());
  };
  const submit = async (event) => {
    event.preventDefault();
    if (isDecided.current) return;
    isDecided.current = true;
    if (typed.trim() === title || (await save({ title: typed.trim() }))) close();
    else isDecided.current = false;
  };
  return html`<form class="title" onSubmit=${submit}>
    <span class=${isEdited ? "visually-hidden" : ""}>${children}</span>
    ${isEdited
      ? html`<input type="text" ref=${field} aria-label=${`Title of ${what}`} maxlength=${MAX_TITLE_CHARS} autocomplete="off" value=${typed} onInput=${(event) => setTyped(event.target.value)} onBlur=${submit} onKeyDown=${(event) => event.key === "Escape" && close()} />`
      : path && !isHidden("about") && html`<button type="button" class="pencil" ref=${button} aria-label=${`Rename ${what}`} title="Rename" onClick=${open}>✎</button>`}
    ${shown}
  </form>`;
}

// The title of a page, also of its tab, with what it is called otherwise below it.
export function Heading({ id, path, title, otherwise, changed }) {
  const heading = title || otherwise;
  useEffect(() => setTitle(heading), [heading]);
  return html`
    <${Title} path=${path} title=${title} what=${otherwise} changed=${changed}><h1 id=${id}>${heading}</h1><//>
    ${title && title !== otherwise && html`<p class="lead">${otherwise}</p>`}
  `;
}

// The tags of a row of a list, each a link to those that have it too.
export const Tags = ({ tags, view }) => tags.map((tag) => html`<a key=${tag} class="chip tag" href=${address({ view, tag })}>${tag}</a> `);

// A title and tags as a cell of a list.
export const titleCell = ({ title, tags }, { path, href, view, what, changed }) => html`<div class="about-cell">
  <${Title} path=${path} title=${title} what=${what} changed=${changed}>${title && html`<a href=${href}>${title}</a>`}<//>
  <${Tags} tags=${tags} view=${view} />
</div>`;

// kind: whose tags are proposed. view: the list that a tag leads to.
export function Annotation({ path, kind, view, tags, notes, changed }) {
  const { save, shown } = useChange(path, changed);
  return html`<div class="card about" hidden=${isHidden("about")}>
    <${TagList} kind=${kind} view=${view} tags=${tags} save=${save} />
    <${Notes} notes=${notes} save=${save} />
    ${shown}
  </div>`;
}

function TagList({ kind, view, tags, save }) {
  const [typed, setTyped] = useState("");
  const [known, setKnown] = useState([]);
  const field = useRef(null);
  const propose = () => get(`/tags?kind=${kind}`).then((found) => setKnown(found.tags), () => {}); // it can be typed anyway
  const add = async (event) => {
    event.preventDefault();
    const added = typed.split(",").map((tag) => tag.trim()).filter(Boolean);
    if (!added.length || (await save({ tags: [...new Set([...tags, ...added])] }))) setTyped("");
  };
  const remove = async (tag) => {
    if (await save({ tags: tags.filter((each) => each !== tag) })) field.current?.focus(); // the button is gone
  };
  return html`<form class="row" onSubmit=${add}>
    <h2>Tags</h2>
    ${tags.map((tag) => html`<span key=${tag} class="chip tag"><a href=${address({ view, tag })}>${tag}</a><button type="button" class="remove" aria-label=${`Remove the tag ${tag}`} onClick=${() => remove(tag)}>×</button></span>`)}
    <input type="text" ref=${field} aria-label="New tag" placeholder="Add a tag" list="known-tags" maxlength=${4 * MAX_TAG_CHARS} autocomplete="off" value=${typed} onFocus=${propose} onInput=${(event) => setTyped(event.target.value)} />
    <datalist id="known-tags">${known.filter(({ tag }) => !tags.includes(tag)).map(({ tag }) => html`<option key=${tag} value=${tag} />`)}</datalist>
    ${typed.trim() && html`<button type="submit">Add</button>`}
  </form>`;
}

function Notes({ notes, save }) {
  const [typed, setTyped] = useState(null); // null while they are only shown
  const field = useRef(null);
  useLayoutEffect(() => field.current?.focus(), [typed === null]);
  const submit = async (event) => {
    event.preventDefault();
    if (typed === notes || (await save({ notes: typed }))) setTyped(null);
  };
  if (typed === null) {
    return html`<div>
      <div class="row"><h2>Notes</h2><button type="button" class=${notes ? "pencil" : ""} aria-label=${notes ? "Edit the notes" : null} title=${notes ? "Edit" : null} onClick=${() => setTyped(notes)}>${notes ? "✎" : "Add notes"}</button></div>
      ${notes && html`<p class="notes">${notes}</p>`}
    </div>`;
  }
  return html`<form onSubmit=${submit}>
    <h2><label for="notes">Notes</label></h2>
    <textarea id="notes" ref=${field} rows="5" maxlength=${MAX_NOTES_CHARS} value=${typed} onInput=${(event) => setTyped(event.target.value)} onKeyDown=${(event) => event.key === "Escape" && setTyped(null)}></textarea>
    <div class="row"><button type="submit" class="main">Save the notes</button><button type="button" onClick=${() => setTyped(null)}>Cancel</button></div>
  </form>`;
}
