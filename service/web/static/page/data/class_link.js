// The address under which the drawings of a class come together: to copy, or as a QR code for the projector.

import { html, useState } from "../html.js";
import { storedKey } from "../key.js";
import { Dialog } from "../parts/dialog.js";
import { Act } from "../parts/once.js";
import { address } from "../url.js";

const LOOPBACK = /^(localhost|127\..*|\[::1\])$/;

export function ClassLink({ name }) {
  const [isCopied, setCopied] = useState(false);
  const [typedKey, setKey] = useState("");
  const [Code, setCode] = useState(null); // while it is shown
  const isOwn = typedKey === storedKey();
  const key = isOwn ? "" : typedKey;
  const link = `${location.origin}${address({ collect: name })}${key && `#${new URLSearchParams({ key })}`}`;
  const copy = () => navigator.clipboard?.writeText(link).then(() => setCopied(true), () => {});
  const showCode = async () => {
    const { QrCode } = await import("../parts/qr_code.js");
    setCode(() => QrCode);
  };
  const typed = (event) => {
    setKey(event.target.value.trim());
    setCopied(false);
  };
  return html`<div class="class-link">
    <div class="row"><label for="class-link">Link for a class</label>
      <input id="class-link" type="text" readonly value=${link} onFocus=${(event) => event.target.select()} />
      ${navigator.clipboard && html`<button type="button" onClick=${copy}>${isCopied ? "Copied" : "Copy"}</button>`}
      <${Act} act=${showCode}>QR code<//>
      <span class="hint">All drawings that are labelled there are shown here.</span></div>
    ${storedKey() && html`<div class="row"><label for="class-key">Key for the class</label>
      <input id="class-key" type="text" autocomplete="off" spellcheck="false" value=${typedKey} onInput=${typed} />
      <span class="hint">This server requires keys. One that can only add to this collection is made by <code>inkling keys create class --scope collect:${name} --days 1</code></span></div>
    ${isOwn && html`<p class="error" role="alert">This is your own key, with which a class could do all that you can. It is not in the link.</p>`}`}
    ${LOOPBACK.test(location.hostname) && html`<p class="hint">Phones cannot open ${location.hostname}: open this page by the address of this computer in the network.</p>`}
    ${Code && html`<${Dialog} title=${`Draw for ${name}`} close=${() => setCode(null)}>
      <${Code} text=${link} label="QR code of the link for a class" />
      ${!key && html`<p class="link">${link}</p>`}
      <div class="row"><button class="main" value="no">Close</button></div><//>`}
  </div>`;
}
