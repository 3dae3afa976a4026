"""Where one digit ends and the next begins: over-segmentation, and the cheapest way through its candidates.

Ink is divided into pieces that belong to one digit each, as far as that can be known without reading them: connected
components, and, of wide ones, what lies between cuts where little ink is crossed. Every run of a few neighbouring
pieces is a candidate for a digit; a classifier judges all of them, and dynamic programming finds the cheapest row of
digits and marks. Source: LeCun et al. (1998), Gradient-based learning applied to document recognition, section VII.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.core import Float64s

from .masks import bounding_box
from .mnist_form import Bytes
from .parts import Box, Part, box_around, joined_strokes, parts, typical_height_px

MarkKind = Literal["point", "minus", "unknown"]
Labels = NDArray[np.int32]

_EDGE_LEVEL = 102
_MIN_PART_AREA = 0.0025
_TALL = 0.5
"""Heights are fractions of a line's, which is that of its digits; areas, of the square of it."""
_SAME_LINE, _N_BEFORE = 0.4, 3
_CUT_WIDTH = 0.4
_CUT_DISTANCE = 0.07
_CUTS_PER_HEIGHT = 8
_MAX_CUT_INK = 0.6
_SLANT_COST = 0.4
_MAX_PIECES = 6
_MAX_WIDTH = 1.5

_EASY_CUT, _MIDDLE = 0.08, 0.25
_MIN_SLOPES = 6

