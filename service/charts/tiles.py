"""Small pictures in rows and columns, with captions, in the colours of a scale that is shown below them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from service.core import IMAGE_SIDE_PX
from service.errors import InputTooLarge

from .frame import check_whole, fit_lines

ColourMap: TypeAlias = Callable[[NDArray[np.floating[Any]]], NDArray[np.uint8]]
"""Fractions from 0 to 1, of any shape ``(...)``, to colours ``(..., 3)``."""

TILE_SIDE = IMAGE_SIDE_PX
PAPER, INK, _FRAME, _RED = (255, 255, 255), (34, 34, 34), (208, 211, 215), (200, 30, 30)
# Found without importing matplotlib, which takes long. Pillow's own font has no Greek letters.
_MATPLOTLIB = find_spec("matplotlib")
_FONT = Path((_MATPLOTLIB and _MATPLOTLIB.origin) or "").parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
_MAX_PIXELS = 40_000_000
_MAX_SCALE_TILES = 3

# Blue, white and red of ColorBrewer's RdBu, which remain distinct to colour-blind readers; the middle is pure white.
_DIVERGING = np.array(
    [
        (5, 48, 97), (33, 102, 172), (67, 147, 195), (146, 197, 222), (209, 229, 240), (255, 255, 255),
        (253, 219, 199), (244, 165, 130), (214, 96, 77), (178, 24, 43), (103, 0, 31),
    ]
)  # fmt: skip


def diverging(fractions: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Map 0 to dark blue, 1/2 to pure white and 1 to dark red."""
    stops = np.linspace(0, 1, len(_DIVERGING))
    channels = [np.rint(np.interp(fractions, stops, channel)) for channel in _DIVERGING.T]
    return np.stack(channels, axis=-1).astype(np.uint8)


