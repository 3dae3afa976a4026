// Components: functions of Preact that return a template, html`<p>${text}</p>`. The one place that names the library.

import htm from "../preact/htm.js";
import { h } from "../preact/preact.js";

export { Fragment, render } from "../preact/preact.js";
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from "../preact/hooks.js";
import { useRef } from "../preact/hooks.js";

export const html = htm.bind(h);

// The value of the last render, for callbacks that are called later.
export function useNewest(value) {
  const newest = useRef(value);
  newest.current = value;
  return newest;
}
