// Numbers and times as people read them.

export const number = (value) => value.toLocaleString("en");

export const percent = (fraction) => `${(100 * fraction).toFixed(fraction > 0.9995 || fraction < 0.0005 ? 0 : 1)}\u00a0%`;

// With its sign, and a true minus.
export const signed = (value, digits) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);

export const count = (n, noun) => `${number(n)} ${noun}${n === 1 ? "" : "s"}`;

// The probability of a test below which its result is taken for more than chance.
export const SIGNIFICANT = 0.05;

// One below SIGNIFICANT is not rounded to it.
export function printedP(p) {
  if (p < 0.0001) return "p < 0.0001";
  const digits = p.toPrecision(2);
  return p < SIGNIFICANT && Number(digits) >= SIGNIFICANT ? `p < ${SIGNIFICANT}` : `p = ${digits}`;
}

export function duration(seconds) {
  if (seconds < 1) return "a second";
  if (seconds < 90) return count(Math.round(seconds), "second");
  if (seconds < 5400) return count(Math.round(seconds / 60), "minute");
  return count(Math.round(seconds / 3600), "hour");
}

// A time in words.
export const moment = (text, timeStyle = "short") => new Date(text).toLocaleString("en-GB", /** @type {any} */ ({ dateStyle: "medium", timeStyle }));

export const shortened = (text, chars) => (text.length > chars ? `${text.slice(0, chars - 1)}…` : text);
