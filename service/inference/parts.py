"""Connected components of ink, and which of them are strokes of the same digit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .mnist_form import Bytes

Mask = NDArray[np.bool_]
Sides = tuple[int, int, int, int]
"""Top, left, bottom, right."""

_PART_HEIGHT = 0.5
"""Of a digit's height, that of a mere part of it at most. So are gaps and what follows."""
_GAP, _SPECK_GAP, _SPECK = 0.35, 0.1, 0.25
_MAX_WIDTH, _AT_TOP = 1.2, 0.15
_SHARED, _WITHIN = 0.5, 0.8
"""Of the narrower one's width, what is above or below the other; and where they are also beside one another."""
_HALVES_GAP, _BROKEN_GAP, _MAX_HEIGHT, _MAX_HALF = 0.15, 0.1, 1.25, 1.25
"""Between two halves, in heights of the whole; of a whole, in heights of other digits; of a half, in its own widths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A connected component; ``amount`` is the sum of its depths."""

    label: int
    box: tuple[slice, ...]
    n_pixels: int
    amount: float

    @property
    def sides(self) -> Sides:
        """Top, left, bottom, right."""
        rows, columns = self.box
        return rows.start, columns.start, rows.stop, columns.stop

    @property
    def side_px(self) -> int:
        """The longer side."""
        return max(int(side.stop - side.start) for side in self.box)

    @property
    def height_px(self) -> int:
        """From top to bottom."""
        return int(self.box[0].stop - self.box[0].start)

    def touches_border(self, shape: tuple[int, ...]) -> bool:
        """Whether it reaches the border of a picture."""
        return any(side.start == 0 or side.stop == size for side, size in zip(self.box, shape, strict=True))


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
            box=statistics["bounding_boxes"][label],
            n_pixels=int(statistics["voxel_counts"][label]),
            amount=float(amounts[label]),
        )
        for label in range(1, n_parts + 1)
    ]


def box_around(some: Iterable[Part]) -> Sides:
    """Return the sides of the box around several parts."""
    sides = np.array([part.sides for part in some])
    top, left = sides[:, :2].min(axis=0).tolist()
    bottom, right = sides[:, 2:].max(axis=0).tolist()
    return top, left, bottom, right


def typical_height_px(components: Sequence[Part]) -> float:
    """Return the median height of ink: half of it is in components that are higher."""
    if not components:
        return 1.0
    by_height = sorted((part.height_px, part.amount) for part in components)
    sums = np.cumsum([amount for _, amount in by_height])
    return float(by_height[int(np.searchsorted(sums, sums[-1] / 2))][0])


def joined_strokes(components: Sequence[Part]) -> list[list[Part]]:
    """Return components digit by digit, as far as strokes that do not touch belong together by their places alone.

    Each belongs to at most one that is not lower: to the nearest of which it is a part, like the hat of a 5, the bar of
    a 7, the bar of a 4; or with which it makes a whole as high as other digits, like the two circles of an 8.
    """
    ordered = sorted(components, key=lambda part: part.height_px)
    sides = np.array([part.sides for part in ordered], np.float64).reshape(-1, 4)
    top, left, bottom, right = sides.T
    heights, widths = bottom - top, right - left
    groups: list[list[Part]] = [[part] for part in ordered]
    for number, part in enumerate(ordered):
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
        for place in np.flatnonzero(~belongs & ~is_beside & (shared >= _SHARED)).tolist():
            others = [*ordered[:number], *ordered[number + 1 : number + 1 + place], *ordered[number + 2 + place :]]
            belongs[place] = _is_half(part, ordered[number + 1 + place], others)
        if belongs.any():
            distances = np.where(belongs, np.maximum(gaps, 0) + (1 - shared) * heights[number], np.inf)
            groups[number + 1 + int(np.argmin(distances))] += groups[number]
            groups[number] = []
    return [group for group in groups if group]


def _is_half(part: Part, other: Part, others: Sequence[Part]) -> bool:
    """Whether two parts, one above the other, are the halves of a digit."""
    top, _, bottom, _ = box_around((part, other))
    whole_px = bottom - top
    gap = (whole_px - part.height_px - other.height_px) / whole_px
    tall = [each for each in others if each.height_px >= part.height_px]
    if gap > _HALVES_GAP:
        return False
    if tall:
        return whole_px <= _MAX_HEIGHT * typical_height_px(tall)
    return gap <= _BROKEN_GAP or all(
        each.height_px <= _MAX_HALF * (each.box[1].stop - each.box[1].start) for each in (part, other)
    )
