"""A model's weights, drawn in the terminal: one tile for each class, with its name above it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.text import Text

from service.core import IMAGE_SIDE_PX, N_FEATURES, N_PIXELS, Floats
from service.core.npz import ArraySpec, read_npz

from .backend import Json
from .pixels import halved, has_colours, side_by_side, weight_picture

_GAP = 2


def published_weights(manifest: Json, weights_file: bytes) -> Floats:
    """Return the weights that predictions use, (785, n_outputs), read from a version's ``.npz``.

    Raises
    ------
    Corrupted
        The file is not what the manifest says.
    """
    n_outputs = 1 if manifest["model"] == "logistic" else len(manifest["classes"])
    spec = ArraySpec(shape=(N_FEATURES, n_outputs), dtypes=(manifest["dtype"],))
    return read_npz(weights_file, {"best": spec, "last": spec})[manifest["published"]]


def weights_view(weights: Floats, labels: Sequence[str], console: Console) -> list[Text]:
    """Draw weights, (785, n_outputs), on one scale for all, as many tiles in a row as the width allows.

    Where they do not all fit into one row, each 2x2 of pixels is drawn as their mean.
    """
    tiles = [column[:N_PIXELS].reshape(IMAGE_SIDE_PX, IMAGE_SIDE_PX) for column in weights.T]
    if len(tiles) * (IMAGE_SIDE_PX + _GAP) - _GAP > console.width:
        tiles = [halved(tile) for tile in tiles]
    limit = max(float(np.abs(tile).max()) for tile in tiles)
    side = tiles[0].shape[1]
    n_in_row = max(1, (console.width + _GAP) // (side + _GAP))
    lines = []
    for start in range(0, len(tiles), n_in_row):
        names = [Text(label[:side].center(side), style="bold") for label in labels[start : start + n_in_row]]
        lines.append(Text(" " * _GAP).join(names))
        lines += side_by_side(
            [weight_picture(tile, limit, console) for tile in tiles[start : start + n_in_row]], gap=_GAP
        )
    scale = (
        f"white 0, reds above up to {limit:.3g}, blues below" if has_colours(console) else "darker is further above 0"
    )
    blocks = "; a block is the mean of 2x2 weights" if side < IMAGE_SIDE_PX else ""
    lines.append(Text(scale + blocks, style="dim"))
    return lines
