"""A small change to an image that changes what a model takes it for: of a linear model the smallest."""

from dataclasses import dataclass
from math import inf, sqrt
from typing import Annotated

import numpy as np

from service.answers import Doc
from service.core import Float64s, design_matrix
from service.registry import Model

from .mnist_form import Bytes
from .prediction import predict

_MARGINS = (1e-4, 1e-3, 1e-2, 1e-1)
"""By how much the other class must win, as shares of the largest logit: more where rounding eats up less."""

_N_NEAR_CLASSES, _N_LINEARISATIONS, _N_HALVINGS = 3, 8, 7
"""For how many classes a network is searched if one of them gives a flip, how often each, and how finely a flip is
shortened."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flip:
    """An image near by that the model predicts as another digit."""

    digit: int
    pixels: Annotated[Bytes, Doc(written_as=list[list[int]])]
    distance: Annotated[float, Doc("The root of the sum of squared changes, in grey levels.")]
    is_local: Annotated[
        bool, Doc("Found by a local search, as for every network: others may be nearer. Else it is the nearest.")
    ]


def find_flip(model: Model, image: Bytes) -> Flip | None:
    """Find an image near to (height, width) that the model takes for another digit: of a linear model the nearest.

    With z the logits of the image, k the class that wins and w_j the slopes of z_j for another class j, it solves for
    each j exactly, where slopes are the same everywhere ::

        minimise |d|²   so that   (w_j - w_k)·d / divisor >= z_k - z_j + margin   and   0 <= pixels + d <= 255

    with the divisor of the input scaling, brings d to whole grey levels, as `whole_change` does, has the result
    predicted, and takes the nearest. For a network, z and w are those of the image that was found last, and what is
    found is local. None if no image of pixels in bounds would be taken for anything else; for a network, if none is
    found.
    """
    at, is_linear = _Linearisation(model, image), model.function.is_linear
    best: Flip | None = None
    for n_tried, (bound, j) in enumerate(_bounds(image.reshape(-1).astype(np.float64), at)):
        # Whole grey levels can only be farther than the bound.
        if best is not None and (bound >= best.distance if is_linear else n_tried >= _N_NEAR_CLASSES):
            break
        found = (_nearest_flip if is_linear else _local_flip)(model, image, at, j)
        if found is not None and (best is None or found.distance < best.distance):
            best = found
    return best


class _Linearisation:
    """How far each class is behind the one that wins, and how that changes with each grey level, at an image.

    The ``winner`` is the place of the class that wins; the predicted one by default.
    """

    def __init__(self, model: Model, pixels: Bytes, winner: int | None = None) -> None:
        function, row = model.function, model.parameters.astype(np.float64)
        x = design_matrix(pixels.reshape(1, -1), np.float64, function.scaling)
        output, n_pixels = function.output, function.task.n_pixels
        logits = output.class_values(function.joint_logits(row[np.newaxis], x)[0, :, 0])
        towards: Float64s = output.class_values(function.slopes(row, x[0]))[:n_pixels].astype(np.float64, copy=False)
        if winner is None:
            winner = int(predict(model, pixels.reshape(1, *function.task.image_shape))[1].argmax())
        others = [place for place in range(len(logits)) if place != winner]
        self.winner = winner
        self.scale = max(1.0, float(np.abs(logits).max()))
        self.gaps = {j: -float(output.contrast(logits, j, winner)) for j in others}
        self.slopes: dict[int, Float64s] = {
            j: np.asarray(output.contrast(towards, j, winner), np.float64) / function.scaling.divisor for j in others
        }


def _nearest_flip(model: Model, image: Bytes, at: _Linearisation, j: int) -> Flip | None:
    """Solve exactly, for a model whose slopes are the same everywhere."""
    pixels = image.reshape(-1).astype(np.float64)
    for margin in _MARGINS:
        change = whole_change(pixels, at.slopes[j], max(0.0, at.gaps[j]) + margin * at.scale)
        found = None if change is None else _flipped(model, image, change)
        if found is not None and found.digit != model.manifest.classes[at.winner]:
            return found
    return None


def _local_flip(model: Model, image: Bytes, at: _Linearisation, j: int) -> Flip | None:
    """Walk to an image that flips, each step from where the last one led; from there solve for the original image.

    Solved for the original image from the beginning, it would go to and fro across a kink of relu.
    """
    original, winner = image.reshape(-1).astype(np.float64), model.manifest.classes[at.winner]
    best, pixels = None, original
    for n in range(_N_LINEARISATIONS):
        slope, start = at.slopes[j], original if best else pixels
        margin = _MARGINS[0 if best else min(n, len(_MARGINS) - 1)]
        step = whole_change(start, slope, at.gaps[j] + margin * at.scale + float(slope @ (pixels - start)))
        if step is None and not best:  # it may still be within reach: slopes change on the way
            step = np.clip(255 * np.sign(slope), -start, 255 - start)
        if step is None or np.array_equal(start + step, pixels):
            break
        pixels = start + step
        found = _flipped(model, image, pixels - original)
        if found.digit != winner:
            found = _shortened(model, image, pixels - original, found)
            if best and found.distance >= best.distance:
                break
            best, pixels = found, found.pixels.reshape(-1).astype(np.float64)
        elif best:
            break
        at = _Linearisation(model, pixels.astype(np.uint8), at.winner)
    return best


def _shortened(model: Model, image: Bytes, change: Float64s, flip: Flip) -> Flip:
    """Return the flip on the way from an image to one that flips where the prediction changes."""
    low, high, winner = 0.0, 1.0, predict(model, image[np.newaxis])[0][0]
    for _ in range(_N_HALVINGS):
        middle = (low + high) / 2
        found = _flipped(model, image, np.rint(middle * change))
        if found.digit == winner:
            low = middle
        else:
            high, flip = middle, found
    return flip


def smallest_change(pixels: Float64s, slope: Float64s, gain: float) -> Float64s | None:
    """Solve exactly: minimise |d|², (n,) float64, so that slope·d >= gain and 0 <= pixels + d <= 255.

    The solution is d = λ slope where the bounds allow it, and at the bound where they do not. slope·d grows with λ in
    straight pieces, each as long as no further pixel reaches its bound; the piece in which it passes ``gain`` says what
    λ is. Nothing needs to change for a gain of 0 or less; None if there is no such change.
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


def _bounds(pixels: Float64s, at: _Linearisation) -> list[tuple[float, int]]:
    """Return how far each class is at least, with no margin and any real change; infinity if it is beyond reach."""
    changes = {j: smallest_change(pixels, slope, at.gaps[j]) for j, slope in at.slopes.items()}
    return sorted((inf if change is None else sqrt(change @ change), j) for j, change in changes.items())


def _flipped(model: Model, image: Bytes, change: Float64s) -> Flip:
    pixels = (image + change.reshape(image.shape)).astype(np.uint8)
    labels, _ = predict(model, pixels[np.newaxis])
    distance, is_local = sqrt(change @ change), not model.function.is_linear
    return Flip(digit=int(labels[0]), pixels=pixels, distance=distance, is_local=is_local)
