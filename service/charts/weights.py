"""Weights as pictures: what each class looks for, pixel by pixel.

Every weight is one solid block of one colour. The bias row is not drawn and does not count for the scale.

- ``diverging``: white is exactly 0, red positive, blue negative; both ends are the largest absolute weight.
- ``grey``: the smallest weight is black and the largest white, with 0 wherever it falls, as in the course report.
- ``shared``: one scale for the whole picture, so that all tiles can be compared; ``per_row``: one for each
  model, so that a small one is seen as well as a large one; ``per_tile``: each tile has its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.errors import NoDataYet

from .colours import diverging, grey
from .provenance import PictureFormat, Provenance, encode_picture
from .scale_bar import add_scale_bar
from .tiles import TILE_SIDE, TileGrid

Weights: TypeAlias = NDArray[np.floating[Any]]
Floats: TypeAlias = NDArray[np.float64]
Scale: TypeAlias = Literal["shared", "per_row", "per_tile"]
Colours: TypeAlias = Literal["diverging", "grey"]


def weights_picture(
    weights: Weights,
    *,
    labels: Sequence[str] = (),
    scale: Scale = "shared",
    colours: Colours = "diverging",
    upscale: int = 4,
    scale_bar: bool = True,
    image_format: PictureFormat = "png",
    provenance: Provenance,
) -> bytes:
    """Draw one model: its tiles in a row, its classes above them. Otherwise as `weights_grid`.

    Parameters
    ----------
    weights : ``(785, n_tiles)``: a tile for each class, or one for logistic regression.
    labels : one for each tile, or none.
    """
    return weights_grid(
        [weights],
        column_captions=labels,
        scale=scale,
        colours=colours,
        upscale=upscale,
        scale_bar=scale_bar,
        image_format=image_format,
        provenance=provenance,
    )


def weights_grid(
    members: Sequence[Weights],
    *,
    row_captions: Sequence[str] = (),
    column_captions: Sequence[str] = (),
    scale: Scale = "shared",
    colours: Colours = "diverging",
    upscale: int = 4,
    scale_bar: bool = True,
    image_format: PictureFormat = "png",
    provenance: Provenance,
) -> bytes:
    """Draw several models with the same classes, one below the other.

    `TileGrid`, with the same captions and ``upscale``, says where each tile is.

    Parameters
    ----------
    members : ``(785, n_tiles)`` each; the last row, the bias, is left out.
    row_captions, column_captions : one for each member and for each tile, or none.
    scale_bar : with a shared scale, show below the tiles which colours are which weights, if there is room.

    Returns
    -------
    A PNG file, or an SVG file that holds it.

    Raises
    ------
    NoDataYet : weights are not finite: there is nothing to picture.
    InvalidField, InputTooLarge : as `TileGrid`.
    ValueError : shapes or numbers of captions that do not fit together.
    """
    stack = np.stack(members).astype(np.float64)
    n_rows, n_features, n_columns = stack.shape
    if n_features != TILE_SIDE * TILE_SIDE + 1:
        raise ValueError(f"weights must have {TILE_SIDE * TILE_SIDE + 1} rows, not {n_features}")
    if not np.isfinite(stack).all():
        raise NoDataYet("The weights are not finite, so there is nothing to picture.")
    tiles = stack[:, :-1].transpose(0, 2, 1).reshape(n_rows, n_columns, TILE_SIDE, TILE_SIDE)
    low, high = _limits(tiles, scale, colours)
    colour_map = diverging if colours == "diverging" else grey
    grid = TileGrid(
        n_rows=n_rows,
        n_columns=n_columns,
        upscale=upscale,
        row_captions=row_captions,
        column_captions=column_captions,
    )
    picture = grid.compose(list(colour_map(_fractions(tiles, low, high))))
    if scale_bar and scale == "shared" and low.item() < high.item():
        middle = [0.0] if colours == "diverging" else []
        picture = add_scale_bar(picture, grid, [low.item(), *middle, high.item()], colour_map)
    return encode_picture(picture, provenance, image_format)


def _limits(tiles: Floats, scale: Scale, colours: Colours) -> tuple[Floats, Floats]:
    """Return the weights at both ends of the scale, with axes as ``tiles``."""
    axes = {"shared": None, "per_row": (1, 2, 3), "per_tile": (2, 3)}[scale]
    low, high = tiles.min(axis=axes, keepdims=True), tiles.max(axis=axes, keepdims=True)
    if colours == "grey":
        return low, high
    largest = np.maximum(-low, high)
    return -largest, largest


def _fractions(tiles: Floats, low: Floats, high: Floats) -> Floats:
    """Return how far up the scale each weight is; halfway where the scale has no length.

    Everything is halved, so that the largest of floats does not overflow.
    """
    span = high / 2 - low / 2
    return np.divide(tiles / 2 - low / 2, span, out=np.full_like(tiles, 0.5), where=span > 0)
