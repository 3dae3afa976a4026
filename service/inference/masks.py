"""Measures of masks, (height, width), and of the windows around their pixels."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .mnist_form import Bytes

Mask = NDArray[np.bool_]


def bounding_box(mask: Mask) -> tuple[slice, slice] | None:
    """Return the rows and columns that hold every True of a (height, width) mask, or None if there is none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def runs(mask: Mask) -> list[tuple[int, int]]:
    """Return the start and the stop of every run of True in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.view(np.int8), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def stroke_width_px(mask: Mask) -> float:
    """Twice the area of all strokes over the length of their outline."""
    padded = np.pad(mask, 1)
    n_edges = sum(np.count_nonzero(np.diff(padded, axis=axis)) for axis in (0, 1))
    # Counted along rows and columns, an outline that runs in all directions seems 4/pi times as long.
    return 2 * np.count_nonzero(mask) / max(n_edges * np.pi / 4, 1)


def window_extreme(image: Bytes, side_px: int, extreme: Callable[[Bytes, Bytes], Bytes]) -> Bytes:
    """Return the extreme (np.maximum or np.minimum) of the square of odd ``side_px`` around each pixel.

    The window is doubled until it has its size, so the cost grows with the logarithm of the side.
    """
    radius = side_px // 2
    image = np.pad(image, radius, mode="edge")
    for _ in range(2):
        span = 1
        while span < side_px:
            shift = min(span, side_px - span)
            image = extreme(image[:-shift], image[shift:])
            span += shift
        image = image.T
    return image


def widened(mask: Mask, reach_px: int) -> Mask:
    """Return the pixels within a square that reaches so far around any pixel of a mask."""
    return window_extreme(mask.view(np.uint8), 2 * reach_px + 1, np.maximum).view(np.bool_)
