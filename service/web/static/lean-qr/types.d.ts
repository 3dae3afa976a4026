// Ours: what the page uses of lean-qr, for `make check`.

type Colour = [number, number, number];
interface Code {
  size: number;
  get(x: number, y: number): boolean;
  toCanvas(canvas: HTMLCanvasElement, options: { on: Colour; off: Colour; padX: number; padY: number }): void;
}
export function generate(text: string): Code;