COSTS: tuple[float, ...] = (49.54, -0.10, 4.54, 0.74, 15.80, 2.25, 10.01, 16.49, 4.61, 0.82, -1.16, 2.72)
"""The coefficients of a candidate's features, in nats: gaps, their number, the ink that its cuts cross, their number,
an easy cut that was not made, small and large width, a low height, the distances of bottom and top from the line's, a
constant, and the negative log-likelihood of the digit. They are those of a logistic regression on the candidates of
numbers written with MNIST's training part, as ``python -m benchmarks.segments`` fits it."""
COSTS_OF_DIGITS: tuple[float, ...] = (47.03, -1.83, 0.11, 1.02, 5.51, 1.45, 5.30, 13.25, 3.89, 1.02, -0.86, 0.60, 0.72)
"""The same for models of digits, with the log-odds that a candidate is no whole digit; see `service.registry`."""
_N_CUTS = 3
_MARK_COST, _UNKNOWN_COST, _HIGH_UNKNOWN_COST, _COVERED_COST = 0.0, 4.0, 4.0, 3.0
"""Of a point or minus sign, of another mark, of its size, and of one that is above or below something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Ink that is not divided further.

    Parameters
    ----------
    label : of its pixels.
    box : around them.
    component : the connected component that it is part of.
    cut_ink : what the cut to its left crosses, in heights of the line; 0 if it is the component's first piece.
    """

    label: int
    box: Box
    component: int
    cut_ink: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextLine:
    """A line of writing: its pieces from left to right, and the height of its digits."""

    pieces: tuple[Piece, ...]
    height_px: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Text:
    """All lines of a picture from top to bottom.

    ``labels``, (height, width), are those of the lines' pieces, 0 is paper; ``n_left_out`` counts components beyond the
    largest.
    """

    lines: tuple[TextLine, ...]
    labels: Labels
    n_left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A few neighbouring pieces.

    Parameters
    ----------
    start, stop : the range of their numbers in the line.
    labels : of their pixels.
    box : around them.
    features : of the candidate for a digit, in the order of `COSTS`, but for those of the model.
    mark : what it is; a digit, if None.
    cost : of a mark, in nats.
    """

    start: int
    stop: int
    labels: tuple[int, ...]
    box: Box
    features: tuple[float, ...] = ()
    mark: MarkKind | None = None
    cost: float = 0.0

    @property
    def is_cut(self) -> bool:
        """Whether a connected component goes on beyond it."""
        return bool(self.features) and self.features[_N_CUTS] > 0


def find_text(darkness: Bytes, max_parts: int) -> Text:
    """Divide ink, 0 for paper to 255, into lines and pieces: of its ``max_parts`` largest components."""
    labels, components = parts(darkness > _EDGE_LEVEL, darkness)
    height_px = typical_height_px(components)
    components = [part for part in components if part.n_pixels >= _MIN_PART_AREA * height_px**2]
    n_left_out = max(0, len(components) - max_parts)
    components = sorted(components, key=lambda part: -part.amount)[:max_parts]
    labels, components = _joined(labels, components)
    pieces = np.zeros(darkness.shape, np.int32)
    lines, n_pieces = [], 0
    for members in _grouped(components, height_px):
        line_height_px = typical_height_px(members)
        found: list[Piece] = []
        for part in members:
            mask = labels[part.box.slices] == part.label
            of_part, cut_inks = _cut(np.where(mask, darkness[part.box.slices], 0), line_height_px)
            pieces[part.box.slices][mask] = of_part[mask] + n_pieces
            top, left, _, _ = part.box
            for number, cut_ink in enumerate(cut_inks, start=1):
                if (box := bounding_box(mask & (of_part == number))) is not None:
                    rows, columns = box
                    around = Box(top + rows.start, left + columns.start, top + rows.stop, left + columns.stop)
                    found.append(Piece(label=n_pieces + number, box=around, component=part.label, cut_ink=cut_ink))
            n_pieces += len(cut_inks)
        found.sort(key=lambda piece: piece.box.left + piece.box.right)
        lines.append(TextLine(pieces=tuple(found), height_px=line_height_px))
    return Text(lines=tuple(lines), labels=pieces, n_left_out=n_left_out)


def _joined(labels: NDArray[np.integer], components: Sequence[Part]) -> tuple[NDArray[np.integer], list[Part]]:
    """Let the strokes of a digit that do not touch be one component."""
    label_of = np.zeros(int(labels.max()) + 1, labels.dtype)
    wholes = []
    for digit in joined_strokes(components):
        label_of[[part.label for part in digit]] = digit[0].label
        whole = Part(
            label=digit[0].label,
            box=box_around(part.box for part in digit),
            n_pixels=sum(part.n_pixels for part in digit),
            amount=sum(part.amount for part in digit),
        )
        wholes.append(whole)
    return label_of[labels], wholes


def _grouped(components: Sequence[Part], height_px: float) -> list[list[Part]]:
    """Return the components line by line. A line goes on where the next digit is beside the last one."""
    lines: list[list[Part]] = []
    small = []
    for part in sorted(components, key=lambda part: part.box.left):
        if part.box.height_px < _TALL * height_px:
            small.append(part)
            continue
        shared = [max(_shared_height(part.box, other.box) for other in line[-_N_BEFORE:]) for line in lines]
        if shared and max(shared) > _SAME_LINE:
            lines[int(np.argmax(shared))].append(part)
        else:
            lines.append([part])
    if not lines:
        return [small] * bool(small)
    nearest = [min(lines, key=lambda line: min(_distance(part.box, other.box) for other in line)) for part in small]
    for part, line in zip(small, nearest, strict=True):
        line.append(part)
    return sorted(lines, key=lambda line: float(np.mean([part.box.top + part.box.bottom for part in line])))


def _shared_height(box: Box, other: Box) -> float:
    """Return which share of the lower one of two boxes is beside the other."""
    return (min(box.bottom, other.bottom) - max(box.top, other.top)) / min(box.height_px, other.height_px)


def _distance(box: Box, other: Box) -> float:
    """How far two boxes are apart, above each other counting twice: rows are farther apart than digits."""
    beside_px = max(other.left - box.right, box.left - other.right, 0)
    return beside_px + 2 * max(other.top - box.bottom, box.top - other.bottom, 0)


def _cut(darkness: Bytes, height_px: float) -> tuple[Labels, list[float]]:
    """Divide a component from left to right where cuts from its top to its bottom cross little ink.

    For every column, the cheapest path through it in the middle row is found by dynamic programming, from above and
    from below; steps aside cost little. Cuts are where that cost is lowest in its neighbourhood. Returns the pieces,
    (height, width), from 1 on, and for each the ink that the cut to its left crosses, in heights of the line.
    """
    n_rows, n_columns = darkness.shape
    if n_columns < _CUT_WIDTH * height_px or n_rows < _TALL * height_px:
        return np.ones(darkness.shape, np.int32), [0.0]
    middle = n_rows // 2
    ink = darkness / (255 * height_px) + 1e-6
    above, from_above = _paths(ink[: middle + 1], height_px)
    below, from_below = _paths(ink[:middle:-1], height_px) if n_rows > middle + 1 else (np.zeros(n_columns), [])
    cost = above + below
    reach_px = max(1, round(_CUT_DISTANCE * height_px))
    neighbours = np.lib.stride_tricks.sliding_window_view(
        np.pad(cost, reach_px, constant_values=np.inf), 2 * reach_px + 1
    )
    is_lowest = (cost <= neighbours.min(axis=1)) & (cost < _MAX_CUT_INK)
    is_lowest[:reach_px] = is_lowest[-reach_px:] = False
    lowest: list[int] = []
    for column in np.flatnonzero(is_lowest).tolist():
        if not lowest or column - lowest[-1] > reach_px:
            lowest.append(column)
    most = max(1, round(_CUTS_PER_HEIGHT * n_columns / height_px))
    lowest = sorted(sorted(lowest, key=lambda column: cost[column])[:most])
    pieces = np.ones(darkness.shape, np.int32)
    columns = np.arange(n_columns)
    for column in lowest:
        path = [*_followed(from_above, column)[::-1], *_followed(from_below, column)[: n_rows - middle - 1]]
        pieces += columns >= np.array(path)[:, np.newaxis]
    return pieces, [0.0, *(float(cost[column]) for column in lowest)]


def _paths(ink: Float64s, height_px: float) -> tuple[Float64s, list[NDArray[np.int64]]]:
    """Return the cost of the cheapest path from the first row to each column of the last, and each row's way back."""
    slant = _SLANT_COST / height_px
    total, back = ink[0], []
    columns = np.arange(ink.shape[1])
    padded = np.full(ink.shape[1] + 2, np.inf)
    for row in ink[1:]:
        padded[1:-1] = total
        choices = np.stack([total, padded[:-2] + slant, padded[2:] + slant])
        step = choices.argmin(axis=0)
        back.append(columns + np.array([0, -1, 1])[step])
        total = row + choices[step, columns]
    return total, back


