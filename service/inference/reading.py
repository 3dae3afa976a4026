"""Every digit of a picture in reading order, line by line, with decimal points, minus signs and what is neither."""

from collections.abc import Mapping, Sequence
from itertools import count
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core import IMAGE_SIDE_PX, Floats
from service.errors import InputTooLarge
from service.registry import Model, load_whole_digits

from .ink import REACH_FRACTION, crop_to_ink, full_ink, locate_strokes
from .mnist_form import Bytes
from .model_inputs import ModelInputs
from .parts import typical_height_px
from .picture import Picture
from .prediction import block_probabilities, predict
from .preprocessing import BLANK, to_grey, to_image, warnings_of
from .segmentation import COSTS, COSTS_OF_DIGITS, Labels, Segment, Way, candidates, cheapest_ways, find_text
from .verdicts import answer

MAX_PARTS = 300
MAX_CANDIDATES = 2_000
_MARGIN_PX = 2
_MAX_NLL, _MAX_LOG_ODDS = 3.0, 6.0
_MAX_EXTRA_COST = 4.0
"""In nats: how much more than the cheapest reading one with as many digits as expected may cost."""
_CUT = "It touches its neighbour, and was cut off from it."
_SIGNS: Mapping[str | None, str] = {"point": ".", "minus": "-"}


def read(model: Model, picture: Picture, *, expect: int | None = None) -> dict[str, Any]:
    """Read all digits of a picture.

    Where one digit ends is decided together with which it is: every candidate is classified, all in one batch, and the
    chosen digits have the lowest sum of costs: -ln of the model's probability, and what is unlikely in their shapes. Of
    ways to divide the ink that are nearly as likely, one with as many digits as ``expect`` is chosen; if there is none,
    the best is returned, with a warning.

    Returns, in the shape of the HTTP API, ``model``, ``version``; ``lines`` with ``text``, ``digits`` and ``marks``,
    from top to bottom; ``preprocessing`` and ``warnings`` of the whole picture. Boxes are x, y, width and height in
    pixels of the picture as it is seen. Raises `InputTooLarge` if there is more writing than is read at once.
    """
    grey, steps = to_grey(picture.pixels)
    darkness, removed = writing_in(grey)
    text = find_text(darkness, MAX_PARTS)
    numbers = count()
    of_lines = [{next(numbers): segment for segment in candidates(line)} for line in text.lines]
    segments = [segment for of_line in of_lines for segment in of_line.values()]
    if len(segments) > MAX_CANDIDATES:
        raise InputTooLarge("There is too much writing in the picture.", allowed=f"at most about {MAX_PARTS} digits")
    images = np.zeros((len(segments), IMAGE_SIDE_PX, IMAGE_SIDE_PX), np.uint8)
    warnings: dict[int, tuple[str, ...]] = {}
    for number, segment in enumerate(segments):
        if segment.mark is None:  # else nothing is predicted
            images[number], of_strokes = image_of(darkness, text.labels, segment)
            warnings[number] = (*warnings_of(segment.box.side_px), *[_CUT] * segment.is_cut, *of_strokes)
    labels, table = predict(model, images) if segments else (np.empty(0, np.int64), np.empty((0, len(model.classes))))
    if model.manifest.digit_below:  # its classes are digits
        weights, of_models = COSTS_OF_DIGITS, np.column_stack([nll_of(table), not_whole_of(images)])
    else:
        weights, of_models = COSTS, nll_of(table)[:, np.newaxis]
    costs = [
        sum(map(mul, weights, (*segment.features, *of_model))) if segment.mark is None else segment.cost
        for segment, of_model in zip(segments, of_models.tolist(), strict=True)
    ]
    ways = [cheapest_ways(len(line.pieces), found, costs) for line, found in zip(text.lines, of_lines, strict=True)]
    chosen = [way.numbers for way in _chosen(ways, expect)]

    picked = [number for of_line in chosen for number in of_line if segments[number].mark is None]
    of_picked = tuple(warnings[number] for number in picked)
    inputs = ModelInputs(images=images[picked], steps=((),) * len(picked), warnings=of_picked)
    predicted = answer(model, inputs, (labels[picked], table[picked]))
    predictions = dict(zip(picked, predicted.pop("predictions"), strict=True))
    scale = np.array(picture.size_px * 2) / np.array([*grey.shape[::-1]] * 2)
    lines = [_line_of(of_line, segments, predictions, scale) for of_line in chosen]
    return {
        **predicted,
        "lines": lines,
        "preprocessing": [*picture.steps, *(name for name, _ in steps), *removed],
        "warnings": _warnings_of_all(lines, text.n_left_out, expect),
    }


