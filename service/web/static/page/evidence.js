// Why a digit, and not another: the share of each pixel, and the sum that they make.

import { byId, element } from "./element.js";
import { clearPicture, drawShares, enlarge, outline, pixelAt } from "./pixels.js";

const SCALE = 10;
const number = (value) => (value < 0 ? "−" : "") + Math.abs(value).toFixed(3);
const signed = (value) => (value < 0 ? "− " : "+ ") + Math.abs(value).toFixed(3);

export class Evidence {
  // changed(): called when another question is chosen.
  constructor(changed) {
    this.canvas = byId("evidence");
    this.digit = byId("for-digit");
    this.against = byId("against-digit");
    this.balance = byId("balance");
    this.shares = null;
    this.changed = changed;
    this.digit.addEventListener("change", changed);
    this.against.addEventListener("change", () => {
      // "Why 3 and not 5" stays a question about 3, whatever is drawn next.
      if (this.digit.value === "" && this.shown !== undefined) this.digit.value = this.shown;
      changed();
    });
    this.canvas.addEventListener("pointermove", (event) => this.#point(event));
    this.offer([]);
  }

  offer(classes, nameOf = String) {
    this.nameOf = nameOf;
    const names = classes.map(nameOf).join();
    if (this.names === names) return;
    this.names = names;
    const options = (first) => [element("option", { value: "" }, first), ...classes.map((label) => element("option", { value: label }, nameOf(label)))];
    this.digit.replaceChildren(...options("what it reads"));
    this.against.replaceChildren(...options("— (on its own)"));
  }

  choose(digit) {
    this.digit.value = digit;
    this.changed();
    this.canvas.scrollIntoView({ block: "nearest" });
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
    if (!this.shares) byId("pixel").textContent = "Point at a pixel to read its share.";
    this.shares = answer.evidence.flat();
    this.shown = String(answer.digit);
    drawShares(this.canvas, this.shares);
    enlarge(this.canvas, SCALE);
    outline(this.canvas, answer.pixels.flat());
    const total = (keep) => this.shares.filter(keep).reduce((sum, share) => sum + share, 0);
    const [speaksFor, speaksAgainst] = [total((share) => share > 0), total((share) => share < 0)];
    const [forBar, againstBar] = this.balance.children;
    const larger = Math.max(speaksFor, -speaksAgainst, 1e-9);
    forBar.style.width = `${(100 * speaksFor) / larger}%`;
    againstBar.style.width = `${(-100 * speaksAgainst) / larger}%`;
    const name = answer.against === null ? `Logit of ${this.nameOf(answer.digit)}` : `Logit of ${this.nameOf(answer.digit)} less that of ${this.nameOf(answer.against)}`;
    byId("sum").replaceChildren(
      line("Pixels that speak for it", signed(speaksFor)),
      line("Pixels that speak against it", signed(speaksAgainst)),
      line("Bias, before any pixel", signed(answer.bias)),
      line("Sum", `= ${number(answer.sum)}`, "total"),
      line(name, number(answer.logit), "logit"),
    );
  }

  clear() {
    this.shares = null;
    clearPicture(this.canvas);
    for (const bar of this.balance.children) bar.style.width = "0";
    byId("sum").replaceChildren();
    byId("pixel").textContent = "Draw first; then every pixel shows its share.";
  }

  #point(event) {
    if (!this.shares) return;
    const { row, column, place } = pixelAt(this.canvas, event);
    const share = this.shares[place];
    const verdict = share === 0 ? "has no say" : share > 0 ? "speaks for it" : "speaks against it";
    byId("pixel").textContent = `Row ${row}, column ${column}: ${signed(share)}, ${verdict}.`;
  }
}

function line(name, value, kind = "") {
  return element("tr", { class: kind }, element("th", { scope: "row" }, name), element("td", {}, value));
}
