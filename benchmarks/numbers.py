"""Whole numbers of 1 to 10 digits: how many are read right, compared with what single digits on the same paper promise.

The digits are of MNIST's test part or drawn by `service.reports.drawings`, one hand a number. If a share p of single
digits is read right by ``POST /predict``, p^n of the numbers of n digits would be, if errors were independent and
digits well separated. Print the table, or write a sheet with what was read in each picture::

    python -m benchmarks.numbers --numbers 200
    python -m benchmarks.numbers --numbers 10 --sheet numbers.png --only-wrong
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
from PIL import Image, ImageDraw, ImageFont

from service.bootstrap import shipped_models
from service.datasets import LabelledImages, load_dataset
from service.inference import DecodingLimits, decode_upload, predict, read, read_picture
from service.registry import Model, Registry
from service.reports.drawings import STYLES, Hand, digit_of, draw
from service.stores import LocalStore

from .photographs import Ink, Rng, coloured, dark_pen, jpeg, mnist_ink, noisy, plain, sheet_of

MAX_DIGITS = 10
_DRAWN_SIDE_PX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A picture of a number, and a picture of each of its digits alone, on the same paper with the same pen."""

    text: str
    boxes: tuple[tuple[int, int, int, int], ...]
    content: bytes
    alone: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read."""

    number: Number
    answer: Mapping[str, Any]
    n_alone_right: int
    taken_s: float

    @property
    def text(self) -> str:
        """All lines."""
        return " / ".join(line["text"] for line in self.answer["lines"])

    @property
    def is_right(self) -> bool:
        """Whether all digits were read right, in one line, and nothing else."""
        return self.text == self.number.text

    @property
    def is_counted_right(self) -> bool:
        """Whether as many were found."""
        return len(self.text) == len(self.number.text)


def hand_of(rng: Rng, of_mnist: LabelledImages) -> Callable[[], tuple[Ink, int]]:
    """Return what writes one digit after the other, cropped to its ink: MNIST's writers, or one pen."""
    height_px = float(rng.uniform(32, 90))
    if rng.random() < 0.5:

        def write() -> tuple[Ink, int]:
            ink, digit = mnist_ink(rng, round(height_px * 22 / 20), of_mnist)
            return _cropped(ink), digit

        return write
    pen_px, aspect = height_px * rng.uniform(0.07, 0.16), rng.uniform(0.5, 0.75)

    def draw_one() -> tuple[Ink, int]:
        style = list(STYLES)[int(rng.integers(len(STYLES)))]
        hand = Hand(height_px=height_px * rng.uniform(0.92, 1.08) - pen_px, pen_px=pen_px, aspect=aspect)
        drawing = draw(style, rng, hand, side_px=_DRAWN_SIDE_PX, spread=0)
        return _cropped(1 - drawing.astype(np.float32) / 255), digit_of(style)

    return draw_one


def _cropped(ink: Ink) -> Ink:
    rows, columns = np.flatnonzero(ink.max(axis=1) > 0.2), np.flatnonzero(ink.max(axis=0) > 0.2)
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _gaps(low: float, high: float) -> Callable[[Rng, int], list[float]]:
    """Return a maker of gaps between digits, in heights."""
    return lambda rng, n_gaps: [float(gap) for gap in rng.uniform(low, high, n_gaps)]


def _one_touching(rng: Rng, n_gaps: int) -> list[float]:
    gaps = _gaps(0.06, 0.3)(rng, n_gaps)
    if n_gaps:
        gaps[int(rng.integers(n_gaps))] = -1.0  # as near as they have to be
    return gaps


