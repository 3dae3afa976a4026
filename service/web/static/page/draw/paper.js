// The paper: one pointer at a time draws on it, with a pen or an eraser; it also shows a picture.

import { html, useEffect, useLayoutEffect, useNewest, useRef } from "../html.js";
import { extended, hasInk, paint, PAPER } from "./ink.js";

// drawing: {strokes, picture}. tool: {width, isEraser}. live(strokes): called while a stroke grows; done(strokes): at its end.
export function Paper({ drawing, tool, live, done }) {
  const canvas = useRef(null);
  const stroke = useRef(null);
  const pointer = useRef(null);
  const newest = useNewest(drawing);
  const isPicture = drawing.picture !== null;
  const strokes = () => (newest.current.picture ? [] : newest.current.strokes);

  const draw = () => {
    const here = canvas.current;
    if (!here) return; // it was resized by being taken away
    const side = Math.round(here.clientWidth * devicePixelRatio);
    if (here.width !== side && side) here.width = here.height = side;
    if (newest.current.picture && !stroke.current) showPicture(here, newest.current.bitmap);
    else paint(here, stroke.current ? [...strokes(), stroke.current] : strokes());
  };

  useLayoutEffect(draw, [drawing]);
  useEffect(() => {
    const observer = new ResizeObserver(draw);
    observer.observe(canvas.current);
    return () => observer.disconnect();
  }, []);

  const place = (event) => {
    const box = canvas.current.getBoundingClientRect();
    return [((event.clientX - box.left) * PAPER) / box.width, ((event.clientY - box.top) * PAPER) / box.height];
  };
  const begin = (event) => {
    if (event.button !== 0 || pointer.current !== null) return;
    if (tool.isEraser && !hasInk(strokes())) return;
    event.preventDefault();
    pointer.current = event.pointerId;
    canvas.current.setPointerCapture(event.pointerId);
    stroke.current = extended({ ...tool, points: [] }, place(event));
    grow();
  };
  const move = (event) => {
    if (event.pointerId !== pointer.current) return;
    const parts = event.getCoalescedEvents?.() ?? [];
    stroke.current = (parts.length ? parts : [event]).reduce((longer, part) => extended(longer, place(part)), stroke.current);
    grow();
  };
  const grow = () => {
    draw();
    live([...strokes(), stroke.current]);
  };
  const end = (event) => {
    if (event.pointerId !== pointer.current) return;
    const finished = [...strokes(), stroke.current];
    pointer.current = stroke.current = null;
    done(finished);
  };
  return html`<canvas
    id="pad"
    ref=${canvas}
    class=${isPicture ? "photo" : ""}
    tabindex="0"
    role="img"
    aria-label="Drawing area for a digit. You can also paste or drop a picture here."
    onPointerDown=${begin}
    onPointerMove=${move}
    onPointerUp=${end}
    onPointerCancel=${end}
  ></canvas>`;
}

function showPicture(canvas, bitmap) {
  const { width, height } = canvas;
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  const scale = Math.min(width / bitmap.width, height / bitmap.height);
  const [w, h] = [bitmap.width * scale, bitmap.height * scale];
  context.imageSmoothingEnabled = scale < 1;
  context.drawImage(bitmap, (width - w) / 2, (height - h) / 2, w, h);
}
