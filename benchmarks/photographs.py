"""Pictures of single digits as people take them, in many kinds and sizes, and how many of them are read right.

Each picture holds one digit with a known answer: of MNIST's test part (its greys enlarged and sharpened to a pen's
stroke) or drawn by `service.reports.drawings`. It is saved as a file, and read as ``POST /predict`` reads it. Print the
table, or write a sheet with what was found in each picture; or see how many of the 45 styles of drawing are read right
at each height with each pen, and in brackets how many have a warning::

    python -m benchmarks.photographs --digits 100
    python -m benchmarks.photographs --digits 3 --sheet photographs.png
    python -m benchmarks.photographs --heights
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from service.bootstrap import shipped_models
from service.datasets import LabelledImages, load_dataset
from service.errors import ServiceError
from service.inference import ModelInputs, answer, decode_upload
from service.registry import Model, Registry
from service.reports.drawings import STYLES, Hand, digit_of, draw
from service.stores import LocalStore

Ink = NDArray[np.float32]
"""(height, width), 0 for paper to 1 for ink."""
Colours = NDArray[np.float32]
"""(height, width, 3), from 0 to 255."""
Rng = np.random.Generator

HEIGHTS = (0.12, 0.16, 0.2, 0.25, 0.35, 0.5, 0.65, 0.8, 0.92)
"""Of a drawn digit, as shares of its canvas, both with its pen."""
PENS_PX = (8, 12, 18, 24)
"""On a canvas of 280 pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A picture as a file, and the digit that is on it."""

    content: bytes
    digit: int


def mnist_ink(rng: Rng, side_px: int, of_mnist: LabelledImages) -> tuple[Ink, int]:
    """Return one digit of MNIST, its greys enlarged and sharpened to a pen's stroke, and which it is."""
    number = int(rng.integers(len(of_mnist)))
    grey = (
        Image.fromarray(of_mnist.images[number]).crop((3, 3, 25, 25)).resize((side_px,) * 2, Image.Resampling.BICUBIC)
    )
    level = np.asarray(grey, np.float32) / 255
    return np.clip((level - 0.5) * max(2.0, side_px / 60) + 0.5, 0, 1), int(of_mnist.labels[number])


def digit_ink(rng: Rng, side_px: int) -> tuple[Ink, int]:
    """Return one digit that fills a square of ``side_px``, from MNIST's test part or drawn, and which it is."""
    if rng.random() < 0.5:
        return mnist_ink(rng, side_px, load_dataset("mnist").test)
    style = list(STYLES)[int(rng.integers(len(STYLES)))]
    hand = Hand(height_px=0.78 * side_px, pen_px=side_px * rng.uniform(0.05, 0.13), aspect=rng.uniform(0.5, 0.75))
    drawing = draw(style, rng, hand, side_px=side_px, spread=0)
    return 1 - drawing.astype(np.float32) / 255, digit_of(style)


def on_page(
    rng: Rng, *, side_px: tuple[int, int] = (300, 900), share: tuple[float, float] = (0.25, 0.7)
) -> tuple[Ink, int]:
    """Return a page with one digit somewhere on it; ``share`` of its shorter side is the digit's square."""
    height, width = (int(v) for v in rng.integers(*side_px, 2))
    size = int(min(height, width) * rng.uniform(*share))
    ink, digit = digit_ink(rng, size)
    page = np.zeros((height, width), np.float32)
    top, left = int(rng.integers(0, height - size + 1)), int(rng.integers(0, width - size + 1))
    page[top : top + size, left : left + size] = ink
    return page, digit


def coloured(ink: Ink, paper: Colours, pen: tuple[float, float, float]) -> Colours:
    """Return a paper on which there is ink of a colour."""
    return paper * (1 - ink[..., np.newaxis]) + np.float32(pen) * ink[..., np.newaxis]


