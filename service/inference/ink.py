"""The ink of one digit in a picture: separated from its background and from printed lines, in full resolution."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .background import dark_structure_removed, level_counts, otsu, sheet_outline
from .lines import find_lines
from .masks import Mask, bounding_box, runs, stroke_width_px, widened, window_extreme
from .mnist_form import Bytes
from .parts import Box, Part, box_around, joined_strokes, parts

Step = tuple[str, Bytes]
"""What was done, and the picture after it."""

_LOCATING_SIDE_PX = 256
_WORKING_SIDE_PX = 400
_WINDOW_FRACTION = 0.25
_EVEN_WINDOW_FRACTION = 0.3
_MAX_INK_FRACTION = 0.25
_FRAME_FRACTION = 0.02
_EVEN_LEVELS = 8
_MAX_FRAME_INK_FRACTION = 0.01
_SMALL_SIDE_PX = 64
_MAX_SMALL_FRAME_INK_FRACTION = 0.3
_LIT_LEVELS = 10
_MIN_LIGHT_LEVELS = 32

_MIN_CONTRAST_LEVELS = 12
_MIN_INK_FRACTION = 1e-4
_NOISE_SIGMAS = 6
_SOFT_SIGMAS = 3
_WEAK_FRACTION = 0.4
"""Structure with less contrast than this fraction of the other polarity's is no ink."""

_LINE_FRACTION = 0.2
_MIN_REST_FRACTION = 0.05
_MIN_PART_PX = 4
_BLOB_RATIO = 0.5
_MIN_PART_FRACTION = 0.02
_NEAR_FRACTION = 0.35
REACH_FRACTION = 0.05

