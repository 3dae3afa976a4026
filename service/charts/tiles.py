"""Small pictures in rows and columns, with captions: weight pictures and contact sheets alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from service.errors import InputTooLarge, InvalidField

from .typesetting import fit_lines

TILE_SIDE = 28
_MAX_UPSCALE = 16
_MAX_PIXELS = 40_000_000
PAPER, INK, _FRAME = (255, 255, 255), (34, 34, 34), (208, 211, 215)


@dataclass(frozen=True, slots=True, kw_only=True)
class TileGrid:
    """Where everything is in a picture of tiles, each 28 x 28 solid blocks of ``upscale`` x ``upscale`` pixels.

    Parameters
    ----------
    n_rows, n_columns : of tiles, at least 1.
    upscale : 1 to 16.
    row_captions : one to the left of each row, or none at all.
    column_captions : one above each column, or none at all.
    foot_px : room to write in below each tile.

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
    foot_px: int = 0
    _fitted_row_captions: tuple[str, ...] = field(init=False, repr=False)
    _left_px: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the captions and the size, and make room for the captions of the rows."""
        for captions, number in ((self.row_captions, self.n_rows), (self.column_captions, self.n_columns)):
            if len(captions) not in (0, number):
                raise ValueError(f"there are {len(captions)} captions for {number} rows or columns of tiles")
        check_upscale(self.upscale)
        font = self.font
        fitted = tuple(
            "\n".join(fit_lines(caption, lambda line: font.getlength(line) <= 10 * font.size, max_lines=2))
            for caption in self.row_captions
        )
        lines = "\n".join(fitted).split("\n")
        room_px = self.gap_px + int(max(font.getlength(line) for line in lines)) if fitted else 0
        object.__setattr__(self, "_fitted_row_captions", fitted)
        object.__setattr__(self, "_left_px", room_px)
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
    def size_px(self) -> tuple[int, int]:
        """Width and height of the picture."""
        _, _, right, lower = self.box(self.n_rows - 1, self.n_columns - 1)
        return right + self.gap_px, lower + self.foot_px + self.gap_px

    @property
    def font(self) -> ImageFont.FreeTypeFont:
        """The type of the captions, in proportion to the tiles."""
        return caption_font(min(max(5 * self.upscale, 12), 32))

    def compose(self, tiles: Sequence[Sequence[NDArray[np.uint8]]]) -> Image.Image:
        """Put tiles, each in a thin frame, and captions on white paper.

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
            line = "".join(fit_lines(caption, lambda text: font.getlength(text) <= self.tile_px, max_lines=1))
            draw.text(((left + right) / 2, self._top_px), line, INK, font, anchor="ms")
        return picture

    @property
    def _top_px(self) -> int:
        return self.gap_px + int(self.font.size) if self.column_captions else 0


def magnified(tile: NDArray[np.uint8], upscale: int) -> NDArray[np.uint8]:
    """Repeat every pixel ``upscale`` times in both directions: solid blocks, nothing smoothed."""
    return tile.repeat(upscale, axis=0).repeat(upscale, axis=1)


def caption_font(size_px: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's own font, made anew because a font object must not be shared by threads."""
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size_px))


def check_upscale(upscale: int) -> None:
    """Raise `InvalidField` unless ``upscale`` is a whole number from 1 to 16."""
    if not isinstance(upscale, int) or not 1 <= upscale <= _MAX_UPSCALE:
        allowed = f"a whole number from 1 to {_MAX_UPSCALE}"
        raise InvalidField(f"upscale must be {allowed}.", field="upscale", allowed=allowed)
