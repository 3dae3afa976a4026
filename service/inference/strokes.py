"""How wide the strokes of a drawing are, and making thin ones as wide as those of MNIST."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .mnist_form import INK_SIDE_PX, Bytes

_MIN_SIDE_PX = 8 * INK_SIDE_PX
_THIN_PX = 1.2
_USUAL_PX = 2.4
"""Where a drawing is 20 pixels long: 99 of 100 MNIST digits have wider strokes than the first, half than the second."""


def thicken(darkness: Bytes) -> Bytes | None:
    """Give thin strokes the width that is usual in MNIST; None if they are wide enough as they are.

    Without this, what a fine pen drew on a large sheet would fade to a thread when it is fitted into 20 pixels.
    Each pixel becomes as dark as the darkest one within a square around it.

    Parameters
    ----------
    darkness : 0 for paper to 255 for full ink, (height, width), cropped to the ink.

    Returns
    -------
    The drawing, larger on each side by as much as its strokes grew there; 160 pixels long or more.
    """
    if max(darkness.shape) < _MIN_SIDE_PX:
        scale = _MIN_SIDE_PX / max(darkness.shape)
        height_px, width_px = (max(1, round(side_px * scale)) for side_px in darkness.shape)
        enlarged = Image.fromarray(darkness).resize((width_px, height_px), Image.Resampling.BILINEAR)
        darkness = np.asarray(enlarged)
    unit_px = max(darkness.shape) / INK_SIDE_PX
    width = _stroke_width_px(darkness > 127) / unit_px
    if width >= _THIN_PX:
        return None
    return _widen(darkness, round((_USUAL_PX - width) * unit_px / 2))


def _stroke_width_px(mask: NDArray[np.bool_]) -> float:
    """Twice the area of all strokes over the length of their outline."""
    padded = np.pad(mask, 1)
    n_edges = sum(np.count_nonzero(np.diff(padded, axis=axis)) for axis in (0, 1))
    # Counted along rows and columns, an outline that runs in all directions seems 4/pi times as long.
    return 2 * np.count_nonzero(mask) / max(n_edges * np.pi / 4, 1)


def _widen(darkness: Bytes, reach_px: int) -> Bytes:
    """The maximum over squares of 2 reach + 1 pixels, in a number of steps that grows with its logarithm."""
    wide = np.pad(darkness, 2 * reach_px)
    for _ in range(2):
        wide, span_px = wide.T, 1
        while span_px < 2 * reach_px + 1:
            shift_px = min(span_px, 2 * reach_px + 1 - span_px)
            wide = np.maximum(wide[:-shift_px], wide[shift_px:])
            span_px += shift_px
    return wide