_SOFT_FRACTION = 0.12
"""What is paler than this fraction of full ink counts as paper: JPEG's ringing beside a stroke is paler."""
_EDGE_FRACTION = 0.4
"""The drawing ends where it is paler than this fraction of full ink: so enlarged MNIST digits keep their size."""
_SPECK_FRACTION = 0.02
_BLOB_FRACTION = 0.1
_CUT_DEPTH, _CUT_RATIO, _MAX_CUT_WIDTH = 0.5, 0.9, 1.8
"""Of the width of strokes: how far inside it is measured, which share of that it has at the border, and its most."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ink:
    """A digit, cropped to itself.

    Parameters
    ----------
    darkness : 0 for paper to 255 for full ink, (height, width), at most 400 pixels wide or high.
    side_px : its longer side in the picture.
    n_blobs : the separate digits, in all of the picture, that hold a tenth of the ink or more.
    is_cut_off : whether strokes go on beyond the border of the picture.
    steps : of finding it, in order.
    """

    darkness: Bytes
    side_px: int
    n_blobs: int
    is_cut_off: bool
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Relief:
    """A picture without its background.

    Parameters
    ----------
    is_dark : whether the ink is darker than its background.
    background : the levels of what is written on; of the inverted picture, if ink is light.
    depth : distance of each pixel from the background, in the direction of the ink, in levels of 0..255.
    full : contrast of the ink.
    """

    is_dark: bool
    background: Bytes
    depth: Bytes
    full: FullInk

    def is_lit(self, box: tuple[slice, slice] = np.s_[:, :]) -> bool:
        """Whether the background in a box, by default all of it, is so uneven that lighting must be the reason."""
        return int(np.ptp(self.background[box])) > _LIT_LEVELS

    def depth_of(self, grey: Bytes, background: Bytes, *, is_lit: bool) -> Bytes:
        """Return the depth of grey levels before a background.

        Ink reflects a fraction of the light that falls on it, so its depth is smaller where there is less light: of
        dark ink that is unevenly lit, the depth is what it would be on white.
        """
        levels = grey if self.is_dark else 255 - grey
        if not (is_lit and self.is_dark):
            return background - np.minimum(levels, background)
        light = 255 / background.clip(_MIN_LIGHT_LEVELS).astype(np.float32)
        depth: Bytes = np.rint(((background.astype(np.float32) - levels) * light).clip(0, 255)).astype(np.uint8)
        return depth

    @property
    def background_removed(self) -> str:
        """The step that it is."""
        return f"removed the background, from which ink differs by {round(self.full.level)} levels"


@dataclass(frozen=True, slots=True, kw_only=True)
class FullInk:
    """``threshold`` divides the pale from the dark; ``level`` is the depth of full ink."""

    threshold: int
    level: float

    def darkness(self, depth: Bytes) -> Bytes:
        """Return depths as 0 for paper to 255 for full ink."""
        darkness: Bytes = np.rint(np.minimum(depth * np.float32(255 / self.level), 255)).astype(np.uint8)
        return darkness


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """The parts of a relief that may be strokes.

    ``structure`` has all strong parts, ``strokes`` those without lines and blobs; ``labels`` and ``of_lines``, the
    pixels of removed lines, are (height, width).
    """

    relief: Relief
    structure: list[Part]
    strokes: list[Part]
    labels: NDArray[np.integer]
    of_lines: Mask
    n_lines: int

    @property
    def lines_removed(self) -> str:
        """The step in which they were removed."""
        return f"removed {self.n_lines} printed {'line' if self.n_lines == 1 else 'lines'}"

    def reach(self, strokes: list[Part], reach_px: int) -> tuple[Mask, Mask]:
        """Return which pixels are of some strokes, and which are theirs or near them and of nothing else."""
        own = np.isin(self.labels, [part.label for part in strokes])
        others = ((self.labels > 0) | self.of_lines) & ~own
        return own, widened(own, reach_px) & ~(widened(others, 1) & ~own)


def find_ink(grey: Bytes) -> Ink | None:
    """Find the digit in a (height, width) picture; None if no stroke stands out from the background.

    The strokes are located where the picture is reduced to 256 pixels or less. The digit is the largest stroke with
    those near it, and is cut out in full resolution.
    """
    factor = -(-max(grey.shape) // _LOCATING_SIDE_PX)
    small = np.asarray(Image.fromarray(grey).reduce(factor)) if factor > 1 else grey
    located = locate_strokes(small)
    return None if located is None else _cut_out(grey, located, _near_the_largest(located.strokes), factor)


def locate_strokes(grey: Bytes) -> Candidate | None:
    """Separate all strokes of a (height, width) picture from its background and from printed lines.

    Both dark and light structures are tried. Of two with similar contrast, the one whose box encloses the other is the
    ink, and the other is what the ink encloses.
    """
    noise_levels = _noise_levels(grey)
    reliefs = _reliefs(grey, noise_levels)
    strongest = max((relief.full.level for relief in reliefs), default=0.0)
    found = [_candidate(relief, noise_levels, strongest) for relief in reliefs]
    candidates = [candidate for candidate in found if candidate is not None]
    return _ink_of(candidates) if candidates else None


def _on_sheet(ink: Candidate, paper: Candidate) -> Candidate | None:
    """Return ink without what is not on the largest part of the other polarity, if that is a sheet of paper.

    A sheet that is too narrow to be background is a filled quadrilateral that encloses ink.
    """
    sheet = max(paper.strokes, key=lambda part: part.amount)
    shape, box = paper.labels.shape, sheet.box
    if box.touches_border(shape) or box.side_px <= _WINDOW_FRACTION * min(shape):
        return None
    outline = sheet_outline(paper.labels[box.slices] == sheet.label)
    if outline is None:
        return None
    n_pixels = np.bincount(ink.labels[box.slices][outline], minlength=int(ink.labels.max()) + 1)
    written = [part for part in ink.strokes if n_pixels[part.label] > part.n_pixels / 2]
    return replace(ink, strokes=written) if written else None


def _noise_levels(grey: Bytes) -> float:
    """Standard deviation of the noise, from the median difference of neighbours."""
    differences = np.abs(np.diff(grey.astype(np.int16), axis=1))
    return 1.4826 * float(np.median(differences)) / math.sqrt(2)


def _reliefs(grey: Bytes, noise_levels: float) -> list[Relief]:
    """Return the dark and the light structures of a picture, as far as there are any."""
    even = _even_paper(grey, noise_levels)
    window_px = max(5, int(_WINDOW_FRACTION * min(grey.shape))) | 1
    reliefs = []
    for is_dark in (True, False):
        oriented = grey if is_dark else 255 - grey
        if even is None:
            background = dark_structure_removed(oriented, window_px)
            # The closing of noise is its upper envelope; most of a picture is background, so the median is its bias.
            bias = np.uint8(np.median(background - oriented))
            background = background - np.minimum(bias, background)
        else:
            background = np.full_like(oriented, even if is_dark else 255 - even)
        depth = background - np.minimum(oriented, background)
        full = full_ink(depth, noise_levels)
        if full is not None:
            reliefs.append(Relief(is_dark=is_dark, background=background, depth=depth, full=full))
    return reliefs


def _even_paper(grey: Bytes, noise_levels: float) -> int | None:
    """Return the level of a paper that fills the picture evenly and holds few and narrow strokes, if it is like that.

    Then there is nothing to reconstruct: the background is that level. Small pictures are taken for nothing else if
    most of their frame is even, as strokes may fill them and reach the frame.
    """
    width_px = max(1, round(_FRAME_FRACTION * min(grey.shape)))
    sides = grey[:width_px], grey[-width_px:], grey[:, :width_px], grey[:, -width_px:]
    frame = np.concatenate([side.ravel() for side in sides]).astype(np.int16)
    level = int(np.median(frame))
    limit = max(_NOISE_SIGMAS * noise_levels, _EVEN_LEVELS)
    is_small = max(grey.shape) <= _SMALL_SIDE_PX
    if np.mean(np.abs(frame - level) > limit) > (
        _MAX_SMALL_FRAME_INK_FRACTION if is_small else _MAX_FRAME_INK_FRACTION
    ):
        return None
    if is_small:
        return level
    differs = (np.abs(grey.astype(np.int16) - level) > limit).view(np.uint8)
    if differs.mean() > _MAX_INK_FRACTION:
        return None
    window_px = max(5, int(_EVEN_WINDOW_FRACTION * min(grey.shape))) | 1
    return None if window_extreme(differs, window_px, np.minimum).any() else level


def _candidate(relief: Relief, noise_levels: float, strongest: float) -> Candidate | None:
    """Separate the strokes of a relief from printed lines and from blobs; None if there are none."""
    full, depth = relief.full, relief.depth
    if full.level < _WEAK_FRACTION * strongest:
        return None
    threshold = max(min(0.75 * full.threshold, strongest / 2), 0.3 * strongest, _NOISE_SIGMAS * noise_levels)
    mask = depth > threshold
    _, structure = parts(mask, depth)
    if not structure:
        return None
    most = max(part.amount for part in structure)
    structure = [part for part in structure if part.amount > 0.05 * most]
    # A thin line may have lost half of its contrast where the picture was reduced.
    of_lines, n_lines = find_lines(depth > max(_LINE_FRACTION * strongest, _NOISE_SIGMAS * noise_levels), depth)
    labels, remaining = parts(mask & ~of_lines, depth)
    if sum(part.amount for part in remaining) < _MIN_REST_FRACTION * sum(part.amount for part in structure):
        of_lines, n_lines = np.zeros_like(mask), 0  # an angular 0 or 8 is no frame around nothing
        labels, remaining = parts(mask, depth)
    if noise_levels:
        remaining = [part for part in remaining if part.n_pixels >= _MIN_PART_PX]
    narrow = [part for part in remaining if not _is_blob(part, labels)]
    strokes = narrow or remaining
    if not strokes:
        return None
    return Candidate(
        relief=relief, structure=structure, strokes=strokes, labels=labels, of_lines=of_lines, n_lines=n_lines
    )


def _is_blob(part: Part, labels: NDArray[np.integer]) -> bool:
    """Whether a part is large, and about as wide as long."""
    if part.box.side_px <= _WINDOW_FRACTION * min(labels.shape):
        return False
    return stroke_width_px(labels[part.box.slices] == part.label) > _BLOB_RATIO * part.box.side_px


def _ink_of(candidates: list[Candidate]) -> Candidate:
    """Choose between dark and light structures.

    Ink is what is on a sheet of paper; else what encloses the other, or else the one with more ink inside.
    """
    if len(candidates) == 1:
        return candidates[0]
    first, second = candidates
    for ink, paper in ((first, second), (second, first)):
        if (on_sheet := _on_sheet(ink, paper)) is not None:
            return on_sheet
    for parts_of in (lambda candidate: candidate.structure, _inner_parts):
        if parts_of(first) and parts_of(second):
            first_in_second = _enclosed(parts_of(first), parts_of(second))
            second_in_first = _enclosed(parts_of(second), parts_of(first))
            if second_in_first > 0.9 >= first_in_second:
                return first
            if first_in_second > 0.9 >= second_in_first:
                return second
    return max(candidates, key=lambda candidate: sum(part.amount for part in _inner_parts(candidate)))


def _inner_parts(candidate: Candidate) -> list[Part]:
    """Return the parts that do not touch the border, where the cells of a table are cut off."""
    return [part for part in candidate.structure if not part.box.touches_border(candidate.labels.shape)]


def _enclosed(inner: list[Part], outer: list[Part]) -> float:
    """Return the share of the ink of some parts in the box of others."""
    around = np.array(box_around(part.box for part in outer)) + np.array([-2, -2, 2, 2])
    boxes, amounts = np.array([part.box for part in inner]), np.array([part.amount for part in inner])
    is_inside = (boxes[:, :2] >= around[:2]).all(axis=1) & (boxes[:, 2:] <= around[2:]).all(axis=1)
    return float(amounts[is_inside].sum() / amounts.sum())


def _near_the_largest(strokes: list[Part]) -> list[Part]:
    """Return the largest stroke, and those that are near it or near those that are: the hat of a 5, a broken line."""
    most = max(part.amount for part in strokes)
    waiting = sorted((p for p in strokes if p.amount > _MIN_PART_FRACTION * most), key=lambda p: -p.amount)
    digit = [waiting.pop(0)]
    while True:
        box = box_around(part.box for part in digit)
        gap = _NEAR_FRACTION * box.side_px
        near = [
            part
            for part in waiting
            if part.box.top < box.bottom + gap
            and part.box.bottom > box.top - gap
            and part.box.left < box.right + gap
            and part.box.right > box.left - gap
        ]
        if not near:
            return digit
        digit += near
        waiting = [part for part in waiting if part not in near]


def _cut_out(grey: Bytes, chosen: Candidate, digit: list[Part], factor: int) -> Ink | None:
    """Measure the depth of a digit in full resolution, and crop the picture to it.

    A pale edge belongs to the digit if it is connected to dark ink and near to it.
    """
    relief = chosen.relief
    box_of_digit = box_around(part.box for part in digit)
    reach_px = max(1, round(REACH_FRACTION * box_of_digit.side_px))
    small_box = box_of_digit.widened(2 + reach_px).slices
    box = tuple(slice(side.start * factor, side.stop * factor) for side in small_box)
    crop = grey[box]

    of_digit, near = chosen.reach(digit, reach_px)
    near = _enlarged(near[small_box].view(np.uint8) * np.uint8(255), factor, crop.shape, Image.Resampling.NEAREST) > 0
    background = _enlarged(relief.background[small_box], factor, crop.shape, Image.Resampling.BILINEAR)

    is_lit = relief.is_lit(small_box)
    depth = relief.depth_of(crop, background, is_lit=is_lit)
    depth[~near] = 0
    reduction = -(-max(depth.shape) // _WORKING_SIDE_PX)
    if reduction > 1:
        depth = np.asarray(Image.fromarray(depth).reduce(reduction))
    noise_levels = _noise_levels(crop) / reduction
    full = full_ink(depth, noise_levels)
    if full is None:
        return None
    darkness, components = _darkness(depth, full, noise_levels)
    cropped = crop_to_ink(darkness)
    n_blobs, n_specks = _counts(chosen, digit, components)
    width_px, height_px = cropped.shape[1] * reduction, cropped.shape[0] * reduction
    lighting = relief.background[small_box] if is_lit else None
    return Ink(
        darkness=cropped,
        side_px=max(width_px, height_px),
        n_blobs=n_blobs,
        is_cut_off=_is_cut_off(cropped, box_of_digit, chosen.labels.shape),
        steps=(
            *_steps(grey, chosen, lighting, of_digit, n_specks),
            (f"cropped to the ink, {width_px}x{height_px} pixels", cropped),
        ),
    )


def _counts(chosen: Candidate, digit: list[Part], components: list[Part]) -> tuple[int, int]:
    """Return how many separate digits and how many specks there are: what is far from the digit may be either."""
    far = np.array([part.amount for part in chosen.strokes if part not in digit]) / sum(part.amount for part in digit)
    kept = [part for part in components if part.amount > _SPECK_FRACTION * max(one.amount for one in components)]
    digits = np.array([sum(part.amount for part in strokes) for strokes in joined_strokes(kept)])
    n_blobs = int((digits > _BLOB_FRACTION * digits.sum()).sum() + (far > _BLOB_FRACTION).sum())
    return n_blobs, len(components) - len(kept) + int((far <= _BLOB_FRACTION).sum())


def _steps(grey: Bytes, chosen: Candidate, lighting: Bytes | None, of_digit: Mask, n_specks: int) -> Iterator[Step]:
    """Yield what was done before the cropping; ``lighting`` is the uneven background of the digit, if it is uneven."""
    relief = chosen.relief
    oriented = 255 - grey
    if lighting is not None:
        levels = lighting if relief.is_dark else 255 - lighting
        oriented = relief.depth
        name = f"evened out the lighting, where the background is from {levels.min()} to {levels.max()}"
        yield name, 255 - oriented if relief.is_dark else oriented
    if relief.is_dark:
        yield "inverted, as the ink is darker than its background", oriented
    yield relief.background_removed, relief.depth
    if chosen.n_lines:
        yield chosen.lines_removed, relief.depth * ~chosen.of_lines
    if n_specks:
        yield f"removed {n_specks} {'speck' if n_specks == 1 else 'specks'}", relief.depth * of_digit


def _is_cut_off(darkness: Bytes, box: Box, shape: tuple[int, ...]) -> bool:
    """Whether strokes of a cropped digit go on beyond the border of the picture.

    There, they are as wide as farther inside; what only touches the border is round or flat. What touches opposite
    sides was cropped to itself.
    """
    top, left, bottom, right = box.top == 0, box.left == 0, box.bottom == shape[0], box.right == shape[1]
    if (top and bottom) or (left and right):
        return False
    mask = darkness > _EDGE_FRACTION * 255
    width_px = stroke_width_px(mask)
    depth_px = max(1, round(_CUT_DEPTH * width_px))
    for turn, is_border in enumerate((top, right, bottom, left)):
        inward = np.rot90(mask, turn)
        if not is_border or len(inward) <= depth_px:
            continue
        for start, stop in runs(inward[0]):
            inside = [there - here for here, there in runs(inward[depth_px]) if here < stop and there > start]
            if len(inside) == 1 and _CUT_RATIO * inside[0] < stop - start < _MAX_CUT_WIDTH * width_px:
                return True
    return False


def _enlarged(small: Bytes, factor: int, shape: tuple[int, int], resampling: Image.Resampling) -> Bytes:
    """Enlarge by a whole factor and cut off what the reduction had filled up."""
    if factor == 1:
        return small
    size = small.shape[1] * factor, small.shape[0] * factor
    return np.asarray(Image.fromarray(small).resize(size, resampling))[: shape[0], : shape[1]]


def _darkness(depth: Bytes, full: FullInk, noise_levels: float) -> tuple[Bytes, list[Part]]:
    """Return a digit, 255 for full ink, without specks, and its parts, those that are specks included.

    A part is dark somewhere, and belongs to the digit if it holds more than a fiftieth of the ink of the
    largest part; it then belongs with all its paler edges.
    """
    soft = min(max(_SOFT_FRACTION * full.level, _SOFT_SIGMAS * noise_levels), full.threshold)
    darkness = full.darkness(depth)
    labels, components = parts(depth > soft, darkness)
    is_dark = np.zeros(len(components) + 1, np.bool_)
    is_dark[labels[depth > full.threshold]] = True
    amounts = np.array([0.0, *(part.amount for part in components)]) * is_dark
    kept = amounts > _SPECK_FRACTION * amounts.max()
    darkness[~kept[labels]] = 0
    return darkness, [part for part in components if is_dark[part.label]]


def crop_to_ink(darkness: Bytes) -> Bytes:
    """Crop, on all sides, what is paler than the edge of a drawing."""
    box = bounding_box(darkness > _EDGE_FRACTION * 255)
    return darkness if box is None else darkness[box]


def full_ink(depth: Bytes, noise_levels: float) -> FullInk | None:
    """Measure the ink among all pixels deeper than the noise; None if there are none."""
    counts = level_counts(depth)
    counts[: int(_NOISE_SIGMAS * noise_levels) + 1] = 0
    if not counts.any():
        return None
    threshold = otsu(counts)
    counts[: threshold + 1] = 0
    if noise_levels and counts.sum() < _MIN_INK_FRACTION * depth.size:
        return None
    level = float(np.searchsorted(np.cumsum(counts), 0.9 * counts.sum()))
    return FullInk(threshold=threshold, level=level) if level >= _MIN_CONTRAST_LEVELS else None
