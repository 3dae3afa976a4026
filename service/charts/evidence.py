"""What each pixel of an image says for a class, beside the image itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .colours import diverging, grey
from .provenance import Provenance, encode_png
from .scale_bar import add_scale_bar
from .tiles import INK, PAPER, TILE_SIDE, TileGrid, caption_font
from .typesetting import fit_lines


def evidence_picture(
    image: NDArray[np.uint8],
    evidence: NDArray[np.float64],
    *,
    digit: int,
    against: int | None = None,
    upscale: int = 8,
    provenance: Provenance,
) -> bytes:
    """Draw the image, and beside it the evidence of each pixel as one solid block of one colour.

    Red speaks for the digit, blue against it, or for the other digit, as in pictures of weights; white is exactly
    0, and both ends of the scale are the largest absolute evidence.

    Parameters
    ----------
    image : ``(28, 28)`` uint8.
    evidence : ``(28, 28)``, finite.
    digit, against : whose evidence it is, and the class that it is held against, if any.
    upscale : 1 to 16.

    Raises
    ------
    InvalidField : ``upscale`` is out of its range.
    ValueError : shapes other than these, or evidence that is not finite.
    """
    if image.shape != (TILE_SIDE, TILE_SIDE) or evidence.shape != image.shape or not np.isfinite(evidence).all():
        raise ValueError("a picture of evidence needs 28 x 28 pixels, and a finite number for each")
    largest = float(np.abs(evidence).max())
    fractions = 0.5 + 0.5 * (evidence / largest if largest > 0 else evidence)
    grid = TileGrid(n_rows=1, n_columns=2, upscale=upscale)
    picture = grid.compose([[grey(image / 255), diverging(fractions)]])
    if largest > 0:
        picture = add_scale_bar(picture, grid, [-largest, 0.0, largest], diverging)
    other = "against it" if against is None else f"for {against}"
    picture = _signed(picture, grid, f"red speaks for {digit}, blue {other}")
    return encode_png(picture, {**provenance, "digit": str(digit), "against": "" if against is None else str(against)})


def _signed(picture: Image.Image, grid: TileGrid, text: str) -> Image.Image:
    """Return the picture with a line of type below it, as much of it as there is room for."""
    font = caption_font(min(max(3 * grid.upscale, 11), 24))
    left, right = grid.gap_px, picture.width - grid.gap_px
    lines = fit_lines(text, lambda line: font.getlength(line) <= right - left, max_lines=2)
    taller = Image.new("RGB", (picture.width, picture.height + int(1.4 * font.size * len(lines)) + grid.gap_px), PAPER)
    taller.paste(picture)
    ImageDraw.Draw(taller).multiline_text((left, picture.height), "\n".join(lines), INK, font)
    return taller
