"""Pictures in a terminal: two pixels a character, the upper half block in one colour on the other.

Everything is a `rich` Text, so a terminal without colour, or a pipe, gets shades of characters instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from service.charts import diverging, grey

Pixels = npt.NDArray[np.floating[Any]]

_SHADES = " .:-=+*#%@"


def grey_picture(image: npt.NDArray[np.uint8], console: Console) -> list[Text]:
    """Draw an image of bytes, (height, width), as the model sees it: 255 is ink, drawn bright.

    Returns
    -------
    One Text for each two rows.
    """
    levels = image.astype(np.float64) / 255
    if not has_colours(console):
        return _shaded(levels)
    return _half_blocks(grey(levels))


def weight_picture(tile: Pixels, limit: float, console: Console) -> list[Text]:
    """Draw weights, (height, width), in the colours of the weight pictures: blue below zero, red above.

    Without colour, what is drawn is how far a weight is above zero.

    Returns
    -------
    One Text for each two rows.
    """
    scaled = np.clip(tile.astype(np.float64) / (limit or 1.0), -1, 1)
    if not has_colours(console):
        return _shaded(np.maximum(scaled, 0))
    return _half_blocks(diverging((scaled + 1) / 2))


def halved(tile: Pixels) -> Pixels:
    """Return the means of 2x2 blocks: a tile of half the height and width."""
    height, width = tile.shape
    means: Pixels = tile.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return means


def side_by_side(pictures: Sequence[Sequence[Text]], gap: int = 2) -> list[Text]:
    """Join pictures of equal height into one, with a gap of spaces between them."""
    return [Text(" " * gap).join(rows) for rows in zip(*pictures, strict=True)]


def has_colours(console: Console) -> bool:
    """Whether half blocks would show: two colours in one character need colours at all."""
    return console.color_system is not None


def _half_blocks(colours: npt.NDArray[np.uint8]) -> list[Text]:
    """(height, width, 3), height even."""
    rows = colours.tolist()
    lines = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        line = Text()
        for above, below in zip(upper, lower, strict=True):
            line.append("▀", Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below)))
        lines.append(line)
    return lines


def _shaded(levels: Pixels) -> list[Text]:
    """(height, width) of 0 to 1, height even; a character stands for the brighter of two pixels."""
    pairs = levels.reshape(len(levels) // 2, 2, -1).max(axis=1)
    places = np.rint(pairs * (len(_SHADES) - 1)).astype(int)
    return [Text("".join(_SHADES[place] for place in row)) for row in places.tolist()]
