"""The width of strokes, brought to what is usual in MNIST: thin ones are thickened, thick ones thinned."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .masks import Mask, bounding_box, stroke_width_px, window_extreme
from .mnist_form import INK_SIDE_PX, Bytes

Floats32 = NDArray[np.float32]

_MIN_SIDE_PX = 8 * INK_SIDE_PX
_THIN_PX = 1.2
_USUAL_PX = 2.4
"""Where a drawing is 20 pixels long: 99 of 100 MNIST digits have wider strokes than the first, half than the second."""
_THICK_PX = 4.4

_PEN_SIDE_PX = 128
_PEN_TOLERANCE_PX = 0.4
_ROUND_FRACTION, _OPEN_FRACTION = 0.98, 0.96
"""Of the ink, what an opening keeps: with the round pen of a drawing program, and with any pen."""
_PEN_FRACTION = 0.96
"""Of the estimated radius of a pen: somewhat too small a pen leaves strokes wide, too large a one breaks them."""
_NOTCH_FRACTION, _NOTCH_TOLERANCE = 0.4, 0.05
"""Of the radius of the pen: the disc that fills notches, and by how much the outline is further away at a notch."""
_NEW_RADIUS, _MAX_STRIP, _BORDER = 1.4, 0.8, 0.5
"""Where the new drawing is 20 pixels long: radius of the new pen, and half the width of strips and of borders."""
_FILLING_FRACTION, _GUESS_FRACTION = 0.24, 0.36
"""Of the drawing's length, the width of a pen that fills loops, and of one that leaves little to know its path from."""
_MAX_WIDE = 8.0
"""Square pixels of that drawing: with more of wide places, loops are filled that the digit needs."""
_FAR_PX = 10_000


class Redrawn(NamedTuple):
    """A drawing, 0 for paper to 255 for full ink, with strokes of another width, and what was done.

    ``is_guess`` says whether thick strokes had filled so much of its inside that their path is hardly known.
    """

    darkness: Bytes
    step: str
    is_guess: bool = False


def redraw(darkness: Bytes) -> Redrawn | None:
    """Give the strokes of a drawing, (height, width), cropped to its ink, a usual width; None if they have it."""
    return _thickened(darkness) or _thinned(darkness)


def _thickened(darkness: Bytes) -> Redrawn | None:
    """Give thin strokes the width that is usual in MNIST; None if they are wide enough.

    Without this, the strokes of a fine pen on a large sheet would nearly vanish in 20 pixels. Each pixel becomes as
    dark as the darkest one within a square around it. The drawing, of 160 pixels or more, grows as its strokes do.
    """
    darkness = _scaled(darkness, max(_MIN_SIDE_PX, *darkness.shape))
    unit_px = max(darkness.shape) / INK_SIDE_PX
    width = stroke_width_px(darkness > 127) / unit_px
    if width >= _THIN_PX:
        return None
    reach_px = round((_USUAL_PX - width) * unit_px / 2)
    wide = window_extreme(np.pad(darkness, reach_px), 2 * reach_px + 1, np.maximum)
    return Redrawn(wide, f"thickened thin strokes, {100 * width / INK_SIDE_PX:.0f} % of the digit's length")


def _thinned(darkness: Bytes) -> Redrawn | None:
    """Redraw the thick strokes of a small drawing with a usual pen; None if they are not thick.

    The pen is the largest disc of which the drawing is made: an opening with it keeps nearly all of the ink. Its centre
    can have been wherever the disc fits into the ink (an erosion). Where those places form a narrow strip, that is the
    path of the pen. Where they are wide, the pen has filled a loop or an angle, and its path was along their border.
    It was not along those arcs of the border that share one nearest point outside, a notch in the outline, where
    two strokes meet. A closing with a small disc fills the notches, and so distinguishes them from the other outline.
    """
    width = stroke_width_px(darkness > 127) * INK_SIDE_PX / max(darkness.shape)
    if width < _THICK_PX:
        return None
    margin_px = _PEN_SIDE_PX // 6
    ink = np.pad(_scaled(darkness, _PEN_SIDE_PX) > 127, margin_px)
    depths = _distances(ink)
    inside = np.s_[margin_px:-margin_px, margin_px:-margin_px]
    pen_px = _PEN_FRACTION * _pen_radius_px(ink[inside], depths[inside], _ROUND_FRACTION)
    # With a narrower pen, loops that a digit needs would be open; it may be one that draws corners.
    is_filled = 2 * pen_px > _FILLING_FRACTION * _PEN_SIDE_PX
    if not is_filled:
        pen_px = _pen_radius_px(ink[inside], depths[inside], _OPEN_FRACTION)
    places = depths >= pen_px
    box = bounding_box(places)
    if box is None:
        return None
    unit_px = max(side.stop - side.start for side in box) / (INK_SIDE_PX - 2 * _NEW_RADIUS)
    depths_in_places = _distances(places)
    wide = (depths_in_places > _MAX_STRIP * unit_px) & is_filled
    path = places
    if wide.any():
        notch_px = _NOTCH_FRACTION * pen_px
        closed = ink | ~_is_within(notch_px, _is_within(notch_px, ~ink))
        beside_notch = ~_is_within((1 + _NOTCH_TOLERANCE) * pen_px, closed)
        narrow = places & ~_is_within(_MAX_STRIP * unit_px + 1, ~wide)
        border = places & (depths_in_places <= max(0.5, _BORDER * unit_px)) & ~beside_notch
        if (narrow | border).any():
            path = narrow | border
    # Antialiased over half a unit, as the edges of digits in MNIST are.
    edge_px = max(unit_px / 2, 1)
    level = (_NEW_RADIUS * unit_px - _distances(~path, _NEW_RADIUS * unit_px + edge_px)) / edge_px + 0.5
    return Redrawn(
        np.rint(255 * level.clip(0, 1)).astype(np.uint8),
        f"thinned thick strokes, {100 * width / INK_SIDE_PX:.0f} % of the digit's length",
        is_guess=bool(wide.sum() > _MAX_WIDE * unit_px**2) and 2 * pen_px > _GUESS_FRACTION * _PEN_SIDE_PX,
    )


