// The paper with its tools: pens, an eraser, and other ways to a picture.

import { html, useState } from "../html.js";
import { isHidden } from "../url.js";
import { hasInk, WIDTHS } from "./ink.js";
import { Boxes, boxesOf } from "./number.js";
import { Paper } from "./paper.js";
import { hasCamera, Webcam } from "./webcam.js";

// isBlank: whether to invite to draw. reading: of several digits, or null. isNarrow: whether the key may not read data sets.
export function PaperCard({ drawing, tool, setTool, live, change, clear, undo, canUndo, another, openAll, reading, isNarrow, isBlank: isInviting, children }) {
  const [isOver, setOver] = useState(false);
  const [isStarted, setStarted] = useState(false);
  const [isFilmed, setFilmed] = useState(false);
  const [problem, setProblem] = useState(null);
  const taken = (picture) => {
    setFilmed(false);
    openAll([picture]);
  };
  const closed = (refused) => {
    setFilmed(false);
    setProblem(refused);
  };
  const over = (event) => {
    event.preventDefault();
    setOver(true);
  };
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    openAll(event.dataTransfer.files);
  };
  const pen = (name) => html`<label class="pen" title=${`${name} pen`}>
    <input type="radio" name="pen" aria-label=${`${name} pen`} checked=${!tool.isEraser && tool.width === WIDTHS[name]} onChange=${() => setTool({ width: WIDTHS[name], isEraser: false })} />
    <span class=${`dot ${name}`} aria-hidden="true"></span>
  </label>`;
  const opened = (event) => {
    openAll(event.target.files);
    event.target.value = "";
  };
  return html`<div class=${`card pad-card ${isOver ? "over" : ""}`} onDragOver=${over} onDragLeave=${() => setOver(false)} onDrop=${drop}>
    <div class="paper" onPointerDown=${() => setStarted(true)} onPointerUp=${() => setStarted(false)}>
      <${Paper} drawing=${drawing} tool=${tool} live=${live} done=${(strokes) => change({ strokes })} />
      ${reading && !isStarted && html`<${Boxes} boxes=${boxesOf(reading, drawing)} />`}
      ${isInviting && !isStarted && html`<p id="invitation" aria-hidden="true">Draw here</p>`}
    </div>
    <div class="tools">
      <div class="row">
        <button type="button" id="clear" onClick=${clear}>Clear <kbd aria-hidden="true">C</kbd></button>
        <button type="button" id="undo" onClick=${undo} disabled=${!canUndo}>Undo <kbd aria-hidden="true">Z</kbd></button>
        <div class="pens" role="radiogroup" aria-label="Pen">
          ${Object.keys(WIDTHS).map(pen)}
          <label class="pen"><input type="radio" name="pen" checked=${tool.isEraser} onChange=${() => setTool({ width: 2 * WIDTHS.medium, isEraser: true })} disabled=${!hasInk(drawing.strokes)} />Eraser</label>
        </div>
      </div>
      <div class="row">
        <button type="button" id="sample" onClick=${another} hidden=${isHidden("sample") || isNarrow}>Test image <kbd aria-hidden="true">T</kbd></button>
        <label class="button camera">Photograph<input type="file" accept="image/*" capture="environment" onChange=${opened} /></label>
        ${hasCamera() && html`<button type="button" class="webcam" onClick=${() => setFilmed(true)}>Webcam</button>`}
        <label class="button">Open pictures<input type="file" id="picture" accept="image/png,image/jpeg,image/webp,.zip" multiple onChange=${opened} /></label>
      </div>
      ${problem && html`<p class="error" role="alert">${problem.message}</p>`}
      ${isFilmed && html`<${Webcam} taken=${taken} close=${closed} />`}
      <p class="hint">You can also paste a picture, or drop one here. Several pictures, or a zip of them, give a table.</p>
      ${children}
    </div>
  </div>`;
}