def _all_touching(_: Rng, n_gaps: int) -> list[float]:
    return [-1.0] * n_gaps


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How numbers are laid out; ``frame`` is none, a box around each digit, or a row of cells."""

    gaps: Callable[[Rng, int], list[float]]
    frame: str = "none"
    n_digits: tuple[int, int] = (1, MAX_DIGITS)


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "wide": Kind(gaps=_gaps(0.35, 0.9)),
        "narrow gaps": Kind(gaps=_gaps(0.08, 0.3)),
        "boxes": Kind(gaps=_gaps(0.5, 0.5), frame="boxes"),
        "cells": Kind(gaps=_gaps(0.5, 0.5), frame="cells"),
        "one touching pair": Kind(gaps=_one_touching, n_digits=(2, MAX_DIGITS)),
        "a touching pair alone": Kind(gaps=_all_touching, n_digits=(2, 2)),
        "all touching": Kind(gaps=_all_touching, n_digits=(3, 5)),
    }
)


def number_of(kind: Kind, rng: Rng, of_mnist: LabelledImages | None = None) -> Number:
    """Write a number, and each of its digits alone; with images of MNIST's test part, if no others are given."""
    write = hand_of(rng, of_mnist or load_dataset("mnist").test)
    n_digits = int(rng.integers(kind.n_digits[0], kind.n_digits[1] + 1))
    written = [write() for _ in range(n_digits)]
    height_px = float(np.median([ink.shape[0] for ink, _ in written]))
    margin_px = round(height_px * rng.uniform(0.4, 1.0))
    band_px = max(ink.shape[0] for ink, _ in written) + 8
    page = np.zeros((band_px + 2 * margin_px, 2 * margin_px + round(2.2 * height_px * n_digits) + 40), np.float32)
    frames = np.zeros_like(page)
    boxes = []
    x, gaps = margin_px, [0.0, *kind.gaps(rng, n_digits - 1)]
    for (ink, _), gap in zip(written, gaps, strict=True):
        top = margin_px + band_px - ink.shape[0] - int(rng.integers(0, 5))
        if kind.frame != "none":
            side_px = round(1.5 * height_px)
            x += round(gap * height_px) if kind.frame == "boxes" else 0
            middle = margin_px + band_px - round(height_px / 2)
            _frame(frames, middle - side_px // 2 - 6, x, side_px + 6, max(1, round(height_px / 40)))
            left, x = x + (side_px - ink.shape[1]) // 2 + int(rng.integers(-3, 4)), x + side_px
        else:
            left = x + round(gap * height_px) if gap >= 0 else _touching(page, ink, top, x)
            x = left + ink.shape[1]
        boxes.append((left, top, ink.shape[1], ink.shape[0]))
        here = page[top : top + ink.shape[0], left : left + ink.shape[1]]
        np.maximum(here, ink, out=here)
    width = x + margin_px
    paper, pen, quality = rng.uniform(225, 255), dark_pen(rng), int(rng.integers(75, 96))

    def saved(ink: Ink, lines: Ink | None = None) -> bytes:
        sheet = plain(ink.shape, (paper, paper, paper - 4))
        if lines is not None:
            sheet = coloured(lines, sheet, (110, 110, 120))
        return jpeg(noisy(rng, coloured(ink, sheet, pen), 2), quality)

    alone = tuple(saved(np.pad(ink, margin_px)) for ink, _ in written)
    text = "".join(str(digit) for _, digit in written)
    return Number(text=text, boxes=tuple(boxes), content=saved(page[:, :width], frames[:, :width]), alone=alone)


def _touching(page: Ink, ink: Ink, top: int, x: int) -> int:
    """Return where a digit is when it is pushed to the left until it touches what is there."""
    before = page[top : top + ink.shape[0]] > 0.5
    for left in range(x, max(0, x - ink.shape[1]), -1):
        if (before[:, left : left + ink.shape[1]] & (ink > 0.5)).any():
            return left
    return x


def _frame(frames: Ink, top: int, left: int, side_px: int, thick_px: int) -> None:
    top = max(0, top)
    bottom, right = min(len(frames) - thick_px, top + side_px), left + side_px - 6
    for row in (top, bottom):
        frames[row : row + thick_px, left : right + thick_px] = 1
    for column in (left, right):
        frames[top : bottom + thick_px, column : column + thick_px] = 1


def readings(name: str, model: Model, *, n_numbers: int, seed: int = 0) -> Iterator[Reading]:
    """Make and read numbers of one kind; the same seed gives the same numbers."""
    rng = np.random.default_rng([seed, list(KINDS).index(name)])
    for _ in range(n_numbers):
        number = number_of(KINDS[name], rng)
        alone = [int(predict(model, decode_upload(one, "image/*").images)[0][0]) for one in number.alone]
        start_s = time.perf_counter()
        answer = read(model, read_picture(number.content, DecodingLimits()))
        taken_s = time.perf_counter() - start_s
        n_right = sum(digit == int(true) for digit, true in zip(alone, number.text, strict=True))
        yield Reading(number=number, answer=answer, n_alone_right=n_right, taken_s=taken_s)


def promised(found: list[Reading]) -> tuple[float, float]:
    """Return p, the share of single digits read right, and the mean of p^n over the numbers."""
    lengths = np.array([len(one.number.text) for one in found])
    p = sum(one.n_alone_right for one in found) / lengths.sum()
    return float(p), float(np.mean(p**lengths))


def tile(name: str, reading: Reading) -> Image.Image:
    """Return a picture with the boxes and the digits that were found."""
    picture = Image.open(BytesIO(reading.number.content)).convert("RGB")
    pen = ImageDraw.Draw(picture)
    for line in reading.answer["lines"]:
        for one in (*line["digits"], *line["marks"]):
            x, y, width, height = one["box"]
            pen.rectangle(
                (x, y, x + width - 1, y + height - 1), outline=(220, 40, 40) if "digit" in one else (40, 90, 220)
            )
    picture.thumbnail((400, 70))
    whole = Image.new("RGB", (404, 92), (70, 70, 70) if reading.is_right else (130, 20, 20))
    whole.paste(picture, (2, 2))
    font = ImageFont.load_default(14)
    ImageDraw.Draw(whole).text((4, 73), f"{name}: {reading.number.text} > {reading.text}", fill="white", font=font)
    return whole


def main() -> None:
    """Print the table, and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--numbers", type=int, default=20, help="of each kind")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this kind; may be repeated")
    parser.add_argument("--model", default="mnist-digits", help="a shipped model")
    parser.add_argument("--sheet", type=Path, help="write the pictures with what was read in them")
    parser.add_argument("--only-wrong", action="store_true", help="leave out of the sheet what was read right")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model = Registry(LocalStore(shipped_models())).load(options.model, 1)
    tiles: list[Image.Image] = []
    print(f"{'kind':<22} {'right':>6} {'count':>6} {'p':>6} {'p^n':>6} {'right/p^n':>9} {'ms each':>8}")
    for name in options.kind or KINDS:
        found = list(readings(name, model, n_numbers=options.numbers, seed=options.seed))
        right, counted, taken_s = np.mean([(one.is_right, one.is_counted_right, one.taken_s) for one in found], axis=0)
        p, of_n = promised(found)
        print(
            f"{name:<22} {right:>6.3f} {counted:>6.3f} {p:>6.3f} {of_n:>6.3f}",
            f"{right / of_n:>9.3f} {1000 * taken_s:>8.0f}",
            flush=True,
        )
        if options.sheet:
            tiles += [tile(name, one) for one in found if not (options.only_wrong and one.is_right)]
    if tiles:
        sheet_of(tiles, columns=4).save(options.sheet)


if __name__ == "__main__":
    main()
