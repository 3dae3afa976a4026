"""A key below a picture: which colour is which number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .tiles import INK, PAPER, TileGrid, caption_font

_LONGEST_IN_TILES = 3


def add_scale_bar(
    picture: Image.Image,
    grid: TileGrid,
    figures: Sequence[float],
    colour_map: Callable[[NDArray[np.floating[Any]]], NDArray[np.uint8]],
) -> Image.Image:
    """Return the picture with a strip of the colour map below it and ``figures`` evenly along it.

    Nothing else moves. Where the figures have no room side by side, the picture is returned as it is.
    """
    font_px = max(3 * grid.upscale, 11)
    bar_px, font = max(3 * grid.upscale // 2, 4), caption_font(font_px)
    left, _, _, lower = grid.box(grid.n_rows - 1, 0)
    _, _, right, _ = grid.box(0, min(grid.n_columns, _LONGEST_IN_TILES) - 1)
    texts = [f"{figure:.3g}" for figure in figures]
    if font.getlength("  ".join(texts)) > right - left:
        return picture
    upper = lower + 2 * grid.gap_px
    taller = Image.new("RGB", (picture.width, upper + bar_px + font_px + grid.gap_px + 4), PAPER)
    taller.paste(picture)
    strip = colour_map(np.linspace(0, 1, right - left))[np.newaxis].repeat(bar_px, axis=0)
    taller.paste(Image.fromarray(strip), (left, upper))
    draw = ImageDraw.Draw(taller)
    draw.rectangle((left, upper, right - 1, upper + bar_px - 1), outline=INK)
    places = np.linspace(left, right, len(texts))
    anchors = ["lt", *["mt"] * (len(texts) - 2), "rt"]
    for x, text, anchor in zip(places, texts, anchors, strict=True):
        draw.text((x, upper + bar_px + max(grid.upscale, 3)), text, INK, font, anchor=anchor)
    return taller
