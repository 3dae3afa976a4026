// The drawing, with what it was before each change; kept in the address, and in this tab while other views are shown.

import { get, send } from "../api.js";
import { useEffect, useState } from "../html.js";
import { setParameters } from "../url.js";
import { hasInk, pictureOf, read, written } from "./ink.js";

// source: of a test image {dataset, part, index, label}.
const BLANK = { strokes: [], picture: null, bitmap: null, source: null };
let kept = [BLANK];

export const isBlank = ({ strokes, picture }) => !picture && !hasInk(strokes);

// The picture that is sent.
export const contentOf = async ({ strokes, picture }) => picture ?? pictureOf(strokes);

// {drawing, change(next), undo, open(file), take(dataset, part, index), sample(dataset)}; the functions reject with problems.
export function useDrawing(params, showProblem) {
  const [history, setHistory] = useState(kept);
  const drawing = history.at(-1);
  const store = (next) => {
    kept = next;
    setHistory(next);
    const { strokes, source } = next.at(-1);
    const image = source && `${source.dataset}/${source.part}/${source.index}`;
    setParameters({ image, ink: strokes.length ? written(strokes) : null });
  };
  const change = (next) => store([...kept, { ...BLANK, ...next }]);
  const open = async (picture, source = null) => change({ picture, bitmap: await createImageBitmap(picture), source });
  const take = async (dataset, part, index) => {
    const path = `/datasets/${encodeURIComponent(dataset)}/images/${encodeURIComponent(index)}.png`;
    const answer = await send(`${path}?${new URLSearchParams({ part })}`);
    await open(await answer.blob(), { dataset, part, index, label: Number(answer.headers.get("X-Label")) });
  };
  // A random test image; the address names it, so that others can open the same one.
  const sample = async (dataset) => {
    const { test } = await get(`/datasets/${encodeURIComponent(dataset)}`);
    await take(dataset, "test", Math.floor(Math.random() * test.n_images));
  };
  const [image, ink] = [params.get("image"), params.get("ink")];
  useEffect(() => {
    const { strokes, source } = kept.at(-1);
    if (image && image !== (source && `${source.dataset}/${source.part}/${source.index}`)) take(...image.split("/")).catch(showProblem);
    else if (ink && ink !== written(strokes)) change({ strokes: read(ink) });
    else if (!image && !ink) store(kept);
  }, [image, ink]);
  const undo = () => kept.length > 1 && store(kept.slice(0, -1));
  return { drawing, canUndo: history.length > 1, change, clear: () => isBlank(drawing) || change(BLANK), undo, open, take, sample };
}
