"""Any picture of a digit to the 28x28 bytes that a model was trained on.

The steps are those by which MNIST itself was made: one grey value a pixel, light ink on black, cropped to the
ink, fitted into 20x20 pixels, centred by its centre of mass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from service.core import IMAGE_SIDE_PX

from .grey import to_grey
from .ink import crop_to_ink, find_ink
from .mnist_form import INK_SIDE_PX, Bytes, is_mnist_form, to_mnist_form
from .paper import take_off_paper
from .strokes import thicken

_LOW_RESOLUTION_PX = 14

BLANK = "The image is blank: nothing in it stands out from the background."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preprocessed:
    """A picture as the model sees it, and how it came about.

    Parameters
    ----------
    image : (28, 28) uint8, light ink on black.
    steps : what was done, in order.
    warnings : what may make the answer wrong, one sentence each.
    """

    image: Bytes
    steps: tuple[str, ...]
    warnings: tuple[str, ...]


def preprocess(pixels: Bytes) -> Preprocessed:
    """Turn a picture into an image like those of MNIST.

    A picture that is in MNIST's form already passes untouched, so preprocessing twice is preprocessing once.
    A blank picture gives a black image and a warning.

    Parameters
    ----------
    pixels : uint8, (height, width) grey, (height, width, 3) RGB or (height, width, 4) RGBA.
    """
    if (already := untouched(pixels)) is not None:
        return already
    grey, steps = to_grey(pixels)
    relief = take_off_paper(grey)
    ink = find_ink(relief)
    if ink is None:
        blank = np.zeros((IMAGE_SIDE_PX, IMAGE_SIDE_PX), np.uint8)
        return Preprocessed(image=blank, steps=(), warnings=(BLANK,))
    steps += (*relief.steps, "removed the background")
    if ink.n_specks:
        steps += (f"removed {ink.n_specks} {'speck' if ink.n_specks == 1 else 'specks'}",)
    steps += ("cropped to the ink",)
    darkness = ink.darkness
    if (wide := thicken(darkness)) is not None:
        darkness = crop_to_ink(wide)
        steps += ("thickened thin strokes",)
    return Preprocessed(
        image=to_mnist_form(darkness),
        steps=(
            *steps,
            f"scaled to fit {INK_SIDE_PX}x{INK_SIDE_PX} pixels",
            f"centred by centre of mass in {IMAGE_SIDE_PX}x{IMAGE_SIDE_PX}",
        ),
        warnings=_warnings_of(ink.n_blobs, ink.side_px),
    )


def untouched(pixels: Bytes) -> Preprocessed | None:
    """Return a picture that is in MNIST's form already; None for any other, which takes ten times as long."""
    if pixels.shape[:2] != (IMAGE_SIDE_PX, IMAGE_SIDE_PX):
        return None
    grey, _ = to_grey(pixels)
    if not is_mnist_form(grey):
        return None
    return Preprocessed(image=grey, steps=("already 28x28 in MNIST form",), warnings=())


def _warnings_of(n_blobs: int, side_px: int) -> tuple[str, ...]:
    warnings = []
    if n_blobs > 1:
        warnings.append(f"There are {n_blobs} separate blobs of ink; one digit an image is expected.")
    if side_px < _LOW_RESOLUTION_PX:
        warnings.append(f"The drawing is only {side_px} pixels long, which shows little of its shape.")
    return tuple(warnings)
