// Ours: what the page uses of Preact and htm, for `make check`. Components are checked loosely, as templates are text.

type Cleanup = () => unknown;

export function h(type: unknown, props: unknown, ...children: unknown[]): unknown;
export function render(what: unknown, place: Element): void;
export function useEffect(act: () => void | Cleanup, inputs?: unknown[]): void;
export function useLayoutEffect(act: () => void | Cleanup, inputs?: unknown[]): void;
export function useMemo<T>(make: () => T, inputs: unknown[]): T;
export function useRef<T = any>(first: T): { current: T };
export function useState<T>(first: T | (() => T)): [T, (next: T | ((before: T) => T)) => void];

declare const htm: { bind(make: unknown): (text: TemplateStringsArray, ...values: any[]) => any };
export default htm;
