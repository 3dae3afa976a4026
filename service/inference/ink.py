"""A drawing and its paper separated: the level of the paper, its lighting and noise, and the ink that remains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .mnist_form import Bytes, bounding_box

Floats32 = NDArray[np.float32]
Floats64 = NDArray[np.float64]
Counts = NDArray[np.int64]

_LEVELS = np.arange(256)

_SAMPLE_SIDE_PX = 64
_FRAME_FRACTION = 0.02
_EVEN_LEVELS = 3
_MIN_LIGHT_LEVELS = 32
_LIGHTING_GAIN = 0.7
_LIGHTING_ROUNDS = 12
_GROWING_ROUNDS = 6
_POWERS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0))

_WORKING_SIDE_PX = 400
_MIN_CONTRAST_LEVELS = 12
_MIN_INK_FRACTION = 1e-4
_NOISE_SIGMAS = 6
_SOFT_SIGMAS = 3

_MARGIN_FRACTION = 0.1
_SOFT_FRACTION = 0.12
"""What is paler than this fraction of full ink counts as paper: JPEG's ringing beside a stroke is paler."""
_EDGE_FRACTION = 0.4
"""The drawing ends where it is paler than this fraction of full ink: so enlarged MNIST digits keep their size."""
_SPECK_FRACTION = 0.02
_BLOB_FRACTION = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relief:
    """A picture without its paper.

    Parameters
    ----------
    depth : the distance of each pixel from the paper, in the direction of the ink, in levels of 0..255.
    noise_levels : standard deviation of the paper.
    steps : of preprocessing, in order.
    """

    depth: Bytes
    noise_levels: float
    steps: tuple[str, ...]


