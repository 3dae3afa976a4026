"""Digits as they are in the data: one at a time, or side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .provenance import Provenance, encode_png
from .tiles import TileGrid, check_upscale, magnified


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


def _as_rgb(images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    return [np.stack([image] * 3, axis=-1) for image in images]
