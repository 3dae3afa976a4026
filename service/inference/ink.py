"""Ink from a relief: which pixels belong to the drawing, and how dark it is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .histogram import level_counts, otsu
from .mnist_form import Bytes, bounding_box
from .paper import Relief

_WORKING_SIDE_PX = 400
_MIN_CONTRAST_LEVELS = 12
_MIN_INK_FRACTION = 1e-4
_NOISE_SIGMAS = 6
_SOFT_SIGMAS = 3

_MARGIN_FRACTION = 0.1
_SOFT_FRACTION = 0.12
"""What is paler than this share of full ink counts as paper: JPEG's ringing beside a stroke is paler."""
_EDGE_FRACTION = 0.4
"""The drawing ends where it is paler than this share of full ink: so enlarged MNIST digits keep their size."""
_SPECK_FRACTION = 0.02
_BLOB_FRACTION = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ink:
    """A drawing, cropped to itself.

    Parameters
    ----------
    darkness : 0 for paper to 255 for full ink, (height, width), at most 400 pixels wide or high.
    side_px : its longer side in the picture.
    n_blobs : the separate parts that hold a tenth of the ink or more.
    n_specks : the smaller ones that were taken away.
    """

    darkness: Bytes
    side_px: int
    n_blobs: int
    n_specks: int


def find_ink(relief: Relief) -> Ink | None:
    """Find the drawing; None if nothing stands out from the paper by more than noise does.

    A part belongs to the drawing if it is dark somewhere and holds more than a fiftieth of the ink of the
    largest part; it then belongs with all its paler edges.
    """
    depth, noise_levels = relief.depth, relief.noise_levels
    full = _full_ink(depth, noise_levels)
    rough = bounding_box(depth > full.threshold) if full else None
    if rough is None:
        return None
    depth = depth[tuple(_with_margin(side) for side in rough)]
    factor = -(-max(depth.shape) // _WORKING_SIDE_PX)
    if factor > 1:
        depth = np.asarray(Image.fromarray(depth).reduce(factor))
        noise_levels /= factor
        full = _full_ink(depth, noise_levels)
    if full is None:
        return None

    import cc3d  # noqa: PLC0415 - nothing but pictures needs it

    soft = min(max(_SOFT_FRACTION * full.level, _SOFT_SIGMAS * noise_levels), full.threshold)
    darkness = np.minimum(depth * np.float32(255 / full.level), 255)
    # As bytes: for booleans, cc3d 4.1.1 now and then gives one part two labels.
    is_ink = (depth > soft).view(np.uint8)
    labels, n_parts = cc3d.connected_components(is_ink, connectivity=8, return_N=True)
    is_dark = np.zeros(n_parts + 1, np.bool_)
    is_dark[labels[depth > full.threshold]] = True
    amounts = np.bincount(labels.ravel(), weights=darkness.ravel(), minlength=n_parts + 1) * is_dark
    kept = amounts > _SPECK_FRACTION * amounts.max()
    darkness[~kept[labels]] = 0
    cropped = crop_to_ink(np.rint(darkness).astype(np.uint8))
    return Ink(
        darkness=cropped,
        side_px=max(cropped.shape) * factor,
        n_blobs=int((amounts > _BLOB_FRACTION * amounts.sum()).sum()),
        n_specks=int((is_dark & ~kept).sum()),
    )


def _with_margin(side: slice) -> slice:
    """Widen a side, for the pale edges outside of it."""
    margin_px = 2 + round(_MARGIN_FRACTION * (side.stop - side.start))
    return slice(max(0, side.start - margin_px), side.stop + margin_px)


def crop_to_ink(darkness: Bytes) -> Bytes:
    """Cut off, on all sides, what is paler than the edge of a drawing is."""
    box = bounding_box(darkness > _EDGE_FRACTION * 255)
    return darkness if box is None else darkness[box]


@dataclass(frozen=True, slots=True)
class _FullInk:
    """``threshold`` divides the pale from the dark; ``level`` is the depth of full ink."""

    threshold: int
    level: float


def _full_ink(depth: Bytes, noise_levels: float) -> _FullInk | None:
    """Measure the ink among all that is deeper than noise; None if nothing is."""
    counts = level_counts(depth)
    counts[: int(_NOISE_SIGMAS * noise_levels) + 1] = 0
    if not counts.any():
        return None
    threshold = otsu(counts)
    counts[: threshold + 1] = 0
    if noise_levels and counts.sum() < _MIN_INK_FRACTION * depth.size:
        return None
    level = float(np.searchsorted(np.cumsum(counts), 0.9 * counts.sum()))
    return _FullInk(threshold, level) if level >= _MIN_CONTRAST_LEVELS else None
