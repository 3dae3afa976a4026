"""The smallest change to an image that changes what a model says of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from service.core import IMAGE_SIDE_PX, N_PIXELS, design_matrix
from service.registry import Model

from .mnist_form import Bytes
from .prediction import predict

_MARGINS = (1e-4, 1e-3, 1e-2, 1e-1)
"""By how much the other class must win, as shares of the largest logit: more where rounding eats up less."""

Float64s = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flip:
    """An image of which a model says something else.

    Parameters
    ----------
    digit : what it says.
    pixels : (28, 28) uint8.
    distance : the length of the change, the root of its sum of squares, in grey levels.
    """

    digit: int
    pixels: Bytes
    distance: float


def directions(model: Model) -> Float64s:
    """Return what speaks for each class, so that x @ directions is a logit for each: (785, n_classes) float64.

    For softmax the weights; for logistic w for the first class and -w for the second, whose probabilities
    are sigmoid(z) and sigmoid(-z).
    """
    weights = model.weights.astype(np.float64)
    return np.concatenate((weights, -weights), axis=1) if model.manifest.model == "logistic" else weights


def find_flip(model: Model, image: Bytes) -> Flip | None:
    """Find the image nearest to a given one that the model takes for another digit.

    With z the logits of the image, k the class that wins and w_j the weights of another class j, it solves for
    each j exactly ::

        minimise |d|²   so that   (w_j - w_k)·d / 127.5 >= z_k - z_j + margin   and   0 <= pixels + d <= 255

    brings d to whole grey levels, as `whole_change` does, has the result predicted, and takes the nearest.

    Parameters
    ----------
    image : (28, 28) uint8.

    Returns
    -------
    None if no image within the bounds of pixels would be taken for anything else.
    """
    towards = directions(model)
    logits = (design_matrix(image[np.newaxis], np.float64) @ towards)[0]
    winner = int(predict(model, image[np.newaxis])[1].argmax())
    pixels = image.reshape(N_PIXELS).astype(np.float64)
    scale = max(1.0, float(np.abs(logits).max()))
    one_logit = model.manifest.model == "logistic"
    slopes: dict[int, Float64s] = {}
    gaps: dict[int, float] = {}
    for j in range(len(logits)):
        if j != winner:
            slopes[j] = (towards[:N_PIXELS, j] - (0 if one_logit else towards[:N_PIXELS, winner])) / 127.5
            gaps[j] = max(0.0, float(-logits[j] if one_logit else logits[winner] - logits[j]))
    best: Flip | None = None
    for bound, j in sorted(_bounds(pixels, slopes, gaps)):
        if best is not None and bound >= best.distance:
            break  # whole grey levels can only be farther
        for margin in _MARGINS:
            change = whole_change(pixels, slopes[j], gaps[j] + margin * scale)
            found = None if change is None else _spoken(model, image, change)
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


def _spoken(model: Model, image: Bytes, change: Float64s) -> Flip:
    pixels = (image + change.reshape(IMAGE_SIDE_PX, IMAGE_SIDE_PX)).astype(np.uint8)
    labels, _ = predict(model, pixels[np.newaxis])
    return Flip(digit=int(labels[0]), pixels=pixels, distance=sqrt(change @ change))
