"""The background of a picture: what it would be if nothing were written on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .histogram import level_counts, otsu
from .mnist_form import Bytes, window_extreme

_N_LEVELS = 32


def dark_structure_removed(grey: Bytes, window_px: int) -> Bytes:
    """Return a (height, width) picture without its dark strokes: a closing by reconstruction.

    For each of 32 levels, the pixels at that level or darker fall into connected components. A component into which a
    square of ``window_px`` fits is background: a shadow, a desk, the border of a scan. What is narrower everywhere is a
    stroke, and becomes as light as the background that surrounds it. So a background may have any number of levels
    and sharp edges between them. Source: P. Soille, Morphological Image Analysis (2003), section 6.3.

    Parameters
    ----------
    grey : uint8.
    window_px : odd; wider than strokes.
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


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the start and the stop of every run of True in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.view(np.int8), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
