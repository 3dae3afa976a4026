"""Connected components of ink, and which of them are strokes of the same digit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.core import Float64s

from .masks import Mask
from .mnist_form import Bytes

_PART_HEIGHT = 0.5
"""Of a digit's height, that of a mere part of it at most. So are gaps and what follows."""
_GAP, _SPECK_GAP, _SPECK = 0.35, 0.1, 0.25
_MAX_WIDTH, _AT_TOP = 1.2, 0.15
_SHARED, _WITHIN = 0.5, 0.8
"""Of the narrower one's width, what is above or below the other; and where they are also beside one another."""
_HALVES_GAP, _BROKEN_GAP, _MAX_HEIGHT, _MAX_HALF = 0.15, 0.1, 1.25, 1.25
"""Between two halves, in heights of the whole; of a whole, in heights of other digits; of a half, in its own widths."""


class Box(NamedTuple):
    """The first row and column of a part, and the first ones beyond it."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height_px(self) -> int:
        """The number of rows."""
        return self.bottom - self.top

    @property
    def width_px(self) -> int:
        """The number of columns."""
        return self.right - self.left

    @property
    def side_px(self) -> int:
        """The longer side."""
        return max(self.height_px, self.width_px)

    @property
    def slices(self) -> tuple[slice, slice]:
        """The index of its pixels."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def widened(self, reach_px: int) -> Box:
        """Return the box that reaches so far beyond it to each side, but not beyond the first row and column."""
        start = max(0, self.top - reach_px), max(0, self.left - reach_px)
        return Box(*start, self.bottom + reach_px, self.right + reach_px)

    def touches_border(self, shape: tuple[int, ...]) -> bool:
        """Whether it reaches the border of a picture."""
        return self.top == 0 or self.left == 0 or self.bottom == shape[0] or self.right == shape[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A connected component; ``amount`` is the sum of its depths."""

    label: int
    box: Box
    n_pixels: int
    amount: float


def parts(mask: Mask, depth: Bytes) -> tuple[NDArray[np.integer], list[Part]]:
    """Return the labels of the connected components of a mask, from 1 on, and the components."""
    import cc3d  # noqa: PLC0415 - nothing but pictures needs it

    # As bytes: for booleans, cc3d 4.1.1 now and then gives one part two labels.
    labels, n_parts = cc3d.connected_components(mask.view(np.uint8), connectivity=8, return_N=True)
    if not n_parts:
        return labels, []
    statistics = cc3d.statistics(labels)
    amounts = np.bincount(labels.ravel(), weights=depth.ravel(), minlength=n_parts + 1)
    return labels, [
        Part(
            label=label,
            box=Box(box[0].start, box[1].start, box[0].stop, box[1].stop),
            n_pixels=int(statistics["voxel_counts"][label]),
            amount=float(amounts[label]),
        )
        for label, box in enumerate(statistics["bounding_boxes"][1:], start=1)
    ]


def box_around(boxes: Iterable[Box]) -> Box:
    """Return the box around several boxes."""
    top, left, bottom, right = zip(*boxes, strict=True)
    return Box(min(top), min(left), max(bottom), max(right))


def typical_height_px(components: Sequence[Part]) -> float:
    """Return the median height of ink: half of it is in components that are higher."""
    if not components:
        return 1.0
    by_height = sorted((part.box.height_px, part.amount) for part in components)
    return _typical(*np.array(by_height, np.float64).T)


def _typical(heights: Float64s, amounts: Float64s) -> float:
    """Return the median of ascending heights, weighted by amounts of ink."""
    sums = np.cumsum(amounts)
    return float(heights[np.searchsorted(sums, sums[-1] / 2)])


def joined_strokes(components: Sequence[Part]) -> list[list[Part]]:
    """Return components digit by digit, as far as strokes that do not touch belong together by their places alone.

    Each belongs to at most one that is not lower: to the nearest of which it is a part, like the hat of a 5, the bar of
    a 7, the bar of a 4; or with which it makes a whole as high as other digits, like the two circles of an 8.
    """
    ordered = sorted(components, key=lambda part: part.box.height_px)
    top, left, bottom, right = np.array([part.box for part in ordered], np.float64).reshape(-1, 4).T
    heights, widths = bottom - top, right - left
    amounts, is_squat = np.array([part.amount for part in ordered]), heights <= _MAX_HALF * widths
    groups: list[list[Part]] = [[part] for part in ordered]
    for number in range(len(ordered)):
        higher = slice(number + 1, None)
        shared = np.minimum(right[number], right[higher]) - np.maximum(left[number], left[higher])
        shared /= np.minimum(widths[number], widths[higher])
        gaps = np.maximum(top[number], top[higher]) - np.minimum(bottom[number], bottom[higher])
        longest, height = max(widths[number], heights[number]), heights[higher]
        is_speck = longest <= _SPECK * height
        is_low = heights[number] < _PART_HEIGHT * height
        is_beside = -gaps > heights[number] / 2
        is_at_top = top[number] < top[higher] + _AT_TOP * height
        belongs = np.where(
            is_beside,
            np.where(is_low, (shared >= _SHARED) & is_at_top & ~is_speck, shared >= _WITHIN),
            (shared >= _SHARED) & is_low & (gaps <= np.where(is_speck, _SPECK_GAP, _GAP) * height),
        ) & (widths[number] <= _MAX_WIDTH * height)
        wholes = np.maximum(bottom[number], bottom[higher]) - np.minimum(top[number], top[higher])
        gap_shares = gaps / wholes
        may_be_halves = ~belongs & ~is_beside & (shared >= _SHARED) & (gap_shares <= _HALVES_GAP)
        for place in np.flatnonzero(may_be_halves).tolist():  # many only in a picture that is made for it
            of_others = amounts.copy()
            of_others[: np.searchsorted(heights, heights[number])] = 0  # what is lower says nothing
            of_others[[number, number + 1 + place]] = 0
            if of_others.any():
                belongs[place] = wholes[place] <= _MAX_HEIGHT * _typical(heights, of_others)
            else:
                belongs[place] = gap_shares[place] <= _BROKEN_GAP or is_squat[[number, number + 1 + place]].all()
        if belongs.any():
            distances = np.where(belongs, np.maximum(gaps, 0) + (1 - shared) * heights[number], np.inf)
            groups[number + 1 + int(np.argmin(distances))] += groups[number]
            groups[number] = []
    return [group for group in groups if group]
