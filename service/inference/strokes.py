"""The width of strokes, brought to what is usual in MNIST: thin ones are thickened, thick ones thinned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .mnist_form import INK_SIDE_PX, Bytes, stroke_width_px, window_extreme

Mask = NDArray[np.bool_]

_MIN_SIDE_PX = 8 * INK_SIDE_PX
_THIN_PX = 1.2
_USUAL_PX = 2.4
"""Where a drawing is 20 pixels long: 99 of 100 MNIST digits have wider strokes than the first, half than the second."""
_THICK_PX = 4.4
_THINNED_PX = 3.2
_PEN_SIDE_PX = 80
_OPEN_FRACTION = 0.96


def thicken(darkness: Bytes) -> Bytes | None:
    """Give thin strokes the width that is usual in MNIST; None if they are wide enough.

    Without this, the strokes of a fine pen on a large sheet would nearly vanish in 20 pixels.
    Each pixel becomes as dark as the darkest one within a square around it.

    Parameters
    ----------
    darkness : 0 for paper to 255 for full ink, (height, width), cropped to the ink.

    Returns
    -------
    The drawing, larger on each side by the growth of its strokes; 160 pixels long or more.
    """
    darkness = _scaled(darkness, max(_MIN_SIDE_PX, *darkness.shape))
    unit_px = max(darkness.shape) / INK_SIDE_PX
    width = stroke_width_px(darkness > 127) / unit_px
    if width >= _THIN_PX:
        return None
    reach_px = round((_USUAL_PX - width) * unit_px / 2)
    return window_extreme(np.pad(darkness, reach_px), 2 * reach_px + 1, np.maximum)


def thin(darkness: Bytes) -> Bytes | None:
    """Give the thick strokes of a small drawing the width of a usual pen; None if they are not thick.

    The pen is the largest octagon of which the drawing is made: an opening with it keeps nearly all of the ink. An
    erosion by less than the pen's radius breaks no stroke. Loops that the pen has filled stay filled.

    Returns
    -------
    The drawing, smaller on each side by the loss of its strokes; about 160 pixels long or more before that.
    """
    if stroke_width_px(darkness > 127) * INK_SIDE_PX / max(darkness.shape) < _THICK_PX:
        return None
    small = np.pad(_scaled(darkness, _PEN_SIDE_PX) > 127, 1)
    radius_px = _pen_radius_px(small)
    # The drawing becomes shorter by as much as its strokes become thinner, and is enlarged again.
    share = _THINNED_PX / INK_SIDE_PX
    surplus = ((2 * radius_px + 1) / _PEN_SIDE_PX - share) / (1 - share)
    if surplus <= 0:
        return None
    enlarged = np.pad(_scaled(darkness, max(_MIN_SIDE_PX, *darkness.shape)), 1)
    return _eroded(enlarged, round(surplus * max(enlarged.shape) / 2))


def _pen_radius_px(mask: Mask) -> int:
    """Return the radius of the largest octagon that keeps nearly all of a mask when the mask is opened with it."""
    low, high, n_pixels = 0, _PEN_SIDE_PX // 2, np.count_nonzero(mask)
    while high - low > 1:
        middle = (low + high) // 2
        opened = 255 - _eroded(255 - _eroded(mask.view(np.uint8) * np.uint8(255), middle), middle)
        if np.count_nonzero(opened) >= _OPEN_FRACTION * n_pixels:
            low = middle
        else:
            high = middle
    return low


def _eroded(image: Bytes, radius_px: int) -> Bytes:
    """Return the minimum over the octagon around each pixel: 3x3 squares and crosses in turn, as their sum is round."""
    for step in range(radius_px):
        padded = np.pad(image, 1, mode="edge")
        if step % 2:
            rows = np.minimum(np.minimum(padded[:-2], padded[1:-1]), padded[2:])
            image = np.minimum(np.minimum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
        else:
            across = np.minimum(padded[1:-1, :-2], padded[1:-1, 2:])
            image = np.minimum(np.minimum(padded[:-2, 1:-1], padded[2:, 1:-1]), np.minimum(across, image))
    return image


def _scaled(darkness: Bytes, side_px: int) -> Bytes:
    """Return a drawing whose longer side has so many pixels."""
    scale = side_px / max(darkness.shape)
    if scale == 1:
        return darkness
    height_px, width_px = (max(1, round(side * scale)) for side in darkness.shape)
    return np.asarray(Image.fromarray(darkness).resize((width_px, height_px), Image.Resampling.BILINEAR))
