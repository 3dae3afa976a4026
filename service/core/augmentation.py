"""Training images distorted at random, as other hands and pens would: a pure function of seed, epoch and batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .task import Floats

_GROUP = 16
"""Images that share one distortion: so rows of 16 numbers are gathered, a cache line, and not single pixels."""

_BUMPS, _BUMP_DEVIATION_PX = 5, 5.0
_STROKE_PROBABILITY, _THICKER, _BLUR_PROBABILITY, _MAX_BLURS = 0.5, 0.6, 0.25, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """How far images are distorted: each amount is drawn evenly from minus to plus its limit.

    ``elastic_px`` is the standard deviation of a smooth random displacement; ``log_aspect`` and ``log_size`` are
    natural logarithms, of height over width and of the size.
    """

    rotation_degrees: float
    log_aspect: float
    shear: float
    log_size: float
    shift_px: float
    elastic_px: float


STRENGTHS: Mapping[str, Strength] = {
    "soft": Strength(rotation_degrees=9, log_aspect=0.12, shear=0.15, log_size=0.08, shift_px=1.2, elastic_px=0.7),
    "strong": Strength(rotation_degrees=12, log_aspect=0.18, shear=0.22, log_size=0.08, shift_px=1.2, elastic_px=1.0),
}


class Augmenter:
    """Distorts batches of images of one shape, (height, width) in pixels, on a background of one value.

    A group of images is rotated, sheared, stretched, shifted and bent by one smooth field (a sum of Gaussian bumps on a
    grid), by one bilinear interpolation. Half of the groups then get thicker or thinner strokes, partly blended in, and
    a quarter is blurred by one to four passes of [1 2 1] / 4 in both directions.
    """

    def __init__(self, shape: tuple[int, int], strength: Strength, *, background: float = 0.0) -> None:
        self._shape, self._strength, self._background = shape, strength, background
        height, width = shape
        rows, columns = np.mgrid[:height, :width].astype(np.float32).reshape(2, -1)
        self._rows, self._columns = rows - (height - 1) / 2, columns - (width - 1) / 2
        grid = np.linspace(-0.5, 0.5, _BUMPS, dtype=np.float32)
        at_row, at_column = (axis.reshape(-1, 1) for axis in np.meshgrid(grid * height, grid * width, indexing="ij"))
        squares = (self._rows - at_row) ** 2 + (self._columns - at_column) ** 2
        bumps = np.exp(-squares / (2 * _BUMP_DEVIATION_PX**2))
        self._bumps: Floats = bumps / np.sqrt(np.square(bumps).sum(axis=0).mean())  # a field of standard deviation 1

    def __call__(self, images: Floats, seed: int, epoch: int, batch: int) -> Floats:
        """Return distorted copies of images, (n_images, n_pixels)."""
        background = images.dtype.type(self._background)
        images = images - background
        rng = np.random.default_rng([seed, epoch, batch, 2])
        n_images = len(images)
        n_groups = -(-n_images // _GROUP)
        height, width = self._shape
        index, weights = self._sampling(rng, n_groups)
        if n_images % _GROUP:
            images = np.concatenate((images, np.zeros((-n_images % _GROUP, images.shape[1]), images.dtype)))
        padded = np.zeros((n_groups, height + 2, width + 2, _GROUP), images.dtype)
        padded[:, 1:-1, 1:-1] = images.reshape(n_groups, _GROUP, height, width).transpose(0, 2, 3, 1)
        source = padded.reshape(-1, _GROUP)
        found = np.zeros((len(index), _GROUP), images.dtype)
        for offset, weight in zip((0, 1, width + 2, width + 3), weights, strict=True):
            neighbours = source.take(index + offset, axis=0)
            neighbours *= weight
            found += neighbours
        distorted = found.reshape(n_groups, height, width, _GROUP)
        self._change_strokes(distorted, rng)
        return distorted.transpose(0, 3, 1, 2).reshape(-1, height * width)[:n_images] + background

    def _sampling(self, rng: np.random.Generator, n_groups: int) -> tuple[np.ndarray, list[Floats]]:
        """Return where each pixel of each group comes from: the upper left of four neighbours, and their weights."""
        strength, (height, width) = self._strength, self._shape

        def drawn(limit: float) -> Floats:
            return rng.uniform(-limit, limit, (n_groups, 1)).astype(np.float32)

        angle = drawn(np.deg2rad(strength.rotation_degrees))
        log_aspect, shear, log_size = drawn(strength.log_aspect), drawn(strength.shear), drawn(strength.log_size)
        shifts = drawn(strength.shift_px), drawn(strength.shift_px)
        normal = rng.standard_normal((2, n_groups, len(self._bumps)), dtype=np.float32)
        fields = np.float32(strength.elastic_px) * normal @ self._bumps
        row = np.cos(angle) * self._rows + np.sin(angle) * self._columns
        column = np.cos(angle) * self._columns - np.sin(angle) * self._rows + shear * row
        y = np.exp(-log_size - log_aspect / 2) * row + shifts[0] + fields[0] + (height + 1) / 2
        x = np.exp(-log_size + log_aspect / 2) * column + shifts[1] + fields[1] + (width + 1) / 2
        y, x = y.clip(0, height + 0.999), x.clip(0, width + 0.999)
        top, left = y.astype(np.intp), x.astype(np.intp)
        down, right = (y - top).astype(np.float32), (x - left).astype(np.float32)
        first = np.arange(n_groups)[:, np.newaxis] * ((height + 2) * (width + 2))
        both = down * right
        weights = (1 - down - right + both, right - both, down - both, both)
        return (first + top * (width + 2) + left).reshape(-1), [weight.reshape(-1, 1) for weight in weights]

    def _change_strokes(self, groups: Floats, rng: np.random.Generator) -> None:
        n_groups = len(groups)
        is_changed, is_thicker = rng.random(n_groups) < _STROKE_PROBABILITY, rng.random(n_groups) < _THICKER
        shares = rng.uniform(0.3, 1, n_groups).astype(groups.dtype)
        is_blurred = rng.random(n_groups) < _BLUR_PROBABILITY
        n_passes = rng.integers(1, _MAX_BLURS + 1, n_groups)
        for number, group in enumerate(groups):
            if is_changed[number]:
                _blend_neighbours(group, np.maximum if is_thicker[number] else np.minimum, shares[number])
            if is_blurred[number]:
                for _ in range(n_passes[number]):
                    _blur(group)


def _blend_neighbours(group: Floats, choose: np.ufunc, share: np.floating) -> None:
    """Blend in the largest (or least) of each pixel and its four neighbours: strokes get thicker (or thinner)."""
    chosen = group.copy()
    for to, neighbours in (
        (chosen[1:], group[:-1]),
        (chosen[:-1], group[1:]),
        (chosen[:, 1:], group[:, :-1]),
        (chosen[:, :-1], group[:, 1:]),
    ):
        choose(to, neighbours, out=to)
    chosen -= group
    chosen *= share
    group += chosen


def _blur(group: Floats) -> None:
    """Apply [1 2 1] / 4 along columns and rows."""
    for image in (group, group.swapaxes(0, 1)):
        blurred = image / 2
        blurred[1:] += image[:-1] / 4
        blurred[:-1] += image[1:] / 4
        image[...] = blurred