def plain(shape: tuple[int, ...], colour: tuple[float, float, float] = (250, 250, 248)) -> Colours:
    """Return paper of one colour."""
    return np.broadcast_to(np.float32(colour), (*shape[:2], 3)).copy()


def dark_pen(rng: Rng) -> tuple[float, float, float]:
    """Return the colour of a black or blue pen."""
    grey = rng.uniform(10, 70)
    return (grey, grey, grey + rng.choice([0, 60]))


def jpeg(picture: Colours, quality: int = 85) -> bytes:
    """Return a picture as a JPEG file."""
    file = BytesIO()
    Image.fromarray(np.rint(picture).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return file.getvalue()


def png(picture: Colours) -> bytes:
    """Return a picture as a PNG file."""
    file = BytesIO()
    Image.fromarray(np.rint(picture).clip(0, 255).astype(np.uint8)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def noisy(rng: Rng, picture: Colours, deviation: float) -> Colours:
    """Add the noise of a camera."""
    return picture + deviation * rng.standard_normal(picture.shape, np.float32)


def smooth_field(rng: Rng, shape: tuple[int, int], low: float, high: float, cells: int = 3) -> Ink:
    """Return a field that varies slowly from ``low`` to ``high``, as uneven light does."""
    coarse = Image.fromarray(rng.uniform(low, high, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize(shape[::-1], Image.Resampling.BICUBIC))


def wood(rng: Rng, shape: tuple[int, int]) -> Colours:
    """Return the top of a dark desk, with its grain."""
    height, width = shape
    grain = np.cumsum(rng.standard_normal((height, 1)), axis=0)
    grain = grain + 0.3 * np.cumsum(rng.standard_normal((1, width)), axis=1) / 5
    grain = (grain - grain.min()) / max(np.ptp(grain), 1e-6)
    return (np.float32([70, 45, 30]) + 50 * np.sin(12 * grain)[..., np.newaxis] * np.float32([0.5, 0.35, 0.25])).astype(
        np.float32
    )


def placed_on(
    rng: Rng, sheet: Colours, desk: Colours, *, perspective: float, rotation_degrees: float, share: float
) -> Colours:
    """Lay a sheet on a desk: turned, seen at an angle, with a soft shadow; ``share`` of the picture is the sheet."""
    height, width = desk.shape[:2]
    scale = share * min(height / sheet.shape[0], width / sheet.shape[1])
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [sheet.shape[1] * scale / 2, sheet.shape[0] * scale / 2]
    angle = np.deg2rad(rotation_degrees)
    turned = half @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = turned * (1 + perspective * rng.uniform(-1, 1, (4, 2))) + [width / 2, height / 2]
    source = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [sheet.shape[1], sheet.shape[0]]
    rows = []
    for (x, y), (u, v) in zip(corners, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    coefficients = np.linalg.solve(np.array(rows), source.reshape(-1))
    size = (width, height)

    def warp(image: Image.Image) -> Image.Image:
        return image.transform(size, Image.Transform.PERSPECTIVE, coefficients.tolist(), Image.Resampling.BICUBIC)

    paper = np.asarray(warp(Image.fromarray(sheet.clip(0, 255).astype(np.uint8))), np.float32)
    mask_image = warp(Image.new("L", sheet.shape[1::-1], 255))
    mask = np.asarray(mask_image, np.float32)[..., np.newaxis] / 255
    shadow = np.asarray(mask_image.filter(ImageFilter.GaussianBlur(8)), np.float32)[..., np.newaxis] / 255
    shadow = np.roll(shadow, (6, 6), (0, 1))
    return desk * (1 - 0.5 * shadow) * (1 - mask) + paper * mask


def lined(
    ink: Ink, picture: Colours, *, spacing_px: float, squared: bool, colour: tuple[float, float, float]
) -> Colours:
    """Print ruled or squared lines on a paper, below its ink."""
    lines = np.zeros(ink.shape, np.float32)
    width = max(1, round(spacing_px / 25))
    for position in np.arange(spacing_px / 2, ink.shape[0], spacing_px):
        lines[int(position) : int(position) + width] = 1
    if squared:
        for position in np.arange(spacing_px / 2, ink.shape[1], spacing_px):
            lines[:, int(position) : int(position) + width] = 1
    return coloured(lines * (1 - ink), picture, colour)


def _drawing(rng: Rng) -> Example:
    ink, digit = on_page(rng, side_px=(200, 500), share=(0.4, 0.9))
    return Example(content=png(coloured(ink, plain(ink.shape, (255, 255, 255)), (0, 0, 0))), digit=digit)


def _small_on_page(rng: Rng) -> Example:
    ink, digit = on_page(rng, side_px=(500, 1200), share=(0.08, 0.2))
    return Example(content=jpeg(noisy(rng, coloured(ink, plain(ink.shape), dark_pen(rng)), 2)), digit=digit)


def _scan(rng: Rng) -> Example:
    ink, digit = on_page(rng)
    return Example(
        content=jpeg(noisy(rng, coloured(ink, plain(ink.shape, (238, 236, 230)), dark_pen(rng)), 3)), digit=digit
    )


def _dark_frame(rng: Rng) -> Example:
    ink, digit = on_page(rng)
    picture = coloured(ink, plain(ink.shape), dark_pen(rng))
    frame = int(rng.uniform(0.02, 0.08) * min(ink.shape))
    framed = plain((ink.shape[0] + 2 * frame, ink.shape[1] + 2 * frame), (20, 20, 22))
    framed[frame:-frame, frame:-frame] = picture
    return Example(content=jpeg(framed), digit=digit)


def _rotated_black_corners(rng: Rng) -> Example:
    ink, digit = on_page(rng, share=(0.3, 0.55))
    picture = Image.fromarray(coloured(ink, plain(ink.shape), dark_pen(rng)).astype(np.uint8))
    turned = picture.rotate(rng.uniform(4, 14) * rng.choice([-1, 1]), Image.Resampling.BICUBIC, expand=True)
    return Example(content=jpeg(np.asarray(turned, np.float32)), digit=digit)


def _shadow_edge(rng: Rng) -> Example:
    ink, digit = on_page(rng)
    picture = coloured(ink, plain(ink.shape, (225, 222, 215)), dark_pen(rng))
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[-1 : 1 : ink.shape[0] * 1j, -1 : 1 : ink.shape[1] * 1j].astype(np.float32)
    edge = np.cos(angle) * columns + np.sin(angle) * rows - rng.uniform(-0.5, 0.5)
    light = 1 - rng.uniform(0.3, 0.55) / (1 + np.exp(-edge * rng.uniform(20, 80)))
    return Example(content=jpeg(noisy(rng, picture * light[..., np.newaxis], 3)), digit=digit)


def _uneven_light(rng: Rng) -> Example:
    ink, digit = on_page(rng)
    picture = coloured(ink, plain(ink.shape, (230, 226, 218)), dark_pen(rng))
    return Example(
        content=jpeg(noisy(rng, picture * smooth_field(rng, ink.shape, 0.4, 1)[..., np.newaxis], 4)), digit=digit
    )


def _on_desk(rng: Rng, perspective: float, rotation: float, desk: Callable[[Rng, tuple[int, int]], Colours]) -> Example:
    ink, digit = on_page(rng, share=(0.35, 0.65))
    sheet = coloured(ink, plain(ink.shape, (240, 238, 232)), dark_pen(rng))
    shape = (int(rng.integers(500, 900)), int(rng.integers(500, 900)))
    picture = placed_on(
        rng,
        sheet,
        desk(rng, shape),
        perspective=perspective,
        rotation_degrees=rng.uniform(-rotation, rotation),
        share=rng.uniform(0.6, 0.85),
    )
    return Example(content=jpeg(noisy(rng, picture, 3)), digit=digit)


def _paper_on_dark_desk(rng: Rng) -> Example:
    return _on_desk(rng, 0, 4, lambda rng, shape: plain(shape, (45, 40, 38)))


def _perspective_on_desk(rng: Rng) -> Example:
    return _on_desk(rng, 0.12, 12, wood)


def _light_desk(rng: Rng) -> Example:
    return _on_desk(rng, 0.08, 10, lambda rng, shape: plain(shape, (178, 160, 130)))


def _paper_edge(rng: Rng) -> Example:
    ink, digit = on_page(rng, share=(0.35, 0.6))
    picture = coloured(ink, plain(ink.shape, (240, 238, 232)), dark_pen(rng))
    margin = int(rng.uniform(0.08, 0.2) * min(ink.shape))
    wider = plain((ink.shape[0], ink.shape[1] + margin), (90, 80, 75))
    wider[:, : ink.shape[1]] = picture
    return Example(
        content=jpeg(noisy(rng, wider[:, ::-1] if rng.random() < 0.5 and digit in (0, 8) else wider, 3)), digit=digit
    )


def _screenshot(rng: Rng) -> Example:
    ink, digit = on_page(rng, side_px=(300, 600), share=(0.4, 0.8))
    bar = int(rng.integers(24, 44))
    window = plain((ink.shape[0] + bar + 16, ink.shape[1] + 16), (225, 226, 230))
    window[bar + 8 : -8, 8:-8] = coloured(ink, plain(ink.shape, (255, 255, 255)), (0, 0, 0))
    image = Image.fromarray(window.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    pen.text((12, bar // 2 - 5), "untitled - Paint", fill=(60, 60, 60))
    for place, colour in enumerate(((255, 95, 86), (255, 189, 46), (39, 201, 63))):
        x = image.width - 20 - 18 * place
        pen.ellipse((x - 6, bar // 2 - 6, x + 6, bar // 2 + 6), fill=colour)
    return Example(content=png(np.asarray(image, np.float32)), digit=digit)


def _dark_mode(rng: Rng) -> Example:
    ink, digit = on_page(rng, side_px=(200, 600), share=(0.4, 0.85))
    level = rng.uniform(10, 45)
    return Example(
        content=png(coloured(ink, plain(ink.shape, (level, level, level + 4)), (235, 235, 235))), digit=digit
    )


def _dark_mode_window(rng: Rng) -> Example:
    ink, digit = on_page(rng, side_px=(300, 600), share=(0.4, 0.8))
    bar = int(rng.integers(24, 44))
    window = plain((ink.shape[0] + bar, ink.shape[1]), (58, 60, 66))
    window[bar:] = coloured(ink, plain(ink.shape, (24, 25, 28)), (235, 235, 235))
    image = Image.fromarray(window.astype(np.uint8))
    ImageDraw.Draw(image).text((12, bar // 2 - 5), "notes", fill=(210, 210, 210))
    return Example(content=png(np.asarray(image, np.float32)), digit=digit)


def _ruled(rng: Rng) -> Example:
    ink, digit = on_page(rng)
    picture = coloured(ink, plain(ink.shape, (246, 245, 240)), dark_pen(rng))
    picture = lined(ink, picture, spacing_px=rng.uniform(35, 90), squared=False, colour=(150, 175, 215))
    return Example(content=jpeg(noisy(rng, picture, 2)), digit=digit)


def _squared(rng: Rng) -> Example:
    ink, digit = on_page(rng)
    picture = coloured(ink, plain(ink.shape, (246, 245, 240)), dark_pen(rng))
    picture = lined(ink, picture, spacing_px=rng.uniform(28, 70), squared=True, colour=(165, 185, 215))
    return Example(content=jpeg(noisy(rng, picture, 2)), digit=digit)


def _box(rng: Rng, *, touching: bool) -> Example:
    side = int(rng.integers(90, 260))
    ink, digit = digit_ink(rng, side)
    rows, columns = np.flatnonzero(ink.max(axis=1) > 0.5), np.flatnonzero(ink.max(axis=0) > 0.5)
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    gap = 0 if touching else int(side * rng.uniform(0.08, 0.3))
    line, margin = int(rng.integers(2, 5)), int(side * rng.uniform(0.1, 0.4))
    edge = gap + line + margin
    page = np.zeros((ink.shape[0] + 2 * edge, ink.shape[1] + 2 * edge), np.float32)
    if ink.shape[1] < side * 0.6:  # boxes of a form are about square, whatever is written in them
        extra = int(side * 0.7 - ink.shape[1]) // 2
        page = np.zeros((page.shape[0], page.shape[1] + 2 * extra), np.float32)
    left = (page.shape[1] - ink.shape[1]) // 2
    page[edge : edge + ink.shape[0], left : left + ink.shape[1]] = ink
    box = np.zeros(page.shape, np.float32)
    box[margin:-margin, margin:-margin] = 1
    box[margin + line : -margin - line, margin + line : -margin - line] = 0
    picture = coloured(box, plain(page.shape), (70, 70, 70))
    return Example(content=jpeg(noisy(rng, coloured(page, picture, dark_pen(rng)), 2)), digit=digit)


def _form_box(rng: Rng) -> Example:
    return _box(rng, touching=False)


def _form_box_touching(rng: Rng) -> Example:
    return _box(rng, touching=True)


def _table_cell(rng: Rng) -> Example:
    side = int(rng.integers(90, 220))
    ink, digit = digit_ink(rng, side)
    height, width = int(side * rng.uniform(1.1, 1.5)), int(side * rng.uniform(1.3, 2.5))
    page = np.zeros((int(height * 1.3), int(width * 1.3)), np.float32)
    top, left = (page.shape[0] - side) // 2, (page.shape[1] - side) // 2
    page[top : top + side, left : left + side] = ink
    lines = np.zeros(page.shape, np.float32)
    thick = int(rng.integers(2, 4))
    for y in ((page.shape[0] - height) // 2, (page.shape[0] + height) // 2):
        lines[y : y + thick] = 1
    for x in ((page.shape[1] - width) // 2, (page.shape[1] + width) // 2):
        lines[:, x : x + thick] = 1
    picture = coloured(lines, plain(page.shape), (90, 90, 90))
    return Example(content=jpeg(noisy(rng, coloured(page, picture, dark_pen(rng)), 2)), digit=digit)


def _coloured_pen(rng: Rng) -> Example:
    ink, digit = on_page(rng)
    pens = ((200, 30, 40), (30, 120, 50), (230, 120, 20), (150, 40, 160), (30, 90, 200), (235, 190, 30))
    pen = pens[int(rng.integers(len(pens)))]
    return Example(content=jpeg(noisy(rng, coloured(ink, plain(ink.shape), pen), 2)), digit=digit)


def _grey_on_grey(rng: Rng) -> Example:
    """Two greys at least 50 levels apart, either of them the ink."""
    ink, digit = on_page(rng, side_px=(150, 500))
    low = rng.uniform(0, 205)
    paper, pen = (low, rng.uniform(low + 50, 255))[:: int(rng.choice([1, -1]))]
    return Example(content=jpeg(coloured(ink, plain(ink.shape, (paper,) * 3), (pen,) * 3), 60), digit=digit)


def _any_colours(rng: Rng) -> Example:
    """Any colour on any other, at least 80 levels apart in one channel."""
    ink, digit = on_page(rng, side_px=(150, 500))
    paper, pen = rng.uniform(0, 255, (2, 3)).tolist()
    if max(abs(a - b) for a, b in zip(paper, pen, strict=True)) < 80:
        pen = [255 - level if abs(255 - 2 * level) > 80 else level + 100 for level in paper]
    return Example(content=jpeg(coloured(ink, plain(ink.shape, tuple(paper)), tuple(pen)), 60), digit=digit)


def _on_nothing(rng: Rng) -> Example:
    """Black or white strokes on full transparency."""
    ink, digit = on_page(rng, side_px=(150, 500))
    level = np.full((*ink.shape, 3), 255 * int(rng.integers(2)), np.float32)
    return Example(content=png(np.dstack([level, 255 * ink])), digit=digit)


def _coloured_paper(rng: Rng) -> Example:
    ink, digit = on_page(rng)
    papers = ((255, 235, 120), (250, 180, 200), (170, 220, 250), (185, 235, 170))
    paper = plain(ink.shape, papers[int(rng.integers(len(papers)))])
    return Example(content=jpeg(noisy(rng, coloured(ink, paper, dark_pen(rng)), 3)), digit=digit)


def _faint_pencil(rng: Rng) -> Example:
    ink, digit = on_page(rng)
    texture = np.clip(
        smooth_field(rng, ink.shape, 0.6, 1, 12) + 0.2 * rng.standard_normal(ink.shape, np.float32), 0.3, 1
    )
    grey = rng.uniform(140, 190)
    return Example(
        content=jpeg(noisy(rng, coloured(ink * texture, plain(ink.shape), (grey, grey, grey)), 3)), digit=digit
    )


def _noise(rng: Rng) -> Example:
    ink, digit = on_page(rng, share=(0.4, 0.8))
    return Example(
        content=png(noisy(rng, coloured(ink, plain(ink.shape, (200, 200, 200)), dark_pen(rng)), rng.uniform(15, 30))),
        digit=digit,
    )


def _strong_jpeg(rng: Rng) -> Example:
    ink, digit = on_page(rng, side_px=(120, 400), share=(0.4, 0.8))
    return Example(content=jpeg(coloured(ink, plain(ink.shape), dark_pen(rng)), int(rng.integers(8, 20))), digit=digit)


def _at_edge(rng: Rng) -> Example:
    side = int(rng.integers(120, 400))
    ink, digit = digit_ink(rng, side)
    rows, columns = np.flatnonzero(ink.max(axis=1) > 0.5), np.flatnonzero(ink.max(axis=0) > 0.5)
    tight = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    page = np.zeros((int(tight.shape[0] * 1.6), int(tight.shape[1] * 1.8)), np.float32)
    at_bottom, at_right = rng.random(2) < 0.5
    top, left = (page.shape[0] - tight.shape[0]) * at_bottom, (page.shape[1] - tight.shape[1]) * at_right
    page[top : top + tight.shape[0], left : left + tight.shape[1]] = tight
    return Example(content=jpeg(coloured(page, plain(page.shape), dark_pen(rng))), digit=digit)


def _blackboard(rng: Rng) -> Example:
    ink, digit = on_page(rng)
    texture = np.clip(0.85 + 0.2 * rng.standard_normal(ink.shape, np.float32), 0.4, 1)
    board = plain(ink.shape, (38, 62, 50)) * smooth_field(rng, ink.shape, 0.8, 1.2)[..., np.newaxis]
    return Example(content=jpeg(noisy(rng, coloured(ink * texture, board, (225, 228, 222)), 4)), digit=digit)


def _crumpled(rng: Rng) -> Example:
    ink, digit = on_page(rng)
    shade = smooth_field(rng, ink.shape, 0.72, 1, 9)
    return Example(
        content=jpeg(noisy(rng, coloured(ink, plain(ink.shape), dark_pen(rng)) * shade[..., np.newaxis], 3)),
        digit=digit,
    )


def _phone(rng: Rng) -> Example:
    """Everything at once, mildly: a large photograph, warm slanting light, soft focus, noise, JPEG."""
    ink, digit = on_page(rng, side_px=(900, 1600), share=(0.2, 0.5))
    picture = (
        coloured(ink, plain(ink.shape, (225, 215, 198)), dark_pen(rng))
        * smooth_field(rng, ink.shape, 0.65, 1.05)[..., np.newaxis]
    )
    soft = Image.fromarray(picture.clip(0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(rng.uniform(0.5, 2.5))
    )
    return Example(content=jpeg(noisy(rng, np.asarray(soft, np.float32), 4), 75), digit=digit)


KINDS: Mapping[str, Callable[[Rng], Example]] = MappingProxyType(
    {
        "drawing": _drawing,
        "scan": _scan,
        "small on a page": _small_on_page,
        "phone": _phone,
        "uneven light": _uneven_light,
        "edge of a shadow": _shadow_edge,
        "crumpled": _crumpled,
        "dark frame": _dark_frame,
        "turned, black corners": _rotated_black_corners,
        "paper's edge": _paper_edge,
        "paper on a dark desk": _paper_on_dark_desk,
        "paper on a light desk": _light_desk,
        "perspective on wood": _perspective_on_desk,
        "screenshot": _screenshot,
        "dark mode": _dark_mode,
        "dark mode, title bar": _dark_mode_window,
        "blackboard": _blackboard,
        "ruled": _ruled,
        "squared": _squared,
        "form box": _form_box,
        "form box, touching": _form_box_touching,
        "table cell": _table_cell,
        "coloured pen": _coloured_pen,
        "coloured paper": _coloured_paper,
        "grey on grey": _grey_on_grey,
        "any colours": _any_colours,
        "on transparency": _on_nothing,
        "faint pencil": _faint_pencil,
        "noise": _noise,
        "strong JPEG": _strong_jpeg,
        "at the edge": _at_edge,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was found in one picture; ``inputs`` and ``prediction`` are None if it was refused."""

    example: Example
    inputs: ModelInputs | None
    prediction: Mapping[str, Any] | None
    taken_s: float

    @property
    def is_right(self) -> bool:
        """Whether it is the digit that was drawn."""
        return self.prediction is not None and self.prediction["digit"] == self.example.digit

    @property
    def is_warned(self) -> bool:
        """Whether there is a warning, or a refusal."""
        return self.prediction is None or bool(self.prediction["warnings"])

    @property
    def verdict(self) -> str:
        """What it is worth."""
        return "refused" if self.prediction is None else str(self.prediction["verdict"])


def shipped_model(name: str = "mnist-digits") -> Model:
    """Return the champion of a shipped model."""
    registry = Registry(LocalStore(shipped_models()))
    return registry.load(name, registry.resolve(name))


def read(example: Example, model: Model) -> Reading:
    """Read a picture as ``POST /predict`` does."""
    start_s = time.perf_counter()
    try:
        inputs = decode_upload(example.content, "image/*")
    except ServiceError:
        return Reading(example=example, inputs=None, prediction=None, taken_s=time.perf_counter() - start_s)
    taken_s = time.perf_counter() - start_s
    (prediction,) = answer(model, inputs)["predictions"]
    return Reading(example=example, inputs=inputs, prediction=prediction, taken_s=taken_s)


def readings(kind: str, model: Model, *, n_digits: int, seed: int = 0) -> Iterator[Reading]:
    """Make and read pictures of one kind; the same seed gives the same pictures."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    for _ in range(n_digits):
        yield read(KINDS[kind](rng), model)


def drawn_at(style: str, height: float, rng: Rng, *, side_px: int = 280, pen_px: float = 18) -> Example:
    """Draw a style at a height, as a share of the canvas, with a pen that is the same at all heights."""
    hand = Hand(height_px=max(1, height * side_px - pen_px), pen_px=pen_px)
    picture = draw(style, rng, hand, side_px=side_px)
    return Example(
        content=png(np.repeat(picture[..., np.newaxis].astype(np.float32), 3, axis=2)), digit=digit_of(style)
    )


def tile(kind: str, reading: Reading) -> Image.Image:
    """Return a picture beside what was found in it."""
    picture = Image.open(BytesIO(reading.example.content)).convert("RGB")
    picture.thumbnail((130, 130))
    whole = Image.new("RGB", (204, 146), (96, 96, 96) if reading.is_right else (150, 30, 30))
    whole.paste(picture, (2, 2))
    pen = ImageDraw.Draw(whole)
    if reading.inputs is not None:
        whole.paste(Image.fromarray(reading.inputs.images[0]).resize((64, 64)), (136, 2))
    found = reading.prediction["digit"] if reading.prediction else ""
    pen.text((136, 70), f"{reading.example.digit} > {found}{' !' * reading.is_warned}", fill=(255, 255, 255))
    pen.text((136, 84), reading.verdict, fill=(255, 255, 255))
    pen.text((2, 133), kind, fill=(255, 255, 255))
    return whole


def sheet_of(tiles: list[Image.Image], columns: int = 6) -> Image.Image:
    """Return tiles in rows."""
    width, height = tiles[0].size
    sheet = Image.new("RGB", (columns * width, -(-len(tiles) // columns) * height))
    for place, one in enumerate(tiles):
        row, column = divmod(place, columns)
        sheet.paste(one, (column * width, row * height))
    return sheet


def drawings_at(height: float, pen_px: float, model: Model, *, seed: int = 0, every: int = 1) -> list[Reading]:
    """Draw all styles, or every n-th, at a height with a pen, and read them."""
    rng = np.random.default_rng([seed, round(1000 * height), round(pen_px)])
    return [read(drawn_at(style, height, rng, pen_px=pen_px), model) for style in list(STYLES)[::every]]


def print_heights(model: Model, seed: int) -> None:
    """Print in Markdown how many of the 45 styles are read right, and with a warning, at each height with each pen."""
    print(f"| height | {' | '.join(f'{pen_px} px' for pen_px in PENS_PX)} |\n|---:|{'---:|' * len(PENS_PX)}")
    for height in HEIGHTS:
        cells = [drawings_at(height, pen_px, model, seed=seed) for pen_px in PENS_PX]
        counts = (f"{sum(one.is_right for one in cell)} ({sum(one.is_warned for one in cell)})" for cell in cells)
        print(f"| {height:.0%} | {' | '.join(counts)} |", flush=True)


def main() -> None:
    """Print the table, and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", type=int, default=100, help="pictures of each kind")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this kind; may be repeated")
    parser.add_argument("--sheet", type=Path, help="write the pictures with what was found in them")
    parser.add_argument("--only-wrong", action="store_true", help="leave out of the sheet what was read right")
    parser.add_argument("--heights", action="store_true", help="print the table of heights instead")
    parser.add_argument("--model", default="mnist-digits", help="the shipped model that classifies")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model = shipped_model(options.model)
    if options.heights:
        print_heights(model, options.seed)
        return
    everything: list[Reading] = []
    tiles: list[Image.Image] = []
    print(f"{'kind':<22} {'right':>6} {'warned':>7} {'refused':>7} {'wrong and sure':>14} {'ms each':>8}")
    for kind in options.kind or KINDS:
        found = list(readings(kind, model, n_digits=options.digits, seed=options.seed))
        print_row(kind, found)
        everything += found
        if options.sheet:
            tiles += [tile(kind, one) for one in found if not (options.only_wrong and one.is_right)]
    print_row("all", everything)
    if tiles:
        sheet_of(tiles).save(options.sheet)


def print_row(kind: str, found: list[Reading]) -> None:
    """Print the shares of one kind."""
    rows = [
        (one.is_right, one.is_warned, one.verdict != "digit", one.verdict == "digit" and not one.is_right, one.taken_s)
        for one in found
    ]
    right, warned, refused, sure, taken_s = np.mean(rows, axis=0)
    print(f"{kind:<22} {right:>6.3f} {warned:>7.3f} {refused:>7.3f} {sure:>14.3f} {1000 * taken_s:>8.1f}", flush=True)


if __name__ == "__main__":
    main()
