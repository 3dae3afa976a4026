"""Digits as they are in the data: one at a time, or side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .provenance import PictureFormat, Provenance, encode_picture, encode_png
from .tiles import INK, TileGrid, caption_font, check_upscale, magnified
from .typesetting import fit_lines

_RED = (200, 30, 30)


def digit_picture(image: NDArray[np.uint8], *, upscale: int = 8, provenance: Provenance) -> bytes:
    """Draw one digit, white on black as MNIST has it, each of its pixels a solid block.

    Parameters
    ----------
    image : uint8, ``(28, 28)``.
    upscale : 1 to 16.

    Raises
    ------
    InvalidField : ``upscale`` is out of its range.
    """
    check_upscale(upscale)
    return encode_png(Image.fromarray(magnified(image, upscale)), provenance)


def contact_sheet(rows: Sequence[tuple[str, NDArray[np.uint8]]], *, upscale: int = 2, provenance: Provenance) -> bytes:
    """Draw many digits, one row for each label, which stands to its left.

    Parameters
    ----------
    rows : label and images, uint8, ``(n_images, 28, 28)``; rows may differ in length.
    upscale : 1 to 16.

    Raises
    ------
    InvalidField : ``upscale`` is out of its range.
    InputTooLarge : the picture would have more than 40 million pixels.
    ValueError : there is no image at all.
    """
    n_columns = max((len(images) for _, images in rows), default=0)
    if n_columns == 0:
        raise ValueError("a contact sheet needs at least one image")
    grid = TileGrid(n_rows=len(rows), n_columns=n_columns, upscale=upscale, row_captions=[label for label, _ in rows])
    return encode_png(grid.compose([_as_rgb(images) for _, images in rows]), provenance)


def batch_sheet(
    images: NDArray[np.uint8],
    labels: Sequence[str],
    *,
    stand_out: Sequence[int] = (),
    n_columns: int = 16,
    upscale: int = 2,
    image_format: PictureFormat = "png",
    provenance: Provenance,
) -> bytes:
    """Draw the images of a batch in their order, row by row, the label of each below it.

    Parameters
    ----------
    images : uint8, ``(n_images, 28, 28)``, at least one.
    stand_out : the images to which the eye should be drawn: they are framed, and their labels are red.
    n_columns : at least 1.
    upscale : 1 to 16.

    Raises
    ------
    InvalidField : ``upscale`` is out of its range.
    InputTooLarge : the picture would have more than 40 million pixels.
    ValueError : there is no image, or not a label for each.
    """
    if not 0 < len(images) == len(labels):
        raise ValueError("a batch needs at least one image, and a label for each")
    check_upscale(upscale)
    font = caption_font(max(5 * upscale, 10))
    foot_px = int(1.1 * font.size)
    n_rows = -(-len(images) // n_columns)
    grid = TileGrid(n_rows=n_rows, n_columns=min(n_columns, len(images)), upscale=upscale, foot_px=foot_px)
    rows = [images[start : start + n_columns] for start in range(0, len(images), n_columns)]
    sheet = grid.compose([_as_rgb(row) for row in rows])
    draw, chosen = ImageDraw.Draw(sheet), set(stand_out)
    for place, label in enumerate(labels):
        left, upper, right, lower = grid.box(*divmod(place, n_columns))
        line = "".join(fit_lines(label, lambda text: font.getlength(text) <= grid.tile_px, max_lines=1))
        colour = _RED if place in chosen else INK
        draw.text(((left + right) / 2, lower + foot_px), line, colour, font, anchor="ms")
        if place in chosen:
            draw.rectangle(
                (left - upscale, upper - upscale, right + upscale - 1, lower + upscale - 1), None, _RED, upscale
            )
    return encode_picture(sheet, provenance, image_format)


def _as_rgb(images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    return [np.stack([image] * 3, axis=-1) for image in images]