def _followed(back: list[NDArray[np.int64]], column: int) -> list[int]:
    """Return the columns of a path, from the last row, where it is at ``column``, to the first."""
    path = [column]
    for row in reversed(back):
        path.append(int(row[path[-1]]))
    return path


def candidates(line: TextLine) -> list[Segment]:
    """Return every run of pieces that may be a digit, and every single one that may be a mark."""
    found = []
    pieces, height_px = line.pieces, line.height_px
    n_of_component = Counter(piece.component for piece in pieces)
    cuts = _cuts_between(pieces)
    band = _Band.of(line)
    for start, first in enumerate(pieces):
        box, gaps_px, n_gaps = first.box, 0, 0
        for stop in range(start + 1, min(start + _MAX_PIECES, len(pieces)) + 1):
            if stop > start + 1:
                gap_px = pieces[stop - 1].box.left - box.right
                gaps_px, n_gaps = (gaps_px + gap_px, n_gaps + 1) if gap_px > 0 else (gaps_px, n_gaps)
                box = box_around((box, pieces[stop - 1].box))
            width = box.width_px / height_px
            if stop > start + 1 and width > _MAX_WIDTH:
                break
            cut_inks = [ink for left, right, ink in cuts if (start <= left < stop) != (start <= right < stop)]
            uncut = max((_easy_cut(piece, box) for piece in pieces[start + 1 : stop]), default=0.0)
            top_px, bottom_px = band.distances(box)
            features: tuple[float, ...] = (
                gaps_px / height_px,
                n_gaps,
                sum(cut_inks),
                len(cut_inks),
                uncut * max(0.0, width - 0.5),
                -width,
                max(0.0, width - 0.9),
                max(0.0, 0.85 - box.height_px / height_px),
                bottom_px / height_px,
                top_px / height_px,
                1.0,
            )
            labels = tuple(piece.label for piece in pieces[start:stop])
            found.append(Segment(start=start, stop=stop, labels=labels, box=box, features=features))
        if n_of_component[first.component] == 1:
            kind, cost = _mark(first.box, band, height_px)
            cost += _COVERED_COST * max(
                (_shared_width(first.box, one.box) for one in pieces if one is not first), default=0
            )
            found.append(Segment(start=start, stop=start + 1, labels=(), box=first.box, cost=cost, mark=kind))
    return found


