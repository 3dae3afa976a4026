"""Digits as people draw them with a mouse or a finger: 45 styles, each drawn by an unsteady hand with a round pen.

A style is a digit and its strokes. A stroke is written as points of a square of 100 by 100, ``x,y`` with y downwards;
a smooth curve (Catmull-Rom) goes through them, and may turn sharply where a ``|`` stands. No model is trained on them,
or chosen by them. `python -m benchmarks.drawings` shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Bytes = NDArray[np.uint8]
Points = NDArray[np.float64]
"""(n_points, 2), x and y, in pixels unless said otherwise."""

CANVAS_SIDE_PX = 280
_POINTS_PER_SEGMENT = 14
_SUPERSAMPLING = 3

STYLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "0 round": ("50,0 18,12 4,50 18,88 50,100 82,88 96,50 82,12 50,0",),
        "0 narrow": ("52,0 30,20 25,55 32,88 50,100 68,86 75,50 68,15 50,0",),
        "0 slanted": ("66,2 36,16 20,55 24,88 44,98 66,84 80,45 78,14 62,2",),
        "0 open": ("62,6 40,0 14,20 6,54 18,88 48,100 82,84 94,48 84,16 56,4",),
        "1 bar": ("50,0 50,100",),
        "1 slanted": ("62,0 40,100",),
        "1 hook": ("28,24 54,0 | 54,100",),
        "1 long hook": ("20,40 40,22 58,0 | 58,100",),
        "1 foot": ("32,20 52,0 | 52,100", "26,100 80,100"),
        "2 plain": ("10,24 24,4 54,0 82,14 84,36 60,64 8,100 | 92,100",),
        "2 loop": ("12,22 30,2 64,2 82,22 72,48 40,80 16,94 12,84 30,80 56,92 92,96",),
        "2 swan": ("14,30 26,6 54,0 78,12 80,34 58,62 14,96 | 40,90 66,98 92,90",),
        "2 angular": ("14,16 50,0 80,18 74,42 | 12,100 | 90,100",),
        "3 round": ("12,14 40,0 74,8 80,28 66,44 40,49 | 70,54 88,74 74,94 42,100 10,88",),
        "3 flat": ("12,2 84,2 | 44,42 | 78,50 90,72 74,94 42,100 10,90",),
        "3 loop": ("14,12 44,0 76,12 74,34 46,48 36,44 48,44 78,58 84,82 56,100 14,90",),
        "3 open": ("18,8 48,2 72,14 70,34 46,46 | 76,58 84,80 62,98 30,98 10,86",),
        "4 open": ("24,0 10,56 | 92,56", "70,4 66,100"),
        "4 closed": ("72,100 72,0 | 6,66 | 96,66",),
        "4 tall": ("30,4 14,50 | 84,48", "78,0 72,100"),
        "4 round": ("14,4 10,34 22,50 50,52 78,42", "84,0 78,50 74,100"),
        "4 one stroke": ("20,2 12,48 | 80,46 | 82,0 | 76,100",),
        "5 hat": ("26,2 18,44 | 48,36 80,48 88,72 70,94 38,100 10,90", "26,2 86,2"),
        "5 one stroke": ("84,2 26,4 | 20,44 | 50,36 82,50 86,74 66,96 36,100 10,88",),
        "5 slanted": ("90,0 38,4 | 26,42 | 56,38 76,54 74,80 50,98 10,96",),
        "5 round": ("82,4 50,2 30,8 22,42 50,38 78,50 82,74 62,96 32,98 12,86",),
        "5 short hat": ("34,4 28,46 | 54,40 78,52 84,74 66,96 36,100 16,92", "34,4 74,0"),
        "6 curl": ("72,2 40,18 18,52 16,80 40,100 70,94 82,72 66,54 38,58 18,78",),
        "6 straight": ("60,0 34,36 20,68 28,94 54,100 76,84 74,62 50,54 24,70",),
        "6 round": ("78,10 56,0 28,16 12,52 18,86 46,100 78,90 86,68 70,50 40,52 16,70",),
        "6 loop": ("64,0 36,26 22,62 30,92 52,100 70,86 68,66 48,60 28,76",),
        "7 plain": ("8,2 90,2 | 44,100",),
        "7 bar": ("10,4 88,4 | 40,100", "24,50 78,50"),
        "7 flag": ("14,22 14,2 | 88,4 | 60,48 42,100",),
        "7 curved": ("8,6 48,8 88,2 | 64,36 48,68 44,100",),
        "7 serif bar": ("14,18 16,4 | 86,4 | 56,52 38,100", "30,52 76,46"),
        "8 figure": ("76,12 50,0 22,10 24,34 52,48 80,66 78,90 50,100 20,90 20,66 50,48 76,32 78,14",),
        "8 snowman": ("50,0 26,8 24,34 50,46 76,34 74,8 50,0", "50,46 18,58 14,86 50,100 86,86 82,58 50,46"),
        "8 narrow": ("66,10 48,0 32,14 36,34 54,50 70,70 64,92 46,100 30,86 36,64 56,44 68,24 62,6",),
        "8 open": ("82,8 50,0 24,14 32,36 60,52 80,74 66,96 36,98 20,80 34,58 62,38 84,4",),
        "9 straight": ("80,14 54,0 24,10 18,34 38,52 64,46 80,20 | 76,100",),
        "9 curved": ("78,16 52,0 24,12 22,38 46,52 72,40 80,14 76,60 58,92 24,98",),
        "9 hook": ("78,14 50,0 22,14 20,40 46,54 74,38 80,12 | 78,70 66,96 40,100 20,86",),
        "9 slanted": ("80,20 62,2 34,12 26,38 46,50 70,36 82,10 | 54,100",),
        "9 round": ("74,10 48,0 20,18 22,42 48,50 74,36 78,8 80,50 72,84 54,100 30,94",),
    }
)
"""The strokes of each style; its name begins with the digit."""

BROKEN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "0 arcs": ("10,42 24,6 50,0 78,8 92,42", "10,58 24,94 50,100 78,92 92,58"),
        "1 gap": ("50,0 50,42", "50,58 50,100"),
        "2 base": ("10,24 24,4 54,0 82,14 84,36 60,64 14,84", "12,100 90,100"),
        "3 bows": ("12,12 40,0 74,8 80,26 66,40 42,42", "42,58 70,60 88,76 74,94 42,100 10,90"),
        "4 bar": ("24,0 10,56 | 58,56", "78,4 74,100"),
        "5 hat": ("26,16 18,46 | 48,38 80,50 88,72 70,94 38,100 10,90", "26,0 86,0"),
        "5 hat to the right": ("30,10 22,46 | 50,38 80,50 88,72 70,94 38,100 10,90", "48,2 100,0"),
        "6 stem": ("72,0 40,16 22,40", "18,56 16,80 40,100 70,94 82,72 66,54 42,56 30,66"),
        "7 top": ("8,0 90,0", "78,16 44,100"),
        "7 slope": ("8,2 90,2 | 74,34", "64,52 44,100"),
        "8 circles": ("50,0 26,8 24,30 50,42 76,30 74,8 50,0", "50,58 20,66 16,88 50,100 84,88 80,66 50,58"),
        "9 stem": ("78,16 52,0 24,10 22,32 46,44 70,36 78,18", "70,54 64,84 54,100"),
    }
)
"""Digits of which the strokes do not touch, as of a pen that skips, in the same form."""


def digit_of(style: str) -> int:
    """Return the digit that a style draws."""
    return int(style[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """How a drawing differs from its template.

    Attributes
    ----------
    height_px : of the digit, without the width of the pen.
    pen_px : the diameter of the pen.
    aspect : width of the template's square over its height.
    unsteadiness : 0 follows the template exactly; 1 moves, turns and shakes as a mouse does.
    """

    height_px: float
    pen_px: float
    aspect: float = 0.62
    unsteadiness: float = 1.0

    @classmethod
    def drawn(cls, rng: np.random.Generator, *, side_px: int = CANVAS_SIDE_PX) -> Hand:
        """Draw what people vary: half to four fifths of the canvas high, a pen of 12 to 24 px on 280."""
        scale = side_px / CANVAS_SIDE_PX
        return cls(
            height_px=side_px * rng.uniform(0.5, 0.8),
            pen_px=scale * rng.uniform(12, 24),
            aspect=rng.uniform(0.5, 0.75),
        )


def stroke_paths(style: str, rng: np.random.Generator, hand: Hand) -> list[Points]:
    """Return the paths of the pen for one drawing of a style, centred on (0, 0)."""
    jitter = hand.unsteadiness
    angle, slant = np.deg2rad(rng.normal(0, 5 * jitter)), rng.normal(0, 0.1 * jitter)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    distortion = np.array([[1, slant], [0, 1]]) @ rotation
    paths = []
    for stroke in {**STYLES, **BROKEN}[style]:
        path = smooth(stroke, rng, 2.2 * jitter)
        tremor = rng.normal(0, 1, path.shape)
        tremor = np.stack([np.convolve(axis, np.ones(5) / 5, "same") for axis in tremor.T], axis=1)
        path = (path + 0.6 * jitter * tremor) / 100 - 0.5
        paths.append(path @ distortion.T * [hand.height_px * hand.aspect, hand.height_px])
    points = np.vstack(paths)
    centre = (points.max(axis=0) + points.min(axis=0)) / 2
    return [path - centre for path in paths]


def draw(
    style: str, rng: np.random.Generator, hand: Hand | None = None, *, side_px: int = CANVAS_SIDE_PX, spread: float = 1
) -> Bytes:
    """Return a drawing, (side_px, side_px) uint8, black ink on white.

    Parameters
    ----------
    style : a key of `STYLES` or `BROKEN`.
    hand : how it is drawn; None draws one.
    spread : how far from the middle it may stand, as a share of the room that there is, at most an eighth of the side.
    """
    hand = Hand.drawn(rng, side_px=side_px) if hand is None else hand
    paths = stroke_paths(style, rng, hand)
    size = np.ptp(np.vstack(paths), axis=0)
    room = np.clip((side_px - size - hand.pen_px) / 2, 0, side_px / 8)
    offset = side_px / 2 + spread * room * rng.uniform(-1, 1, 2)
    return render([path + offset for path in paths], hand.pen_px, (side_px, side_px))


def render(paths: list[Points], pen_px: float, shape: tuple[int, int]) -> Bytes:
    """Return paths drawn with a round pen, uint8, black on white, antialiased."""
    scale = _SUPERSAMPLING
    image = Image.new("L", (shape[1] * scale, shape[0] * scale), 255)
    pen, radius = ImageDraw.Draw(image), pen_px * scale / 2
    for path in paths:
        corners = [(float(x), float(y)) for x, y in path * scale]
        pen.line(corners, fill=0, width=round(pen_px * scale), joint="curve")
        for x, y in corners:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
    return np.asarray(image.resize(shape[::-1], Image.Resampling.BOX))


def smooth(stroke: str, rng: np.random.Generator, jitter: float) -> Points:
    """Return points along a stroke, in units of its template, with its control points moved at random."""
    pieces, last = [], np.empty((0, 2))
    for part in stroke.split(" | "):
        points = np.array([tuple(map(float, point.split(","))) for point in part.split()])
        points = np.vstack([last, points + rng.normal(0, jitter, points.shape)])
        last = points[-1:]
        pieces.append(_catmull_rom(points))
    return np.vstack(pieces)


def _catmull_rom(points: Points) -> Points:
    """Return a smooth curve through points; through two, a straight line."""
    t = np.linspace(0, 1, _POINTS_PER_SEGMENT, endpoint=False)[:, np.newaxis]
    extended = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(extended, extended[1:], extended[2:], extended[3:], strict=False)
    ]
    return np.vstack([*pieces, points[-1:]])
