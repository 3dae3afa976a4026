"""Pictures in a terminal: images, weights, evidence and large digits.

Two pixels share a character: the upper half block in one colour on the other. Everything is a `rich` Text; without
colours, as in a pipe, shades of characters stand for the pixels instead.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from service.charts import diverging, grey
from service.core import DIGITS, Floats, Task, build_model, completed
from service.registry import read_weights

from .backend import Json

Pixels = npt.NDArray[np.floating[Any]]

_SHADES = " .:-=+*#%@"
_GAP = 2
_DIGITS = """\
.###. ..#.. .###. .###. ...#. ##### .###. ##### .###. .###.
#...# .##.. #...# #...# ..##. #.... #...# ....# #...# #...#
#...# ..#.. ....# ....# .#.#. #.... #.... ...#. #...# #...#
#...# ..#.. ..##. ..##. #..#. ####. ####. ..#.. .###. .####
#...# ..#.. .#... ....# ##### ....# #...# ..#.. #...# ....#
#...# ..#.. #.... #...# ...#. #...# #...# .#... #...# #...#
.###. .###. ##### .###. ...#. .###. .###. .#... .###. .###."""


def large_digit(digit: int) -> list[str]:
    """Return a digit as 7 lines of 10 characters."""
    return [row.split()[digit].replace("#", "██").replace(".", "  ") for row in _DIGITS.splitlines()]


def grey_picture(image: npt.NDArray[np.uint8], console: Console) -> list[Text]:
    """Draw an image of bytes, (height, width), as the model gets it, 255 bright: a Text for each two rows."""
    levels = image.astype(np.float64) / 255
    return _half_blocks(grey(levels)) if _has_colours(console) else _shaded(levels)


def weight_picture(tile: Pixels, limit: float, console: Console) -> list[Text]:
    """Draw weights, (height, width), blue below zero and red above as in the weight pictures: a Text for each two rows.

    Without colours, the shade shows how far a weight is above zero.
    """
    scaled = np.clip(tile.astype(np.float64) / (limit or 1.0), -1, 1)
    return _half_blocks(diverging((scaled + 1) / 2)) if _has_colours(console) else _shaded(np.maximum(scaled, 0))


def published_tiles(manifest: Json, weights_file: bytes) -> tuple[Floats, list[str]]:
    """Return pictures of the weights that predictions use, (n_tiles, height, width), and what to call them.

    The manifest is as the API shows it; raise `Corrupted` if the ``.npz`` file does not agree with it.
    """
    height, width = manifest.get("image_shape", DIGITS.image_shape)
    task = Task(image_shape=(height, width), n_classes=len(manifest["classes"]))
    model = build_model(manifest["model"], task, completed(manifest["config"]))
    best, last = read_weights(model.layout, manifest["dtype"], weights_file)
    return model.tiles(best if manifest["published"] == "best" else last), model.tile_names(manifest["class_names"])


def weights_view(tiles: Floats, labels: Sequence[str], console: Console) -> list[Text]:
    """Draw pictures of weights on one scale, as many in a row as the width allows.

    Where they do not all fit into one row, each 2x2 of pixels is drawn as their mean.
    """
    whole_side, shown = tiles.shape[2], list(tiles)
    if len(shown) * (whole_side + _GAP) - _GAP > console.width:
        shown = [halved(tile) for tile in shown]
    limit = max(float(np.abs(tile).max()) for tile in shown)
    side = shown[0].shape[1]
    n_in_row = max(1, (console.width + _GAP) // (side + _GAP))
    gap = Text(" " * _GAP)
    lines = []
    for start in range(0, len(shown), n_in_row):
        names = [Text(label[:side].center(side), style="bold") for label in labels[start : start + n_in_row]]
        drawn = [weight_picture(tile, limit, console) for tile in shown[start : start + n_in_row]]
        lines += [gap.join(names), *(gap.join(row) for row in zip(*drawn, strict=True))]
    coloured = f"white 0, reds above up to {limit:.3g}, blues below"
    scale = coloured if _has_colours(console) else "darker is further above 0"
    blocks = "; a block is the mean of 2x2 weights" if side < whole_side else ""
    return [*lines, Text(scale + blocks, style="dim")]


def halved(tile: Pixels) -> Pixels:
    """Return the means of 2x2 blocks: a tile of half the height and width."""
    height, width = tile.shape
    means: Pixels = tile.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return means


def _has_colours(console: Console) -> bool:
    """Whether half blocks would show: two colours in one character need colours at all."""
    return console.color_system is not None


def _half_blocks(colours: npt.NDArray[np.uint8]) -> list[Text]:
    """Draw (height, width, 3), height even."""
    rows = colours.tolist()
    lines = []
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        line = Text()
        for above, below in zip(upper, lower, strict=True):
            line.append("▀", Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below)))
        lines.append(line)
    return lines


def _shaded(levels: Pixels) -> list[Text]:
    """Draw (height, width) of 0 to 1, height even; a character stands for the brighter of two pixels."""
    pairs = levels.reshape(len(levels) // 2, 2, -1).max(axis=1)
    places = np.rint(pairs * (len(_SHADES) - 1)).astype(int)
    return [Text("".join(_SHADES[place] for place in row)) for row in places.tolist()]
