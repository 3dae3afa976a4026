// Why a digit, and not another: the share of each pixel, and the sum that they make.

import { byId, element } from "./element.js";
import { clearPicture, drawShares } from "./pixels.js";

const number = (value) => (value < 0 ? "−" : "") + Math.abs(value).toFixed(3);
const signed = (value) => (value < 0 ? "− " : "+ ") + Math.abs(value).toFixed(3);

export class Evidence {
  // changed(): called when another question is chosen.
  constructor(changed) {
    this.canvas = byId("evidence");
    this.digit = byId("for-digit");
    this.against = byId("against-digit");
    this.rows = null;
    this.digit.addEventListener("change", changed);
    this.against.addEventListener("change", () => {
      // "Why 3 and not 5" stays a question about 3, whatever is drawn next.
      if (this.digit.value === "" && this.shown !== undefined) this.digit.value = this.shown;
      changed();
    });
    this.canvas.addEventListener("pointermove", (event) => this.#point(event));
    this.offer([]);
  }

  offer(classes) {
    if (this.classes?.join() === classes.join()) return;
    this.classes = classes;
    const options = (first) => [first, ...classes].map((label) => element("option", { value: label === first ? "" : label }, label));
    this.digit.replaceChildren(...options("what it reads"));
    this.against.replaceChildren(...options("— (on its own)"));
  }

  // Another model may not know the digits that were asked about.
  forget() {
    this.digit.value = this.against.value = "";
  }

  question() {
    const asked = {};
    if (this.digit.value !== "") asked.digit = this.digit.value;
    if (asked.digit && this.against.value && this.against.value !== asked.digit) asked.against = this.against.value;
    return asked;
  }

  show(answer) {
    if (!this.rows) byId("pixel").textContent = "Point at a pixel to read its share.";
    this.rows = answer.evidence;
    this.shown = String(answer.digit);
    drawShares(this.canvas, this.rows);
    const shares = this.rows.flat();
    const total = (keep) => shares.filter(keep).reduce((sum, share) => sum + share, 0);
    const name = answer.against === null ? `Logit of ${answer.digit}` : `Logit of ${answer.digit} less that of ${answer.against}`;
    byId("sum").replaceChildren(
      line("Pixels that speak for it", signed(total((share) => share > 0))),
      line("Pixels that speak against it", signed(total((share) => share < 0))),
      line("Bias, before any pixel", signed(answer.bias)),
      line("Sum", `= ${number(answer.sum)}`, "total"),
      line(name, number(answer.logit), "logit"),
    );
  }

  clear() {
    this.rows = null;
    clearPicture(this.canvas);
    byId("sum").replaceChildren();
    byId("pixel").textContent = "Draw first; then every pixel shows its share.";
  }

  #point(event) {
    if (!this.rows) return;
    const box = this.canvas.getBoundingClientRect();
    const at = (offset, size) => Math.min(27, Math.max(0, Math.floor((28 * offset) / size)));
    const [row, column] = [at(event.clientY - box.top, box.height), at(event.clientX - box.left, box.width)];
    const share = this.rows[row][column];
    const verdict = share === 0 ? "has no say" : share > 0 ? "speaks for it" : "speaks against it";
    byId("pixel").textContent = `Row ${row}, column ${column}: ${signed(share)}, ${verdict}.`;
  }
}

function line(name, value, kind = "") {
  return element("tr", { class: kind }, element("th", { scope: "row" }, name), element("td", {}, value));
}
