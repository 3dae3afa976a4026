"""The smallest change to an image that changes what a model takes it for."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from service.core import design_matrix
from service.registry import Model

from .mnist_form import Bytes
from .prediction import predict

_MARGINS = (1e-4, 1e-3, 1e-2, 1e-1)
"""By how much the other class must win, as shares of the largest logit: more where rounding eats up less."""

Float64s = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flip:
    """An image that a model takes for another digit.

    Parameters
    ----------
    digit : that it takes it for.
    pixels : (height, width) uint8.
    distance : the length of the change, the root of its sum of squares, in grey levels.
    """

    digit: int
    pixels: Bytes
    distance: float


def find_flip(model: Model, image: Bytes) -> Flip | None:
    """Find the image nearest to a given one that the model takes for another digit.

    With z the logits of the image, k the class that wins and w_j the slopes of z_j for another class j, it solves for
    each j exactly, where slopes are the same everywhere ::

        minimise |d|²   so that   (w_j - w_k)·d / 127.5 >= z_k - z_j + margin   and   0 <= pixels + d <= 255

    brings d to whole grey levels, as `whole_change` does, has the result predicted, and takes the nearest.

    Parameters
    ----------
    image : (height, width) uint8.

    Returns
    -------
    None if no image within the bounds of pixels would be taken for anything else.
    """
    function, row = model.function, model.parameters.astype(np.float64)
    x = design_matrix(image[np.newaxis], np.float64, function.scaling)
    output, n_pixels = function.output, function.task.n_pixels
    logits = output.class_values(function.joint_logits(row[np.newaxis], x)[0, :, 0])
    towards: Float64s = output.class_values(function.slopes(row, x[0]))[:n_pixels].astype(np.float64, copy=False)
    winner = int(predict(model, image[np.newaxis])[1].argmax())
    pixels = image.reshape(n_pixels).astype(np.float64)
    scale = max(1.0, float(np.abs(logits).max()))
    others = [place for place in range(len(logits)) if place != winner]
    slopes: dict[int, Float64s] = {}
    for j in others:
        slopes[j] = np.asarray(output.contrast(towards, j, winner), np.float64) / function.scaling.divisor
    gaps = {j: max(0.0, -float(output.contrast(logits, j, winner))) for j in others}
    best: Flip | None = None
    for bound, j in sorted(_bounds(pixels, slopes, gaps)):
        if best is not None and bound >= best.distance:
            break  # whole grey levels can only be farther
        for margin in _MARGINS:
            change = whole_change(pixels, slopes[j], gaps[j] + margin * scale)
            found = None if change is None else _flipped(model, image, change)
            if found is not None and found.digit != model.manifest.classes[winner]:
                best = found if best is None or found.distance < best.distance else best
                break
    return best


def smallest_change(pixels: Float64s, slope: Float64s, gain: float) -> Float64s | None:
    """Solve exactly: minimise |d|² so that slope·d >= gain and 0 <= pixels + d <= 255.

    The solution is d = λ slope where the bounds allow it, and at the bound where they do not. slope·d grows with
    λ in straight pieces, each as long as no further pixel reaches its bound; the piece in which it passes
    ``gain`` says what λ is.

    Parameters
    ----------
    pixels, slope : (n,) float64.
    gain : nothing needs to change for 0 or less.

    Returns
    -------
    d, (n,); None if there is no such change.
    """
    level = 0.0 if gain <= 0 else _level(pixels, slope, gain)
    return None if level is None else np.clip(level * slope, -pixels, 255 - pixels)


def whole_change(pixels: Float64s, slope: Float64s, gain: float) -> Float64s | None:
    """Solve `smallest_change` in whole grey levels, to a step or so.

    d = round(λ slope) within the bounds has, of all whole changes of at least its own slope·d, the smallest
    |d|²; the smallest λ that reaches ``gain`` is found by halving. Where it goes beyond, as it does when many
    pixels take a step at the same λ, those steps are taken back that ``gain`` can do without.
    """

    def change(level: float) -> Float64s:
        return np.clip(np.rint(level * slope), -pixels, 255 - pixels)

    if gain <= 0:
        return np.zeros_like(pixels)
    level = _level(pixels, slope, gain)
    if level is None:
        return None
    low = high = level
    for _ in range(200):
        if slope @ change(high) >= gain:
            break
        high *= 1.05
    else:
        return None  # rounding alone keeps it from what only all pixels at their bounds would reach
    while slope @ change(low) >= gain:
        low /= 1.05
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if slope @ change(middle) >= gain else (middle, high)
    return _without_spare_steps(change(high), slope, gain)


def _without_spare_steps(change: Float64s, slope: Float64s, gain: float) -> Float64s:
    while True:
        spare = (change != 0) & (np.abs(slope) <= slope @ change - gain)
        if not spare.any():
            return change
        longest = int(np.where(spare, np.abs(change), 0).argmax())
        change[longest] -= np.sign(change[longest])


def _level(pixels: Float64s, slope: Float64s, gain: float) -> float | None:
    """Return the smallest λ whose clipped λ slope gains enough, which is more than 0."""
    counted = np.flatnonzero(np.abs(slope) > 1e-12 * np.abs(slope).max())
    slope = slope[counted]
    room = np.where(slope > 0, 255 - pixels[counted], pixels[counted])
    levels = room / np.abs(slope)
    order = levels.argsort(kind="stable")
    levels, squares, full = levels[order], slope[order] ** 2, (room * np.abs(slope))[order]
    gained = full.cumsum()  # by the pixels that are at their bounds once λ has reached each level
    still_free = squares[::-1].cumsum()[::-1]
    reached = gained + levels * (still_free - squares)
    piece = int(reached.searchsorted(gain))
    if piece == len(reached):
        return None
    return float((gain - (gained[piece] - full[piece])) / still_free[piece])


def _bounds(pixels: Float64s, slopes: dict[int, Float64s], gaps: dict[int, float]) -> list[tuple[float, int]]:
    """Return for each class that can be reached how far it is at least, with no margin and any real change."""
    changes = {j: smallest_change(pixels, slope, gaps[j]) for j, slope in slopes.items()}
    return [(sqrt(change @ change), j) for j, change in changes.items() if change is not None]


def _flipped(model: Model, image: Bytes, change: Float64s) -> Flip:
    pixels = (image + change.reshape(image.shape)).astype(np.uint8)
    labels, _ = predict(model, pixels[np.newaxis])
    return Flip(digit=int(labels[0]), pixels=pixels, distance=sqrt(change @ change))
