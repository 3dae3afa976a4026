"""The background of a picture: what it would be without the ink on it; and the level that divides the two."""

import numpy as np
from numpy.typing import NDArray

from .masks import runs, window_extreme
from .mnist_form import Bytes

_N_LEVELS = 32
_MIN_QUADRILATERAL_FRACTION, _MIN_SHEET_FRACTION = 0.97, 0.8
"""Of the outline of a sheet of paper, what is in the quadrilateral of its corners; and what is not written on."""


def dark_structure_removed(grey: Bytes, window_px: int) -> Bytes:
    """Return a (height, width) uint8 picture without its dark strokes: a closing by reconstruction.

    For each of 32 levels, the pixels at that level or darker fall into connected components. A component into which a
    square of ``window_px``, odd and wider than strokes, fits is background: a shadow, a desk, the border of a scan.
    What is narrower everywhere is a stroke, and becomes as light as what surrounds it. So a background may have any
    number of levels and sharp edges between them. Source: P. Soille, Morphological Image Analysis (2003), section 6.3.
    """
    import cc3d  # noqa: PLC0415 - nothing but pictures needs it

    padded = _extended(grey, window_px)
    widest = window_extreme(padded, window_px, np.maximum)
    background = np.full(padded.shape, 255, np.uint8)
    decided = np.zeros(padded.shape, np.bool_)
    lowest, highest = int(padded.min()), int(padded.max())
    step = max(1, -(-(highest - lowest) // _N_LEVELS))
    previous = lowest - 1
    for level in range(lowest + step - 1, highest + step, step):
        labels, n_components = cc3d.connected_components(
            (padded <= level).view(np.uint8), connectivity=8, return_N=True
        )
        is_wide = np.zeros(n_components + 1, np.bool_)
        is_wide[labels[widest <= level]] = True
        is_wide[0] = False
        reached = is_wide[labels] & ~decided
        # A pixel of this band keeps its level; strokes become as light as the band that surrounds them.
        value = np.where(padded > previous, padded, np.uint8(min(level, 255)))
        np.copyto(background, value, where=reached)
        decided |= reached
        previous = level
    inner = background[window_px:-window_px, window_px:-window_px]
    return np.maximum(inner, grey)


def _extended(grey: Bytes, width_px: int) -> Bytes:
    """Continue a picture beyond its border: what is dark along less than half of a side ends there, as strokes do."""
    counts = level_counts(grey)
    threshold = otsu(counts)
    counts[: threshold + 1] = 0
    paper = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2)) if counts.any() else 255
    before, after = slice(None, width_px), slice(-width_px, None)
    for other_px in grey.shape[::-1]:
        grey = np.pad(grey, ((width_px, width_px), (0, 0)), mode="edge")
        for outside in (before, after):
            for start, stop in runs(grey[outside][0] <= threshold):
                if stop - start < other_px / 2:
                    grey[outside, start:stop] = paper
        grey = grey.T
    return grey


def sheet_outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return a sheet of paper that is written on with what is written on it; None if a mask is nothing like that.

    A sheet is a filled quadrilateral.
    """
    outline = _filled(mask)
    is_filled = np.count_nonzero(mask) >= _MIN_SHEET_FRACTION * np.count_nonzero(outline)
    return outline if is_filled and _is_quadrilateral(outline) else None


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask with all pixels that have some of it on each of their four sides."""
    along = np.logical_or.accumulate
    down, up = along(mask, axis=0), along(mask[::-1], axis=0)[::-1]
    forth, back = along(mask, axis=1), along(mask[:, ::-1], axis=1)[:, ::-1]
    filled: NDArray[np.bool_] = down & up & forth & back
    return filled


def _is_quadrilateral(outline: NDArray[np.bool_]) -> bool:
    """Whether a filled mask is nearly the quadrilateral of its corners: the ends of its diagonals."""
    rows, columns = np.nonzero(outline)
    points = np.stack([columns, rows], axis=1).astype(np.float64)

    def farthest(distances: NDArray[np.float64]) -> NDArray[np.float64]:
        corner: NDArray[np.float64] = points[int(np.argmax(distances))]
        return corner

    first = farthest(np.linalg.norm(points - points.mean(axis=0), axis=1))
    opposite = farthest(np.linalg.norm(points - first, axis=1))
    beside = _cross(opposite - first, points - first)
    corners = (first, farthest(-beside), opposite, farthest(beside))
    inside = np.ones(len(points), np.bool_)
    area = 0.0
    for start, stop in zip(corners, (*corners[1:], corners[0]), strict=True):
        inside &= _cross(stop - start, points - start) >= -np.linalg.norm(stop - start)
        area += float(_cross(start, stop)) / 2
    n_common = np.count_nonzero(inside)
    return bool(n_common > _MIN_QUADRILATERAL_FRACTION * max(len(points), area))


def _cross(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    product: NDArray[np.float64] = first[0] * second[..., 1] - first[1] * second[..., 0]
    return product


def level_counts(levels: Bytes) -> NDArray[np.int64]:
    """Return how often each level occurs, (256,)."""
    return np.bincount(levels.ravel(), minlength=256)


def otsu(counts: NDArray[np.int64]) -> int:
    """Return the level that divides a histogram best: the lower class is at it or below.

    Otsu (1979) makes w (1 - w) (mean above - mean below)^2 largest, w being the fraction in the lower class.
    Between two classes that do not touch every level is as good, and the middle one is taken. If only one
    level occurs, it is the upper class.
    """
    n_below = np.cumsum(counts)
    sum_below = np.cumsum(counts * np.arange(256))
    n_above = n_below[-1] - n_below
    divided = (n_below > 0) & (n_above > 0)
    if not divided.any():
        return int(counts.argmax()) - 1
    distance = (sum_below[-1] * n_below - n_below[-1] * sum_below)[divided].astype(np.float64)
    spread = np.zeros(256)
    spread[divided] = distance**2 / (n_below * n_above)[divided]
    best = np.flatnonzero(spread >= spread.max() * (1 - 1e-12))
    return int(best[0] + best[-1]) // 2