def _cuts_between(pieces: Sequence[Piece]) -> list[tuple[int, int, float]]:
    """Return the numbers of both pieces at each cut through a component, and the ink that it crosses."""
    last: dict[int, int] = {}
    found = []
    for number, piece in enumerate(pieces):
        if piece.component in last:
            found.append((last[piece.component], number, piece.cut_ink))
        last[piece.component] = number
    return found


def _easy_cut(piece: Piece, box: Box) -> float:
    """Return how easily a box could be divided by the cut to the left of a piece: 1 if that crosses no ink."""
    place = (piece.box.left - box.left) / box.width_px
    is_central = _MIDDLE < place < 1 - _MIDDLE
    return math.exp(-piece.cut_ink / _EASY_CUT) if piece.cut_ink and is_central else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Band:
    """Where the tall pieces of a line begin and end, at its left end, and the slope of the line."""

    top_px: float
    bottom_px: float
    slope: float

    @classmethod
    def of(cls, line: TextLine) -> _Band:
        """Take medians; the slope is that of all pairs of pieces (Theil and Sen), if there are enough."""
        tall = [piece.box for piece in line.pieces if piece.box.height_px >= _TALL * line.height_px]
        top, left, bottom, right = np.array(tall or [piece.box for piece in line.pieces], np.float64).T
        x, y = (left + right) / 2, (top + bottom) / 2
        first, second = np.triu_indices(len(x), 1)
        is_apart = np.abs(x[second] - x[first]) > line.height_px
        slopes = (y[second] - y[first])[is_apart] / (x[second] - x[first])[is_apart]
        slope = float(np.median(slopes)) if len(slopes) >= _MIN_SLOPES else 0.0
        return cls(
            top_px=float(np.median(top - slope * x)), bottom_px=float(np.median(bottom - slope * x)), slope=slope
        )

    def distances(self, box: Box) -> tuple[float, float]:
        """Return how far the top and the bottom of a box are from those of the line, in pixels."""
        drop_px = self.slope * (box.left + box.right) / 2
        return abs(box.top - drop_px - self.top_px), abs(box.bottom - drop_px - self.bottom_px)


def _mark(box: Box, band: _Band, height_px: float) -> tuple[MarkKind, float]:
    """Return which mark a piece may be, and its cost: higher for what is as high as a digit."""
    height, width = box.height_px / height_px, box.width_px / height_px
    middle_px = (box.top + box.bottom) / 2 - band.slope * (box.left + box.right) / 2 - band.top_px
    middle = middle_px / max(band.bottom_px - band.top_px, 1)
    if max(height, width) <= 0.3 and middle > 0.7:
        return "point", _MARK_COST
    if height <= 0.3 and 1.7 * height <= width <= 1.0 and 0.25 < middle < 0.75:
        return "minus", _MARK_COST
    return "unknown", _UNKNOWN_COST + _HIGH_UNKNOWN_COST * max(height, width)


def _shared_width(box: Box, other: Box) -> float:
    """Return which share of a box's width is above or below another box."""
    return max(0, min(box.right, other.right) - max(box.left, other.left)) / box.width_px


class Way(NamedTuple):
    """A way to divide the beginning of a line: its cost, and the numbers of its segments, from left to right."""

    cost: float = 0.0
    numbers: tuple[int, ...] = ()


def cheapest_ways(n_pieces: int, segments: Mapping[int, Segment], costs: Sequence[float]) -> dict[int, Way]:
    """Return, for every possible number of digits, the cheapest way to divide a line, given its candidates."""
    ways: list[dict[int, Way]] = [{0: Way()}, *({} for _ in range(n_pieces))]
    for number, segment in sorted(segments.items(), key=lambda item: item[1].start):
        for n_digits, before in ways[segment.start].items():
            after, cost = n_digits + (segment.mark is None), before.cost + costs[number]
            if after not in ways[segment.stop] or cost < ways[segment.stop][after].cost:
                ways[segment.stop][after] = Way(cost, (*before.numbers, number))
    return ways[-1]
