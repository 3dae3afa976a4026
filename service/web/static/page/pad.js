// An area to draw on, with mouse, pen or finger; also shows a picture that was opened, pasted or dropped.

const PEN = 20;

export class Pad {
  // changed(): called after every stroke and after clearing.
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.picture = null;
    this.last = null;
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (this.last = null));
    this.clear();
  }

  clear() {
    this.#wipe();
    this.changed();
  }

  #wipe() {
    const { width, height } = this.canvas;
    this.context.fillStyle = "#fff";
    this.context.fillRect(0, 0, width, height);
    this.picture = null;
    this.isEmpty = true;
    this.canvas.classList.remove("photo");
  }

  // The input: the picture as it was opened, or the drawing.
  async content() {
    if (this.picture) return this.picture;
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/png"));
  }

  // shown(): called when it is drawn, before `changed`.
  async show(file, shown = () => {}) {
    const bitmap = await createImageBitmap(file);
    this.#wipe();
    const { width, height } = this.canvas;
    const scale = Math.min(width / bitmap.width, height / bitmap.height);
    const [w, h] = [bitmap.width * scale, bitmap.height * scale];
    this.context.imageSmoothingEnabled = scale < 1;
    this.context.drawImage(bitmap, (width - w) / 2, (height - h) / 2, w, h);
    bitmap.close();
    this.canvas.classList.add("photo");
    this.picture = file;
    this.isEmpty = false;
    shown();
    this.changed();
  }

  #begin(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    if (this.picture) this.#wipe();
    this.canvas.setPointerCapture(event.pointerId);
    this.last = this.#place(event);
    this.#line(this.last, this.last);
  }

  #move(event) {
    if (!this.last) return;
    for (const part of event.getCoalescedEvents?.() ?? [event]) {
      const here = this.#place(part);
      this.#line(this.last, here);
      this.last = here;
    }
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / box.width;
    return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
  }

  #line(from, to) {
    this.context.lineWidth = PEN;
    this.context.lineCap = this.context.lineJoin = "round";
    this.context.strokeStyle = "#111";
    this.context.beginPath();
    this.context.moveTo(from.x, from.y);
    this.context.lineTo(to.x, to.y);
    this.context.stroke();
    this.isEmpty = false;
    this.changed();
  }
}