def grey(fractions: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Map 0 to black and 1 to white."""
    return np.stack([np.rint(255 * fractions).astype(np.uint8)] * 3, axis=-1)


@dataclass(frozen=True, kw_only=True)
class TileGrid:
    """The layout of a picture of tiles, each 28 x 28 solid blocks of ``upscale`` x ``upscale`` pixels.

    Parameters
    ----------
    n_rows, n_columns : of tiles, at least 1.
    upscale : 1 to 16.
    row_captions : one to the left of each row, or none at all.
    column_captions : one above each column, or none at all.
    foot_font_px : the size of the font in which labels are written below the tiles; 0 without labels.

    Raises
    ------
    InvalidField : ``upscale`` is out of its range.
    InputTooLarge : the picture would have more than 40 million pixels.
    ValueError : the captions are not as many as the rows or the columns.
    """

    n_rows: int
    n_columns: int
    upscale: int
    row_captions: Sequence[str] = ()
    column_captions: Sequence[str] = ()
    foot_font_px: int = 0

    def __post_init__(self) -> None:
        """Check the captions and the size."""
        for captions, number in ((self.row_captions, self.n_rows), (self.column_captions, self.n_columns)):
            if len(captions) not in (0, number):
                raise ValueError(f"there are {len(captions)} captions for {number} rows or columns of tiles")
        check_upscale(self.upscale)
        width_px, height_px = self.size_px
        if width_px * height_px > _MAX_PIXELS:
            allowed = f"small enough for at most {_MAX_PIXELS:,} pixels in all"
            raise InputTooLarge("The picture would be too large.", field="upscale", allowed=allowed)

    def box(self, row: int, column: int) -> tuple[int, int, int, int]:
        """Return left, upper, right and lower edge of a tile; right and lower are the first pixels outside."""
        left = self._left_px + self.gap_px + column * (self.tile_px + self.gap_px)
        upper = self._top_px + self.gap_px + row * (self.tile_px + self.foot_px + self.gap_px)
        return left, upper, left + self.tile_px, upper + self.tile_px

    @property
    def tile_px(self) -> int:
        """The side of a tile."""
        return TILE_SIDE * self.upscale

    @property
    def gap_px(self) -> int:
        """The space between tiles, and around them all."""
        return 2 * self.upscale

    @property
    def foot_px(self) -> int:
        """The room for a label below each tile."""
        return int(1.1 * self.foot_font_px)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the picture."""
        _, _, right, lower = self.box(self.n_rows - 1, self.n_columns - 1)
        return right + self.gap_px, lower + self.foot_px + self.gap_px

    @property
    def font(self) -> ImageFont.FreeTypeFont:
        """The font of the captions, in proportion to the tiles."""
        return caption_font(min(max(5 * self.upscale, 12), 32))

    def compose(self, tiles: Iterable[Iterable[NDArray[np.uint8]]]) -> Image.Image:
        """Put tiles, each in a thin frame, and captions on a white background.

        Parameters
        ----------
        tiles : rows of tiles, uint8, ``(28, 28, 3)`` each; a row may be short.
        """
        width_px, height_px = self.size_px
        paper = np.full((height_px, width_px, 3), PAPER, np.uint8)
        for row, tiles_of_row in enumerate(tiles):
            for column, tile in enumerate(tiles_of_row):
                left, upper, right, lower = self.box(row, column)
                paper[upper - 1 : lower + 1, left - 1 : right + 1] = _FRAME
                paper[upper:lower, left:right] = magnified(tile, self.upscale)
        picture = Image.fromarray(paper)
        draw, font = ImageDraw.Draw(picture), self.font
        for row, caption in enumerate(self._fitted_row_captions):
            _, upper, _, lower = self.box(row, 0)
            place = self._left_px, (upper + lower) / 2
            draw.multiline_text(place, caption, INK, font, anchor="rm", align="right")
        for column, caption in enumerate(self.column_captions):
            left, _, right, _ = self.box(0, column)
            line = "".join(fit_to(caption, font, self.tile_px))
            draw.text(((left + right) / 2, self._top_px), line, INK, font, anchor="ms")
        return picture

    def add_labels(self, picture: Image.Image, labels: Sequence[str], stand_out: Sequence[int]) -> None:
        """Write the label of each tile below it; frame those that stand out, by number, with their labels in red."""
        draw, font, chosen = ImageDraw.Draw(picture), caption_font(self.foot_font_px), set(stand_out)
        for place, label in enumerate(labels):
            left, upper, right, lower = self.box(*divmod(place, self.n_columns))
            colour = _RED if place in chosen else INK
            line = "".join(fit_to(label, font, self.tile_px))
            draw.text(((left + right) / 2, lower + self.foot_px), line, colour, font, anchor="ms")
            if place in chosen:
                frame = left - self.upscale, upper - self.upscale, right + self.upscale - 1, lower + self.upscale - 1
                draw.rectangle(frame, None, _RED, self.upscale)

    def add_scale(
        self, picture: Image.Image, figures: Sequence[float], colour_map: ColourMap, caption: str = ""
    ) -> Image.Image:
        """Return the composed picture with a strip of the colour map below it and ``figures`` evenly along it.

        Nothing else moves, and a strip that was added before stays above it. The figures are as large as the captions,
        or smaller where there is less room side by side; where even that is not enough, the picture is returned as it
        is.

        Parameters
        ----------
        caption : of a row of tiles: which the strip is for.
        """
        bar_px = max(3 * self.upscale // 2, 4)
        left, _, _, lower = self.box(self.n_rows - 1, 0)
        _, _, right, _ = self.box(0, min(self.n_columns, _MAX_SCALE_TILES) - 1)
        texts = [f"{figure:.3g}".replace("-", "−") for figure in figures]
        fonts = self.font, caption_font(max(3 * self.upscale, 11))
        font = next((font for font in fonts if font.getlength("  ".join(texts)) <= right - left), None)
        if font is None:
            return picture
        upper = max(lower + self.foot_px + 2 * self.gap_px, picture.height)
        taller = extended(picture, upper + bar_px + int(font.size) + self.gap_px + 4)
        strip = colour_map(np.linspace(0, 1, right - left))[np.newaxis].repeat(bar_px, axis=0)
        taller.paste(Image.fromarray(strip), (left, upper))
        draw = ImageDraw.Draw(taller)
        draw.rectangle((left, upper, right - 1, upper + bar_px - 1), outline=INK)
        draw.text((self._left_px, upper + bar_px / 2), caption, INK, font, anchor="rm")
        anchors = ["lt", *["mt"] * (len(texts) - 2), "rt"]
        for x, text, anchor in zip(np.linspace(left, right, len(texts)), texts, anchors, strict=True):
            draw.text((x, upper + bar_px + max(self.upscale, 3)), text, INK, font, anchor=anchor)
        return taller

    @property
    def _top_px(self) -> int:
        return self.gap_px + int(self.font.size) if self.column_captions else 0

    @cached_property
    def _left_px(self) -> int:
        lines = "\n".join(self._fitted_row_captions).split("\n")
        return self.gap_px + int(max(map(self.font.getlength, lines))) if self.row_captions else 0

    @cached_property
    def _fitted_row_captions(self) -> list[str]:
        font = self.font
        return ["\n".join(fit_to(caption, font, 10 * font.size, max_lines=2)) for caption in self.row_captions]


def magnified(tile: NDArray[np.uint8], upscale: int) -> NDArray[np.uint8]:
    """Repeat every pixel ``upscale`` times in both directions: solid blocks, nothing smoothed."""
    return tile.repeat(upscale, axis=0).repeat(upscale, axis=1)


def extended(picture: Image.Image, height_px: int) -> Image.Image:
    """Return the picture on a white background of this height."""
    taller = Image.new("RGB", (picture.width, height_px), PAPER)
    taller.paste(picture)
    return taller


def caption_font(size_px: int) -> ImageFont.FreeTypeFont:
    """Return the font of the charts, made anew because threads must not share a font object."""
    return ImageFont.truetype(_FONT, size_px)


def fit_to(text: str, font: ImageFont.FreeTypeFont, width_px: float, max_lines: int = 1) -> list[str]:
    """Break text into lines of at most this width; see `fit_lines`."""
    return fit_lines(text, lambda line: font.getlength(line) <= width_px, max_lines)


def check_upscale(upscale: int) -> None:
    """Raise `InvalidField` unless ``upscale`` is a whole number from 1 to 16."""
    check_whole("upscale", upscale, 1, 16)
