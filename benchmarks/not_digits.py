"""Pictures that are no digits: letters, shapes, faces, logos, clothes, noise and blank paper, dark on white.

Every kind but the first is drawn from shapes alone. `KINDS` is what a detector of digits is tested on. It is trained on
other fonts and strokes than those: `training_picture`, and digits that were turned or taken apart. Look at them::

    python -m benchmarks.not_digits --picture not-digits.png
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from service.reports.drawings import smooth

Bytes = NDArray[np.uint8]

SIDE_PX = 140
_FONTS = Path(matplotlib.get_data_path()) / "fonts/ttf"
TRAINING_FONTS = (
    *("DejaVuSans", "DejaVuSans-BoldOblique", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique", "DejaVuSerif-Italic"),
    *("cmr10", "cmss10", "cmtt10", "STIXGeneral", "STIXGeneralBolIta"),
)
TEST_FONTS = ("DejaVuSerif", "DejaVuSerif-Bold", "cmb10", "cmti10", "STIXGeneralItalic", "STIXGeneralBol")
LOOK_ALIKES = "BDGIJOQSTYZabgijloqstyz"
"""Letters that some hand writes as another writes a digit."""
LETTERS = "".join(sorted(set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") - set(LOOK_ALIKES)))

STROKES: Mapping[str, tuple[str, ...]] = {
    "A": ("10,100 50,0 | 50,0 90,100", "26,62 74,62"),
    "C": ("88,16 60,0 22,12 8,50 22,88 58,100 90,84",),
    "E": ("82,2 16,2 | 16,98 | 84,98", "16,50 70,50"),
    "F": ("82,2 16,2 | 16,100", "16,48 68,48"),
    "H": ("12,0 12,100", "88,0 88,100", "12,50 88,50"),
    "K": ("16,0 16,100", "84,2 16,56", "34,42 88,100"),
    "L": ("16,0 16,98 | 86,98",),
    "M": ("6,100 14,0 | 50,70 | 86,0 | 94,100",),
    "N": ("12,100 12,0 | 88,100 | 88,0",),
    "P": ("16,100 16,0 | 60,2 86,24 62,50 18,54",),
    "R": ("16,100 16,0 | 60,2 86,22 62,46 18,50 | 50,50 | 88,100",),
    "U": ("10,0 12,66 32,96 66,96 88,66 90,0",),
    "V": ("6,0 50,100 | 94,0",),
    "W": ("2,0 26,100 | 50,30 | 74,100 | 98,0",),
    "X": ("10,0 90,100", "90,0 10,100"),
    "d": ("76,56 50,42 22,58 20,86 46,100 76,82 | 80,0 | 80,100",),
    "e": ("18,70 82,62 | 74,42 46,34 20,56 22,88 52,100 84,86",),
    "f": ("76,8 54,0 42,18 42,100", "18,42 72,42"),
    "h": ("18,0 18,100 | 18,62 46,42 72,54 76,100",),
    "k": ("20,0 20,100", "72,40 22,70", "38,62 78,100"),
    "m": ("4,100 6,40 | 6,60 26,42 44,56 46,100 | 46,60 68,42 88,56 90,100",),
    "n": ("16,100 16,40 | 18,62 48,40 78,54 80,100",),
    "p": ("18,100 18,30 | 18,44 50,28 80,44 74,66 46,74 20,62",),
    "r": ("24,100 24,36 | 26,60 48,40 76,42",),
    "u": ("14,36 16,82 40,98 74,78 | 80,36 | 82,100",),
    "w": ("4,36 24,98 | 50,50 | 76,98 | 96,36",),
    "x": ("16,36 84,100", "84,36 16,100"),
}
"""Letters by hand, written as `service.reports.drawings.STYLES` are."""


@cache
def _font(name: str, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(_FONTS / f"{name}.ttf"), size_px)


def printed(text: str, font: str, rng: np.random.Generator) -> Bytes:
    """Return a text in the middle of a picture, turned by up to 8 degrees."""
    picture = Image.new("L", (SIDE_PX, SIDE_PX), 255)
    middle = (SIDE_PX / 2, SIDE_PX / 2)
    ImageDraw.Draw(picture).text(middle, text, 0, _font(font, int(rng.integers(70, 111))), anchor="mm")
    return np.asarray(picture.rotate(rng.uniform(-8, 8), Image.Resampling.BICUBIC, fillcolor=255))


def written(letter: str, rng: np.random.Generator) -> Bytes:
    """Return a letter by hand."""
    canvas, draw = _canvas()
    height_px, width_px = rng.uniform(70, 105), rng.uniform(50, 85)
    pen_px = float(rng.uniform(6, 12))
    for stroke in STROKES[letter]:
        path = smooth(stroke, rng, 2.2) / 100 - 0.5
        _pen(draw, path * [width_px, height_px] + SIDE_PX / 2, pen_px)
    return np.asarray(canvas.rotate(rng.uniform(-8, 8), Image.Resampling.BICUBIC, fillcolor=255))


def _canvas() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    canvas = Image.new("L", (SIDE_PX, SIDE_PX), 255)
    return canvas, ImageDraw.Draw(canvas)


def _pen(draw: ImageDraw.ImageDraw, path: NDArray[np.float64], pen_px: float) -> None:
    draw.line([tuple(point) for point in path.tolist()], 0, round(pen_px), joint="curve")
    for x, y in path.tolist():
        draw.ellipse((x - pen_px / 2, y - pen_px / 2, x + pen_px / 2, y + pen_px / 2), 0)


def _letter(rng: np.random.Generator) -> Bytes:
    return printed(str(rng.choice(list(LETTERS))), str(rng.choice(TEST_FONTS)), rng)


def _written_letter(rng: np.random.Generator) -> Bytes:
    return written(str(rng.choice(list(STROKES))), rng)


_SHAPES: Mapping[str, str] = {
    "star": "50,0 61,35 98,35 68,57 79,92 50,70 21,92 32,57 2,35 39,35 50,0",
    "triangle": "50,4 96,92 4,92 50,4",
    "square": "8,8 92,8 92,92 8,92 8,8",
    "arrow": "4,40 58,40 58,14 96,50 58,86 58,60 4,60 4,40",
    "house": "10,96 10,44 50,6 90,44 90,96 62,96 62,64 40,64 40,96 10,96",
    "plus": "38,4 62,4 62,38 96,38 96,62 62,62 62,96 38,96 38,62 4,62 4,38 38,38 38,4",
    "bolt": "60,2 20,56 46,56 36,98 80,40 54,40 60,2",
    "diamond": "50,2 88,50 50,98 12,50 50,2",
    "heart": "50,96 8,50 10,22 30,8 50,26 70,8 90,22 92,50 50,96",
    "fish": "4,50 34,22 70,40 96,18 96,82 70,60 34,78 4,50",
}
_CLOTHES: Mapping[str, str] = {
    "shirt": "30,6 42,14 58,14 70,6 98,30 84,46 74,38 74,96 26,96 26,38 16,46 2,30 30,6",
    "trousers": "28,2 72,2 80,98 56,98 50,36 44,98 20,98 28,2",
    "dress": "38,2 62,2 66,40 88,98 12,98 34,40 38,2",
    "shoe": "4,40 26,40 44,58 78,66 98,80 98,92 4,92 4,40",
    "boot": "20,2 56,2 56,60 92,76 92,96 20,96 20,2",
    "bag": "8,36 28,36 34,10 66,10 72,36 92,36 92,94 8,94 8,36",
}


def _outline(outline: str, rng: np.random.Generator) -> NDArray[np.float64]:
    points = np.array([[float(number) for number in point.split(",")] for point in outline.split()])
    points = points + rng.normal(0, 1.5, points.shape)
    points[-1] = points[0]
    angle = np.deg2rad(rng.normal(0, 10))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (points - 50) @ turn * rng.uniform(0.7, 1.1, 2) + SIDE_PX / 2


def _shape(rng: np.random.Generator) -> Bytes:
    canvas, draw = _canvas()
    path = _outline(str(rng.choice(list(_SHAPES.values()))), rng)
    if rng.random() < 0.4:
        draw.polygon([tuple(point) for point in path.tolist()], 0)
    else:
        _pen(draw, path, rng.uniform(5, 11))
    return np.asarray(canvas)


def _clothes(rng: np.random.Generator) -> Bytes:
    """A garment as one blob of grey with a woven texture."""
    canvas, draw = _canvas()
    draw.polygon(
        [tuple(point) for point in _outline(str(rng.choice(list(_CLOTHES.values()))), rng).tolist()],
        int(rng.integers(20, 120)),
    )
    pixels = np.asarray(canvas).astype(np.float64)
    texture = rng.normal(0, 15, pixels.shape) + 20 * np.sin(np.arange(SIDE_PX) * rng.uniform(0.2, 1.5))
    return np.where(pixels < 255, (pixels + texture).clip(0, 200), 255).astype(np.uint8)


def _face(rng: np.random.Generator) -> Bytes:
    canvas, draw = _canvas()
    width_px, height_px, pen_px = rng.uniform(38, 54), rng.uniform(46, 60), round(rng.uniform(4, 8))
    middle = SIDE_PX / 2
    draw.ellipse((middle - width_px, middle - height_px, middle + width_px, middle + height_px), None, 0, pen_px)
    eye_px, apart_px = rng.uniform(4, 8), width_px * rng.uniform(0.3, 0.5)
    for side in (-1, 1):
        x, y = middle + side * apart_px, middle - height_px * 0.25
        draw.ellipse((x - eye_px, y - eye_px, x + eye_px, y + eye_px), 0)
    if rng.random() < 0.6:
        draw.line((middle, middle - 6, middle - 4, middle + 12, middle + 4, middle + 12), 0, pen_px)
    up = rng.random() < 0.7
    mouth = (middle - width_px * 0.5, middle + 5, middle + width_px * 0.5, middle + height_px * 0.7)
    draw.arc(mouth, 20 if up else 200, 160 if up else 340, 0, pen_px)
    return np.asarray(canvas)


def _logo(rng: np.random.Generator) -> Bytes:
    """Two to four filled shapes over each other, dark and light in turn, and now and then a word."""
    canvas, draw = _canvas()
    for place in range(int(rng.integers(2, 5))):
        x, y = rng.uniform(35, 105, 2)
        reach_px = rng.uniform(14, 50) * (1 - 0.15 * place)
        box = (x - reach_px, y - reach_px, x + reach_px, y + reach_px)
        grey = 0 if place % 2 == 0 else 255
        match int(rng.integers(4)):
            case 0:
                draw.ellipse(box, grey)
            case 1:
                draw.rectangle(box, grey)
            case 2:
                draw.regular_polygon((x, y, reach_px), int(rng.integers(3, 8)), float(rng.uniform(0, 90)), grey)
            case _:
                draw.pieslice(box, float(rng.uniform(0, 180)), float(rng.uniform(200, 350)), grey)
    if rng.random() < 0.4:
        word = "".join(rng.choice(list(LETTERS), int(rng.integers(2, 5))))
        draw.text((SIDE_PX / 2, SIDE_PX - 16), word, 0, _font(str(rng.choice(TEST_FONTS)), 26), anchor="mm")
    return np.asarray(canvas)


def _noise(rng: np.random.Generator) -> Bytes:
    noise = Image.fromarray(rng.integers(0, 256, (SIDE_PX, SIDE_PX), np.uint8))
    blurred = np.asarray(noise.filter(ImageFilter.GaussianBlur(int(rng.choice([0, 1, 2, 4]))))).astype(np.float64)
    return ((blurred - blurred.min()) * 255 / max(np.ptp(blurred), 1)).astype(np.uint8)


def _blank(rng: np.random.Generator) -> Bytes:
    """Paper with some grain."""
    return (rng.integers(150, 250) + rng.normal(0, rng.uniform(0, 2), (SIDE_PX, SIDE_PX))).clip(0, 255).astype(np.uint8)


KINDS: Mapping[str, Callable[[np.random.Generator], Bytes]] = {
    "letters, printed": _letter,
    "letters, by hand": _written_letter,
    "shapes": _shape,
    "faces": _face,
    "logos": _logo,
    "clothes": _clothes,
    "noise": _noise,
    "blank paper": _blank,
}


def _random_polygon(draw: ImageDraw.ImageDraw, rng: np.random.Generator, pen_px: float) -> None:
    """Draw a closed polygon of 3 to 12 corners, even or jagged, or two broad bars that cross."""
    if rng.random() < 0.12:
        for angle in rng.uniform(0, np.pi) + np.array([0, rng.uniform(1, 2)]):
            reach = rng.uniform(30, 52) * np.array([np.cos(angle), np.sin(angle)])
            _pen(draw, np.stack([SIDE_PX / 2 - reach, SIDE_PX / 2 + reach]), rng.uniform(1, 3) * pen_px)
        return
    n_corners = int(rng.choice([3, 3, 4, 4, 5, 6, 7, 8, 10, 12]))
    angles = np.arange(n_corners + 1) * (2 * np.pi / n_corners) + rng.uniform(0, np.pi)
    radii = rng.uniform(rng.uniform(0.15, 1), 1, n_corners + 1)
    radii[-1] = radii[0]
    path = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, np.newaxis] * rng.uniform(18, 54, 2)
    if rng.random() < 0.35:
        draw.polygon([tuple(point) for point in (path + SIDE_PX / 2).tolist()], 0)
    else:
        _pen(draw, path + SIDE_PX / 2, pen_px)


def training_picture(rng: np.random.Generator) -> Bytes:
    """Return a letter in one of `TRAINING_FONTS`, or random strokes and areas: what no test has."""
    kind_of_picture = rng.random()
    if kind_of_picture < 0.4:
        text = str(rng.choice(list(LETTERS)))
        return printed(text, str(rng.choice(TRAINING_FONTS)), rng)
    canvas, draw = _canvas()
    pen_px = float(rng.uniform(5, 13))
    if kind_of_picture < 0.7:
        _random_polygon(draw, rng, pen_px)
        return np.asarray(canvas)
    for _ in range(int(rng.integers(1, 6))):
        n_points = int(rng.integers(2, 6))
        points = rng.uniform(20, 120, (n_points, 2))
        kind = rng.random()
        if kind < 0.35:
            first, second, *others = (f"{x:.0f},{y:.0f}" for x, y in points)
            path = smooth((" | " if rng.random() < 0.5 else " ").join((f"{first} {second}", *others)), rng, 2.0)
            _pen(draw, path, pen_px)
        elif kind < 0.55:
            draw.polygon(
                [tuple(point) for point in points.tolist()] * (2 if n_points < 3 else 1), int(rng.choice([0, 0, 90]))
            )
        else:
            (x, y), reach_px = points[0], rng.uniform(6, 50, 2)
            box = (x - reach_px[0], y - reach_px[1], x + reach_px[0], y + reach_px[1])
            is_filled = rng.random() < 0.5
            shape = draw.ellipse if rng.random() < 0.6 else draw.rectangle
            shape(box, int(rng.choice([0, 0, 90, 255])) if is_filled else None, 0, round(pen_px))
    return np.asarray(canvas)


def main() -> None:
    """Write a sheet of them, a row for each kind; the last two are of the training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, default=Path("not-digits.png"))
    rng, columns = np.random.default_rng(0), 12
    makers = [*KINDS.values(), training_picture, training_picture]
    sheet = Image.new("L", (columns * SIDE_PX, len(makers) * SIDE_PX))
    for row, make in enumerate(makers):
        for column in range(columns):
            sheet.paste(Image.fromarray(make(rng)), (column * SIDE_PX, row * SIDE_PX))
    sheet.save(parser.parse_args().picture)


if __name__ == "__main__":
    main()