def _pen_radius_px(ink: Mask, depths: Floats32, kept_fraction: float) -> float:
    """Return the radius of the largest disc that keeps a fraction of the ink when it is opened with it."""
    low, high, n_pixels = 0.5, float(depths.max()), np.count_nonzero(ink)
    while high - low > _PEN_TOLERANCE_PX:
        middle = (low + high) / 2
        opened = ink & _is_within(middle, depths < middle)
        if np.count_nonzero(opened) >= kept_fraction * n_pixels:
            low = middle
        else:
            high = middle
    return low


def _is_within(limit_px: float, mask: Mask) -> Mask:
    """Return which pixels are at most so far from the nearest pixel that is not in a mask, or are not in it.

    Without the distances themselves it takes a fifth of the time.
    """
    most = int((limit_px + 0.5) ** 2)  # of a drawing of fewer than 200 pixels a side
    squares = np.minimum(_distances_in_columns(mask), 255).astype(np.uint16) ** 2
    within: Mask = squares <= most
    for shift in range(1, min(mask.shape[1], math.isqrt(most) + 1)):
        is_near = squares <= most - shift * shift
        within[:, shift:] |= is_near[:, :-shift]
        within[:, :-shift] |= is_near[:, shift:]
    return within


def _distances(mask: Mask, limit_px: float = _FAR_PX) -> Floats32:
    """Return the Euclidean distance of each pixel of a mask from the border of the nearest pixel that is not in it.

    The squared distance is separable: the nearest pixel of each column first, then the nearest of the columns. Source:
    P. Felzenszwalb and D. Huttenlocher, Distance Transforms of Sampled Functions (2012). Without any such pixel, or
    outside of the mask, the values say only that; beyond ``limit_px`` only that they are beyond it.
    """
    squares = _distances_in_columns(mask).astype(np.float32) ** 2
    nearest = squares.copy()
    for shift in range(1, min(mask.shape[1], int(limit_px) + 2)):
        step = np.float32(shift * shift)
        if step >= nearest.max():
            break
        np.minimum(nearest[:, shift:], squares[:, :-shift] + step, out=nearest[:, shift:])
        np.minimum(nearest[:, :-shift], squares[:, shift:] + step, out=nearest[:, :-shift])
    distances: Floats32 = np.sqrt(nearest) - np.float32(0.5)
    return distances


def _distances_in_columns(mask: Mask) -> NDArray[np.int16]:
    """Return how far the nearest pixel of each one's column is that is not in a mask; some 10,000 if there is none."""
    rows = np.arange(len(mask), dtype=np.int16)[:, np.newaxis]
    above = rows - np.maximum.accumulate(np.where(mask, np.int16(-_FAR_PX), rows))
    below = np.minimum.accumulate(np.where(mask, np.int16(_FAR_PX), rows)[::-1])[::-1] - rows
    nearest: NDArray[np.int16] = np.minimum(above, below)
    return nearest


def _scaled(darkness: Bytes, side_px: int) -> Bytes:
    """Return a drawing whose longer side has so many pixels."""
    scale = side_px / max(darkness.shape)
    if scale == 1:
        return darkness
    height_px, width_px = (max(1, round(side * scale)) for side in darkness.shape)
    return np.asarray(Image.fromarray(darkness).resize((width_px, height_px), Image.Resampling.BILINEAR))
