// Why a digit, and not another: the contribution of each pixel, and their sum.

import { byId, element } from "./element.js";
import { clearPicture, drawShares, enlarge, outline, pixelAt } from "./pixels.js";

const SCALE = 10;
const number = (value) => (value < 0 ? "−" : "") + Math.abs(value).toFixed(3);
const signed = (value) => (value < 0 ? "− " : "+ ") + Math.abs(value).toFixed(3);

export class Evidence {
  // changed(): called when another digit is chosen.
  constructor(changed) {
    this.canvas = byId("evidence");
    this.digit = byId("for-digit");
    this.against = byId("against-digit");
    this.balance = byId("balance");
    this.shares = null;
    this.changed = changed;
    this.digit.addEventListener("change", changed);
    this.against.addEventListener("change", () => {
      // "Why 3 and not 5" remains about 3, whatever is drawn next.
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
    this.digit.replaceChildren(...options("the prediction"));
    this.against.replaceChildren(...options("— (nothing else)"));
  }

  choose(digit) {
    this.digit.value = digit;
    this.changed();
    this.canvas.scrollIntoView({ block: "nearest" });
  }

  // Another model may not have the chosen digits.
  reset() {
    this.digit.value = this.against.value = "";
  }

  query() {
    const chosen = {};
    if (this.digit.value !== "") chosen.digit = this.digit.value;
    if (chosen.digit && this.against.value && this.against.value !== chosen.digit) chosen.against = this.against.value;
    return chosen;
  }

  show(answer) {
    if (!this.shares) byId("pixel").textContent = "Point at a pixel to see its contribution.";
    this.shares = answer.evidence.flat();
    this.shown = String(answer.digit);
    drawShares(this.canvas, this.shares);
    enlarge(this.canvas, SCALE);
    outline(this.canvas, answer.pixels.flat());
    const total = (keep) => this.shares.filter(keep).reduce((sum, share) => sum + share, 0);
    const [sumFor, sumAgainst] = [total((share) => share > 0), total((share) => share < 0)];
    const [forBar, againstBar] = this.balance.children;
    const larger = Math.max(sumFor, -sumAgainst, 1e-9);
    forBar.style.width = `${(100 * sumFor) / larger}%`;
    againstBar.style.width = `${(-100 * sumAgainst) / larger}%`;
    const name = answer.against === null ? `Logit of ${this.nameOf(answer.digit)}` : `Logit of ${this.nameOf(answer.digit)} minus logit of ${this.nameOf(answer.against)}`;
    byId("sum").replaceChildren(
      line("Pixels for it", signed(sumFor)),
      line("Pixels against it", signed(sumAgainst)),
      line(answer.baseline === "blank" ? "Blank image" : "Bias", signed(answer.bias)),
      line("Sum", `= ${number(answer.sum)}`, "total"),
      line(name, number(answer.logit), "logit"),
    );
  }

  clear() {
    this.shares = null;
    clearPicture(this.canvas);
    for (const bar of this.balance.children) bar.style.width = "0";
    byId("sum").replaceChildren();
    byId("pixel").textContent = "Draw a digit, then point at a pixel to see its contribution.";
  }

  #point(event) {
    if (!this.shares) return;
    const { row, column, place } = pixelAt(this.canvas, event);
    const share = this.shares[place];
    const effect = share === 0 ? "no effect" : share > 0 ? "for it" : "against it";
    byId("pixel").textContent = `Row ${row}, column ${column}: ${signed(share)}, ${effect}.`;
  }
}

function line(name, value, kind = "") {
  return element("tr", { class: kind }, element("th", { scope: "row" }, name), element("td", {}, value));
}
