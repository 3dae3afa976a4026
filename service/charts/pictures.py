"""Pictures pixel by pixel: digits, the weights of a model, and the evidence of each pixel of an image.

Every pixel or weight is one solid block of one colour. The bias row of weights is not drawn and does not count for
the scale.

- ``diverging``: white is exactly 0, red positive, blue negative; both ends are the largest absolute weight.
- ``grey``: the smallest weight is black and the largest white, with 0 wherever it falls, as in the course report.
- ``shared``: one scale for the whole picture, so that all tiles can be compared; ``per_row``: one for each
  model, so that a small one is as visible as a large one; ``per_tile``: each tile has its own.

Images are uint8, ``(28, 28)``; ``upscale`` is 1 to 16. All raise `InvalidField` and `InputTooLarge` as `TileGrid`, and
`ValueError` for arrays of other shapes, for no image at all, or for captions that do not fit.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from service.core import Floats
from service.errors import NoDataYet

from .provenance import Provenance, encode_png
from .tiles import (
    INK,
    PAPER,
    TILE_SIDE,
    TileGrid,
    caption_font,
    check_upscale,
    diverging,
    extended,
    fit_to,
    grey,
    magnified,
)

Weights: TypeAlias = NDArray[np.floating[Any]]
Scale: TypeAlias = Literal["shared", "per_row", "per_tile"]
Colours: TypeAlias = Literal["diverging", "grey"]

_BLUE, _ORANGE, _GREY = (20, 90, 200), (210, 100, 0), (120, 120, 120)
_MIN_READING_PX = 600
_STEP_SIDE_PX = 240
"""The longer side of the picture after a step of preprocessing."""
_MOST_UNITS, _TILES_PER_ROW = 64, 16
_MAX_SCALES = 3
"""More rows with a scale each would need a picture of their own for those."""


def digit_picture(image: NDArray[np.uint8], *, upscale: int = 8, provenance: Provenance) -> bytes:
    """Draw one digit, white on black as in MNIST."""
    check_upscale(upscale)
    return encode_png(Image.fromarray(magnified(image, upscale)), provenance)


def steps_sheet(steps: Sequence[tuple[str, Image.Image]]) -> bytes:
    """Draw the pictures after the steps of preprocessing in rows of four."""
    font, side_px = caption_font(12), _STEP_SIDE_PX
    captions = ["\n".join(textwrap.wrap(f"{number}: {name}", side_px // 7)) for number, (name, _) in enumerate(steps)]
    width_px, height_px = side_px + 16, side_px + 16 + 16 * max(caption.count("\n") + 1 for caption in captions)
    sheet = Image.new("RGB", (min(4, len(steps)) * width_px, -(-len(steps) // 4) * height_px), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, ((_, picture), caption) in enumerate(zip(steps, captions, strict=True)):
        left, top = number % 4 * width_px + 8, number // 4 * height_px + 8
        scale = side_px / max(picture.size)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        shown = picture.convert("RGBA").resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX)
        sheet.paste(shown, (left, top), shown)
        draw.rectangle((left - 1, top - 1, left + size[0], top + size[1]), outline=INK)
        draw.text((left, top + side_px + 2), caption, fill=INK, font=font)
    return encode_png(sheet, {})


def contact_sheet(rows: Sequence[tuple[str, NDArray[np.uint8]]], *, upscale: int = 2, provenance: Provenance) -> bytes:
    """Draw many digits in rows, which may differ in length, each with its label to the left."""
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
    upscale: int = 2,
    provenance: Provenance,
) -> bytes:
    """Draw the images of a batch in their order, row by row, the label of each below it.

    Parameters
    ----------
    stand_out : the images to emphasise: they are framed, and their labels are red.
    """
    if not 0 < len(images) == len(labels):
        raise ValueError("a batch needs at least one image, and a label for each")
    check_upscale(upscale)
    rows = _in_rows(_as_rgb(images))
    grid = TileGrid(n_rows=len(rows), n_columns=len(rows[0]), upscale=upscale, foot_font_px=max(8 * upscale, 12))
    sheet = grid.compose(rows)
    grid.add_labels(sheet, labels, stand_out)
    return encode_png(sheet, provenance)


def evidence_picture(
    image: NDArray[np.uint8],
    evidence: NDArray[np.float64],
    *,
    digit: int,
    against: int | None = None,
    upscale: int = 8,
    provenance: Provenance,
) -> bytes:
    """Draw the image, and beside it the evidence of each pixel.

    Red is evidence for the digit, blue against it, or for the other digit, as in pictures of weights; white is exactly
    0, and both ends of the scale are the largest absolute evidence.

    Parameters
    ----------
    evidence : ``(28, 28)``, finite.
    digit, against : the class of the evidence, and the class that it is compared with, if any.
    """
    if image.shape != (TILE_SIDE, TILE_SIDE) or evidence.shape != image.shape or not np.isfinite(evidence).all():
        raise ValueError("a picture of evidence needs 28 x 28 pixels, and a finite number for each")
    largest = float(np.abs(evidence).max())
    fractions = 0.5 + 0.5 * (evidence / largest if largest > 0 else evidence)
    grid = TileGrid(n_rows=1, n_columns=2, upscale=upscale)
    picture = grid.compose([[grey(image / 255), diverging(fractions)]])
    if largest > 0:
        picture = grid.add_scale(picture, [-largest, 0.0, largest], diverging)
    font = caption_font(min(max(3 * upscale, 11), 24))
    text = f"red: evidence for {digit}, blue: {'against it' if against is None else f'for {against}'}"
    lines = fit_to(text, font, picture.width - 2 * grid.gap_px, max_lines=2)
    taller = extended(picture, picture.height + int(1.4 * font.size * len(lines)) + grid.gap_px)
    ImageDraw.Draw(taller).multiline_text((grid.gap_px, picture.height), "\n".join(lines), INK, font)
    return encode_png(taller, {**provenance, "digit": str(digit), "against": "" if against is None else str(against)})


def weights_picture(
    tiles: Weights,
    *,
    labels: Sequence[str] = (),
    importance: Floats | None = None,
    provenance: Provenance,
    **style: Any,
) -> bytes:
    """Draw one model, ``(n_tiles, 28, 28)``: its tiles in a row, their labels above; ``style`` as `weights_grid`.

    Parameters
    ----------
    importance : for the units of a hidden layer, how much each matters, ``(n_tiles,)``: the 64 that matter most are
        drawn, in this order, in rows of 16 with their labels below; red is dead, which is 0.
    """
    if importance is None:
        return weights_grid([tiles], column_captions=labels, provenance=provenance, **style)
    order = np.argsort(-importance, kind="stable")[:_MOST_UNITS]
    return weights_grid(
        [tiles[order]],
        unit_labels=[labels[place] for place in order],
        dead_units=[n for n, place in enumerate(order) if importance[place] == 0],
        provenance=provenance,
        **style,
    )


def weights_grid(
    members: Sequence[Weights],
    *,
    row_captions: Sequence[str] = (),
    column_captions: Sequence[str] = (),
    unit_labels: Sequence[str] = (),
    dead_units: Sequence[int] = (),
    scale: Scale = "shared",
    colours: Colours = "diverging",
    upscale: int = 4,
    scale_bar: bool = True,
    provenance: Provenance,
) -> bytes:
    """Draw several models with the same classes, one below the other, in the layout of `TileGrid`.

    Parameters
    ----------
    members : ``(n_tiles, 28, 28)`` each, as `service.core.Model.tiles` makes them.
    row_captions, column_captions : one for each member and for each tile, or none.
    unit_labels : of one member alone: its tiles are drawn in rows of 16, with these labels below them.
    dead_units : the numbers of those that are framed, their labels red.
    scale_bar : with a shared scale, or one for each of a few rows with captions, show below the tiles which colours
        are which weights, if there is room.

    Raises
    ------
    NoDataYet : weights are not finite: there is nothing to draw.
    """
    tiles = np.stack(members).astype(np.float64)
    n_rows, n_columns, *sides = tiles.shape
    if sides != [TILE_SIDE, TILE_SIDE]:
        raise ValueError(f"a tile must be {TILE_SIDE} x {TILE_SIDE}, not {sides}")
    if not np.isfinite(tiles).all():
        raise NoDataYet("The weights are not finite, so there is nothing to draw.")
    check_upscale(upscale)
    if unit_labels:
        n_rows, n_columns = -(-n_columns // _TILES_PER_ROW), min(n_columns, _TILES_PER_ROW)
    grid = TileGrid(
        n_rows=n_rows,
        n_columns=n_columns,
        upscale=upscale,
        row_captions=row_captions,
        column_captions=column_captions,
        foot_font_px=max(5 * upscale, 10) if unit_labels else 0,
    )
    low, high = _limits(tiles, scale, colours)
    colour_map = diverging if colours == "diverging" else grey
    drawn = colour_map(_fractions(tiles, low, high))
    picture = grid.compose(_in_rows(drawn[0]) if unit_labels else list(drawn))
    if unit_labels:
        grid.add_labels(picture, unit_labels, dead_units)
    captions = [""] if scale == "shared" else row_captions if scale == "per_row" else []
    for smallest, largest, caption in zip(low.ravel().tolist(), high.ravel().tolist(), captions, strict=False):
        if scale_bar and smallest < largest and len(captions) <= _MAX_SCALES:
            middle = [0.0] if colours == "diverging" else []
            picture = grid.add_scale(picture, [smallest, *middle, largest], colour_map, caption)
    return encode_png(picture, provenance)


def reading_picture(
    pixels: NDArray[np.uint8],
    size_px: tuple[int, int],
    reading: Mapping[str, Any],
    *,
    provenance: Provenance,
) -> bytes:
    """Draw a picture with the boxes of what was read in it, and the digits above them.

    Digits are blue, and orange where the verdict is another one; marks are grey.

    Parameters
    ----------
    pixels : of the picture, (height, width), RGB or RGBA with a third axis; perhaps reduced.
    size_px : width and height of the picture to which the boxes refer.
    reading : as the HTTP API answers.
    """
    picture = Image.fromarray(pixels)
    flat = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA")).convert("RGB")
    enlarged = max(1, _MIN_READING_PX // max(flat.size))
    flat = flat.resize((flat.width * enlarged, flat.height * enlarged), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(flat)
    scale_x, scale_y = flat.width / size_px[0], flat.height / size_px[1]
    for line in reading["lines"]:
        for one in (*line["marks"], *line["digits"]):
            x, y, width, height = one["box"]
            frame = x * scale_x - 1, y * scale_y - 1, (x + width) * scale_x, (y + height) * scale_y
            colour = _GREY if "kind" in one else _BLUE if one["verdict"] == "digit" else _ORANGE
            draw.rectangle(frame, None, colour, max(1, round(height * scale_y / 40)))
            label = one["kind"] if "kind" in one else str(one["digit"])
            font = caption_font(round(min(max(height * scale_y / 3, 11), 40)))
            draw.text(((frame[0] + frame[2]) / 2, max(frame[1] - 2, font.size)), label, colour, font, anchor="ms")
    return encode_png(flat, provenance)


def _limits(tiles: Floats, scale: Scale, colours: Colours) -> tuple[Floats, Floats]:
    """Return the weights at both ends of the scale, with axes as ``tiles``."""
    axes = {"shared": None, "per_row": (1, 2, 3), "per_tile": (2, 3)}[scale]
    low, high = tiles.min(axis=axes, keepdims=True), tiles.max(axis=axes, keepdims=True)
    if colours == "grey":
        return low, high
    largest = np.maximum(-low, high)
    return -largest, largest


def _fractions(tiles: Floats, low: Floats, high: Floats) -> Floats:
    """Return the position of each weight on the scale, 0 to 1; a half where the scale has no length.

    Everything is halved, so that the largest of floats does not overflow.
    """
    span = high / 2 - low / 2
    return np.divide(tiles / 2 - low / 2, span, out=np.full_like(tiles, 0.5), where=span > 0)


def _as_rgb(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.stack([images] * 3, axis=-1)


def _in_rows(tiles: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    return [tiles[at : at + _TILES_PER_ROW] for at in range(0, len(tiles), _TILES_PER_ROW)]
