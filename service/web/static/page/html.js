// Components: functions of Preact that return a template, html`<p>${text}</p>`. The one place that names the library.

// @ts-types="../preact/types.d.ts"
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "../preact/hooks.js";
// @ts-types="../preact/types.d.ts"
import htm from "../preact/htm.js";
// @ts-types="../preact/types.d.ts"
import { h, render } from "../preact/preact.js";

export { render, useEffect, useLayoutEffect, useMemo, useRef, useState };

export const html = htm.bind(h);

// The value of the last render, for callbacks that are called later.
export function useNewest(value) {
  const newest = useRef(value);
  newest.current = value;
  return newest;
}
