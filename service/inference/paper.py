"""What a drawing stands out from: the paper, dark or light, evenly lit or not, with its noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .histogram import level_counts, otsu
from .mnist_form import Bytes

Floats32 = NDArray[np.float32]
Floats64 = NDArray[np.float64]

_SAMPLE_SIDE_PX = 64
_FRAME_FRACTION = 0.02
_EVEN_LEVELS = 3
_MIN_LIGHT_LEVELS = 32
_LIGHTING_GAIN = 0.7
_LIGHTING_ROUNDS = 12
_GROWING_ROUNDS = 6
_POWERS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relief:
    """A picture without its paper.

    Parameters
    ----------
    depth : how far each pixel is from the paper, in the direction of the ink, in levels of 0..255.
    noise_levels : standard deviation of the paper.
    steps : what was done, in order.
    """

    depth: Bytes
    noise_levels: float
    steps: tuple[str, ...]


def take_off_paper(grey: Bytes) -> Relief:
    """Estimate the paper of a (height, width) picture and subtract it, so that ink is light on black.

    Paper is first taken for one level, that of the pixels on the same side of Otsu's threshold as most of the
    frame. If they vary, a polynomial of degree two in the place is fitted, and used if less is left then: the
    light was uneven.
    """
    step = max(1, max(grey.shape) // _SAMPLE_SIDE_PX)
    sample = grey[::step, ::step]
    threshold = otsu(level_counts(grey))
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
            # Ink returns a share of the light that falls on it, so where there is less, it is less deep.
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
    all that is within three deviations: else half of a blank page would pass for ink, as it is darker than
    the other half.
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

    They are found by reweighted least squares. As the median does, they pass over what deviates much, the ink,
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