def writing_in(grey: Bytes) -> tuple[Bytes, tuple[str, ...]]:
    """Return all strokes of a (height, width) picture, 0 for paper to 255 for full ink, and the steps."""
    blank = np.zeros_like(grey)
    candidate = locate_strokes(grey)
    if candidate is None:
        return blank, ()
    relief = candidate.relief
    reach_px = max(1, round(REACH_FRACTION * typical_height_px(candidate.strokes)))
    _, near = candidate.reach(candidate.strokes, reach_px)
    depth = relief.depth_of(grey, relief.background, is_lit=relief.is_lit()) * near
    full = full_ink(depth, 0.0)
    if full is None:
        return blank, ()
    return full.darkness(depth), (relief.background_removed, *[candidate.lines_removed] * bool(candidate.n_lines))


def nll_of(table: Floats) -> NDArray[np.float64]:
    """Return the negative log-likelihood of the predicted class in each row, at most 3: no doubt is greater."""
    nll: NDArray[np.float64] = np.minimum(-np.log(table.max(axis=1).clip(1e-9)), _MAX_NLL)
    return nll


def not_whole_of(images: Bytes) -> NDArray[np.float64]:
    """Return the log-odds, from -6 to 6, that an image, (n, 28, 28), is a part of a digit, or of two."""
    function, parameters = load_whole_digits()
    return limited_log_odds(block_probabilities(function, parameters, images)[:, 0])


def limited_log_odds(p: Floats) -> NDArray[np.float64]:
    """Return ln((1 - p) / p), from -6 to 6: what is less likely, or more, is equally so."""
    p = p.astype(np.float64).clip(1e-9, 1 - 1e-9)
    log_odds: NDArray[np.float64] = np.log((1 - p) / p).clip(-_MAX_LOG_ODDS, _MAX_LOG_ODDS)
    return log_odds


def image_of(darkness: Bytes, labels: Labels, segment: Segment) -> tuple[Bytes, tuple[str, ...]]:
    """Return the (28, 28) image of a candidate, with its pieces' pale edges, and warnings about its strokes."""
    box = segment.box.widened(_MARGIN_PX).slices
    around = labels[box]
    of_others = (around > 0) & ~np.isin(around, segment.labels)
    ink = np.where(of_others, 0, darkness[box])
    image, _, warnings = to_image(crop_to_ink(ink))
    return image, warnings


def _chosen(ways: Sequence[Mapping[int, Way]], expect: int | None) -> list[Way]:
    """Choose a way for each line: the cheapest, or of nearly as cheap ones those with as many digits as expected."""
    cheapest = [min(of_line.values(), key=lambda way: way.cost) for of_line in ways]
    if expect is None:
        return cheapest
    totals: dict[int, tuple[float, list[Way]]] = {0: (0.0, [])}
    for of_line in ways:
        longer: dict[int, tuple[float, list[Way]]] = {}
        for n_before, (cost, before) in totals.items():
            for n_digits, way in of_line.items():
                n_after, total = n_before + n_digits, cost + way.cost
                if n_after <= expect and (n_after not in longer or total < longer[n_after][0]):
                    longer[n_after] = total, [*before, way]
        totals = longer
    cost, expected = totals.get(expect, (np.inf, []))
    return expected if cost <= sum(way.cost for way in cheapest) + _MAX_EXTRA_COST else cheapest


def _line_of(
    of_line: Sequence[int], segments: Sequence[Segment], predictions: Mapping[int, Mapping[str, Any]], scale: Any
) -> dict[str, Any]:
    """Return a line in the shape of the HTTP API."""
    text, digits, marks = "", [], []
    for number in of_line:
        segment = segments[number]
        top, left, bottom, right = segment.box
        x, y, stop_x, stop_y = np.rint(np.array([left, top, right, bottom]) * scale).astype(int).tolist()
        box = [x, y, stop_x - x, stop_y - y]
        if segment.mark is not None:
            text += _SIGNS.get(segment.mark, "")
            marks.append({"kind": segment.mark, "box": box})
            continue
        one = predictions[number]
        text += str(one["digit"])
        probability = one["probabilities"][str(one["digit"])]
        shown = {name: one[name] for name in ("digit", "class_name", "verdict", "rivals", "warnings")}
        digits.append({**shown, "probability": probability, "box": box})
    return {"text": text, "digits": digits, "marks": marks}


def _warnings_of_all(lines: Sequence[Mapping[str, Any]], n_left_out: int, expect: int | None) -> list[str]:
    """Return what may be wrong with a whole reading."""
    n_digits = sum(len(line["digits"]) for line in lines)
    n_unknown = sum(mark["kind"] == "unknown" for line in lines for mark in line["marks"])
    warnings = [] if lines else [BLANK]
    if expect is not None and n_digits != expect:
        warnings.append(f"{expect} {'digit was' if expect == 1 else 'digits were'} expected, and {n_digits} found.")
    if n_unknown:
        blobs = "1 blob of ink is" if n_unknown == 1 else f"{n_unknown} blobs of ink are"
        warnings.append(f"{blobs} no digit, point or minus sign.")
    if n_left_out:
        left_out = f"{n_left_out} {'was' if n_left_out == 1 else 'were'} left out"
        warnings.append(f"Only the {MAX_PARTS} largest blobs of ink were read; {left_out}.")
    return warnings
