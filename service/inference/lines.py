"""Printed lines around and below a digit: frames, boxes of forms, cells of tables, ruled and squared paper."""

import numpy as np

from .masks import Mask, runs, widened
from .mnist_form import Bytes
from .parts import parts

Band = tuple[int, int]

_MIN_SIDE_PX = 40
"""In a smaller component the round top of a 0 is as straight as a line."""
_STRAIGHT_FRACTION = 0.75
_MAX_BESIDE_FRACTION = 0.6
_SLOPE_FRACTION = 0.012
_MAX_RULE_FRACTION = 0.03
_MAX_FRAME_FRACTION = 0.07
_MIN_CROSSING_FRACTION = 0.97
_INK_GAIN = 1.4


def find_lines(mask: Mask, depth: Bytes) -> tuple[Mask, int]:
    """Find straight horizontal and vertical lines that no digit has; return their pixels and their number.

    Those are two of each direction in one connected component (a frame, whether or not the digit touches it), or any
    that cross the whole picture. Where a stroke crosses a line, its pixels are not counted: there is ink on both sides
    of the line, or they are much darker than the line. ``mask``, (height, width), is what differs from the background,
    ``depth`` by how many levels.
    """
    of_lines, n_lines = np.zeros_like(mask), 0
    labels, components = parts(mask, depth)
    for part in components:
        box = part.box.slices
        component = labels[box] == part.label
        spans = component.shape[0] / mask.shape[0], component.shape[1] / mask.shape[1]
        if min(component.shape) < _MIN_SIDE_PX and max(spans) < 1:
            continue
        thickest_px = max(2.0, _MAX_RULE_FRACTION * min(mask.shape))
        frame_px = max(3.0, _MAX_FRAME_FRACTION * min(component.shape))
        bands = [_straight_bands(component, frame_px), _straight_bands(component.T, frame_px)]
        if min(map(len, bands)) < 2:
            bands = [
                [band for band in of_axis if band[1] - band[0] <= thickest_px + 2 * _tolerance_px(length)]
                if span >= _MIN_CROSSING_FRACTION
                else []
                for of_axis, span, length in zip(bands, spans[::-1], component.shape[::-1], strict=True)
            ]
        here = of_lines[box]
        here |= _pixels_of(component, depth[box], bands[0]) | _pixels_of(component.T, depth[box].T, bands[1]).T
        n_lines += sum(map(len, bands))
    return of_lines, n_lines


def _tolerance_px(length_px: int) -> int:
    """By how much a line of a length may lean or bend."""
    return max(1, round(_SLOPE_FRACTION * length_px))


def _straight_bands(component: Mask, max_width_px: float) -> list[Band]:
    """Return the bands of rows, not wider than allowed, that are inked over most of the component's width."""
    tolerance = _tolerance_px(component.shape[1])
    tall = component.copy()
    for shift in range(1, tolerance + 1):
        tall[shift:] |= component[:-shift]
        tall[:-shift] |= component[shift:]
    straight = runs(tall.mean(axis=1) > _STRAIGHT_FRACTION)
    inked = np.pad(component.mean(axis=1), 2)
    return [
        (start, stop)
        for start, stop in straight
        if stop - start <= max_width_px + 2 * tolerance
        # Beside a line there is little; a bold round stroke ends gradually.
        and max(*inked[start : start + 2], *inked[stop + 2 : stop + 4]) < _MAX_BESIDE_FRACTION
    ]


def _pixels_of(component: Mask, depth: Bytes, bands: list[Band]) -> Mask:
    """Return the pixels in bands of rows that belong to lines, and not to strokes that cross them."""
    of_lines = np.zeros_like(component)
    for start, stop in bands:
        in_band = component[start:stop]
        usual = np.median(depth[start:stop].max(axis=0)[in_band.any(axis=0)])
        # To both sides, as strokes cross at a slant; beyond the component there is nothing.
        edges = np.pad(component, ((1, 1), (0, 0)))[[start, stop + 1]]
        above, below = (widened(edge[np.newaxis], (stop - start) // 2)[0] for edge in edges)
        crossed = above & below
        if crossed.mean() > 0.5:  # not strokes: the band has another line beside it
            crossed = np.zeros_like(crossed)
        of_lines[start:stop] = in_band & ~crossed & (depth[start:stop] <= _INK_GAIN * usual)
    return of_lines