def remove_paper(grey: Bytes) -> Relief:
    """Estimate the paper of a (height, width) picture and subtract it, so that ink is light on black.

    The paper is first assumed to have one level, that of the pixels on the same side of Otsu's threshold as most of
    the frame. If they vary, the light may be uneven: a polynomial of degree two in the position is fitted, and used
    if the residuals are smaller.
    """
    step = max(1, max(grey.shape) // _SAMPLE_SIDE_PX)
    sample = grey[::step, ::step]
    threshold = _otsu(_level_counts(grey))
    is_light = bool(np.mean(_frame(grey) > threshold) > 0.5)
    paper, noise_levels = _level_and_noise(sample, (sample > threshold) == is_light)
    if noise_levels > _EVEN_LEVELS:
        rows, columns = (np.linspace(-1, 1, side_px) for side_px in grey.shape)
        lighting = _fit_lighting(sample, rows[::step], columns[::step])
        residuals = sample - _lighting_at(lighting, rows[::step], columns[::step])
        rest, rest_levels = _level_and_noise(residuals, np.ones(residuals.shape, np.bool_))
        if rest_levels < _LIGHTING_GAIN * noise_levels:
            lit_paper = _lighting_at(lighting, rows, columns).astype(np.float32) + np.float32(rest)
            is_light = bool((residuals**3).sum() < 0)
            # Ink reflects a fraction of the light that falls on it, so its depth is smaller where there is less light.
            gain = (255 / lit_paper.clip(_MIN_LIGHT_LEVELS)).astype(np.float32) if is_light else None
            steps = ("evened out the lighting",)
            return _relief(grey, lit_paper, gain, is_light=is_light, noise_levels=rest_levels, steps=steps)
    return _relief(grey, paper, is_light=is_light, noise_levels=noise_levels)


def _relief(
    grey: Bytes,
    paper: float | Floats32,
    gain: Floats32 | None = None,
    *,
    is_light: bool,
    noise_levels: float,
    steps: tuple[str, ...] = (),
) -> Relief:
    """Subtract, and multiply by the gain, if there is one."""
    signed = np.subtract(paper, grey, dtype=np.float32) if is_light else np.subtract(grey, paper, dtype=np.float32)
    if gain is not None:
        signed *= gain
        noise_levels *= float(gain.mean())
    if is_light:
        steps += ("inverted, as the ink is darker than its background",)
    np.clip(np.rint(signed, out=signed), 0, 255, out=signed)
    return Relief(depth=signed.astype(np.uint8), noise_levels=noise_levels, steps=steps)


def _frame(grey: Bytes) -> Bytes:
    """The pixels along the border."""
    width_px = max(1, round(_FRAME_FRACTION * min(grey.shape)))
    sides = grey[:width_px], grey[-width_px:], grey[:, :width_px], grey[:, -width_px:]
    return np.concatenate([side.ravel() for side in sides])


def _level_and_noise(values: NDArray[Any], of_paper: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the median and the standard deviation of the paper, given some part of it.

    The deviation is that of the normal distribution with the same median absolute deviation. The part grows to
    all pixels within three deviations: otherwise the darker half of a blank page would be taken for ink.
    """
    level = noise = 0.0
    for _ in range(_GROWING_ROUNDS):
        paper = values[of_paper] if of_paper.any() else values
        level = float(np.median(paper))
        noise = 1.4826 * float(np.median(np.abs(paper - level)))
        of_paper = np.abs(values - level) <= 3 * noise
    return level, noise


def _fit_lighting(sample: Bytes, rows: Floats64, columns: Floats64) -> Floats64:
    """Coefficients (3, 3) of y^i x^j with the least absolute deviations from the sample.

    They are found by iteratively reweighted least squares. Like the median, they ignore what deviates much, the ink,
    as long as that is less than half.
    """
    terms = np.stack([np.outer(rows**i, columns**j).ravel() for i, j in _POWERS], axis=1)
    levels = sample.ravel().astype(np.float64)
    weights = np.ones(len(levels))
    for _ in range(_LIGHTING_ROUNDS):
        weighted = terms.T * weights
        solution = np.linalg.lstsq(weighted @ terms, weighted @ levels, rcond=None)[0]
        weights = 1 / np.maximum(np.abs(levels - terms @ solution), 1)
    coefficients = np.zeros((3, 3))
    coefficients[tuple(np.transpose(_POWERS))] = solution
    return coefficients


def _lighting_at(coefficients: Floats64, rows: Floats64, columns: Floats64) -> Floats64:
    """The polynomial at all places of a grid, (n_rows, n_columns)."""
    return np.vander(rows, 3, increasing=True) @ coefficients @ np.vander(columns, 3, increasing=True).T


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ink:
    """A drawing, cropped to itself.

    Parameters
    ----------
    darkness : 0 for paper to 255 for full ink, (height, width), at most 400 pixels wide or high.
    side_px : its longer side in the picture.
    n_blobs : the separate parts that hold a tenth of the ink or more.
    n_specks : the smaller ones that were removed.
    """

    darkness: Bytes
    side_px: int
    n_blobs: int
    n_specks: int


def find_ink(relief: Relief) -> Ink | None:
    """Find the drawing; None if nothing differs from the paper by more than its noise.

    A part belongs to the drawing if it is dark somewhere and holds more than a fiftieth of the ink of the
    largest part; it then belongs with all its paler edges.
    """
    depth, noise_levels = relief.depth, relief.noise_levels
    full = _full_ink(depth, noise_levels)
    rough = bounding_box(depth > full.threshold) if full else None
    if rough is None:
        return None
    depth = depth[tuple(_with_margin(side) for side in rough)]
    factor = -(-max(depth.shape) // _WORKING_SIDE_PX)
    if factor > 1:
        depth = np.asarray(Image.fromarray(depth).reduce(factor))
        noise_levels /= factor
        full = _full_ink(depth, noise_levels)
    if full is None:
        return None

    import cc3d  # noqa: PLC0415 - nothing but pictures needs it

    soft = min(max(_SOFT_FRACTION * full.level, _SOFT_SIGMAS * noise_levels), full.threshold)
    darkness = np.minimum(depth * np.float32(255 / full.level), 255)
    # As bytes: for booleans, cc3d 4.1.1 now and then gives one part two labels.
    is_ink = (depth > soft).view(np.uint8)
    labels, n_parts = cc3d.connected_components(is_ink, connectivity=8, return_N=True)
    is_dark = np.zeros(n_parts + 1, np.bool_)
    is_dark[labels[depth > full.threshold]] = True
    amounts = np.bincount(labels.ravel(), weights=darkness.ravel(), minlength=n_parts + 1) * is_dark
    kept = amounts > _SPECK_FRACTION * amounts.max()
    darkness[~kept[labels]] = 0
    cropped = crop_to_ink(np.rint(darkness).astype(np.uint8))
    return Ink(
        darkness=cropped,
        side_px=max(cropped.shape) * factor,
        n_blobs=int((amounts > _BLOB_FRACTION * amounts.sum()).sum()),
        n_specks=int((is_dark & ~kept).sum()),
    )


def _with_margin(side: slice) -> slice:
    """Widen a side, for the pale edges outside it."""
    margin_px = 2 + round(_MARGIN_FRACTION * (side.stop - side.start))
    return slice(max(0, side.start - margin_px), side.stop + margin_px)


def crop_to_ink(darkness: Bytes) -> Bytes:
    """Crop, on all sides, what is paler than the edge of a drawing."""
    box = bounding_box(darkness > _EDGE_FRACTION * 255)
    return darkness if box is None else darkness[box]


@dataclass(frozen=True, slots=True)
class _FullInk:
    """``threshold`` divides the pale from the dark; ``level`` is the depth of full ink."""

    threshold: int
    level: float


def _full_ink(depth: Bytes, noise_levels: float) -> _FullInk | None:
    """Measure the ink among all pixels deeper than the noise; None if there are none."""
    counts = _level_counts(depth)
    counts[: int(_NOISE_SIGMAS * noise_levels) + 1] = 0
    if not counts.any():
        return None
    threshold = _otsu(counts)
    counts[: threshold + 1] = 0
    if noise_levels and counts.sum() < _MIN_INK_FRACTION * depth.size:
        return None
    level = float(np.searchsorted(np.cumsum(counts), 0.9 * counts.sum()))
    return _FullInk(threshold, level) if level >= _MIN_CONTRAST_LEVELS else None


def _level_counts(levels: Bytes) -> Counts:
    """Return how often each level occurs, (256,)."""
    return np.bincount(levels.ravel(), minlength=256)


def _otsu(counts: Counts) -> int:
    """Return the level that divides a histogram best: the lower class is at it or below.

    Otsu (1979) makes w (1 - w) (mean above - mean below)^2 largest, w being the fraction in the lower class.
    Between two classes that do not touch every level is as good, and the middle one is taken. If only one
    level occurs, it is the upper class.
    """
    n_below = np.cumsum(counts)
    sum_below = np.cumsum(counts * _LEVELS)
    n_above = n_below[-1] - n_below
    divided = (n_below > 0) & (n_above > 0)
    if not divided.any():
        return int(counts.argmax()) - 1
    distance = (sum_below[-1] * n_below - n_below[-1] * sum_below)[divided].astype(np.float64)
    spread = np.zeros(256)
    spread[divided] = distance**2 / (n_below * n_above)[divided]
    best = np.flatnonzero(spread >= spread.max() * (1 - 1e-12))
    return int(best[0] + best[-1]) // 2
