"""Any picture of a digit to the 28x28 bytes that a model was trained on.

The steps are those by which MNIST itself was made: one grey value a pixel, light ink on black, cropped to the
ink, fitted into 20x20 pixels, centred by its centre of mass.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.core import IMAGE_SIDE_PX

from .ink import Step, crop_to_ink, find_ink
from .masks import bounding_box
from .mnist_form import INK_SIDE_PX, Bytes, is_mnist_form, to_mnist_form
from .strokes import redraw

BLANK = "The image is blank: nothing in it stands out from the background."

THICK = "The strokes are so thick that they fill the inside of the digit; what is there is a guess."
SEVERAL_BLOBS = "separate blobs of ink"

_LOW_RESOLUTION_PX = 14
_OPAQUE = 128
_UNIFORM_LEVELS = 32
_SAMPLE_SIDE_PX = 128


@dataclass(frozen=True, slots=True, eq=False)
class Preprocessed:
    """A picture as the model takes it.

    Parameters
    ----------
    image : (28, 28) uint8, light ink on black.
    steps : of preprocessing, in order, with the picture after each; grey, RGB or RGBA.
    warnings : possible reasons for a wrong prediction, one sentence each.
    """

    image: Bytes
    steps: tuple[Step, ...]
    warnings: tuple[str, ...]


def preprocess(pixels: Bytes) -> Preprocessed:
    """Turn a picture into an image like those of MNIST.

    A picture that is in MNIST's form already is not changed, so preprocessing is idempotent. A blank picture gives
    a black image and a warning.

    Parameters
    ----------
    pixels : uint8, (height, width) grey, (height, width, 3) RGB or (height, width, 4) RGBA.
    """
    grey, steps = to_grey(pixels)
    if unchanged := _unchanged(grey, steps):
        return unchanged
    ink = find_ink(grey)
    if ink is None:
        return Preprocessed(np.zeros((IMAGE_SIDE_PX, IMAGE_SIDE_PX), np.uint8), (), (BLANK,))
    image, scaling, of_strokes = to_image(ink.darkness)
    warnings = (*warnings_of(ink.side_px, ink.n_blobs, is_cut_off=ink.is_cut_off), *of_strokes)
    return Preprocessed(image, (*steps, *ink.steps, *scaling), warnings)


def in_mnist_form(pixels: Bytes) -> Preprocessed | None:
    """Return a picture that is in MNIST's form already, as `preprocess` does, or None."""
    return _unchanged(*to_grey(pixels))


def _unchanged(grey: Bytes, steps: tuple[Step, ...]) -> Preprocessed | None:
    return Preprocessed(grey, (*steps, ("already 28x28 in MNIST form", grey)), ()) if is_mnist_form(grey) else None


def to_image(darkness: Bytes) -> tuple[Bytes, tuple[Step, ...], tuple[str, ...]]:
    """Turn ink into the image that a model takes, (28, 28); return it, the steps and the warnings.

    Parameters
    ----------
    darkness : 0 for paper to 255 for full ink, (height, width), cropped to the ink.
    """
    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    if (redrawn := redraw(darkness)) is not None:
        darkness = crop_to_ink(redrawn.darkness)
        warnings = (THICK,) if redrawn.is_guess else ()
        steps = ((redrawn.step, darkness),)
    image = to_mnist_form(darkness)
    box = bounding_box(image > 0)
    steps += (
        (f"scaled to fit {INK_SIDE_PX}x{INK_SIDE_PX} pixels", image if box is None else image[box]),
        (f"centred by centre of mass in {IMAGE_SIDE_PX}x{IMAGE_SIDE_PX}", image),
    )
    return image, steps, warnings


def to_grey(pixels: Bytes) -> tuple[Bytes, tuple[Step, ...]]:
    """Return grey pixels that differ where colours or opacities differ, and the steps of the conversion.

    Transparency is flattened on white, unless all visible pixels have one colour: then the drawing is in the
    opacity itself, as of white strokes on a transparent background, and opacity is used as grey. Colours become grey
    along the axis of their largest variance (the first principal component of the RGB values), so that red on
    green is as clear as black on white.

    Parameters
    ----------
    pixels : (height, width) grey, (height, width, 3) RGB or (height, width, 4) RGBA.

    Returns
    -------
    grey : (height, width) uint8.
    steps : in order.
    """
    if pixels.ndim == 2:
        return pixels, ()
    steps: tuple[Step, ...] = ()
    if pixels.shape[2] == 4:
        opacity = pixels[..., 3]
        if opacity.min() < 255:
            if _has_one_colour(pixels):
                return opacity, (("used the opacity as the drawing, as it has only one colour", opacity),)
            picture = Image.fromarray(pixels)
            pixels = np.asarray(Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture))
            steps += (("flattened transparency on white", pixels[..., :3]),)
        pixels = pixels[..., :3]
    if np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 0], pixels[..., 2]):
        return np.ascontiguousarray(pixels[..., 0]), steps
    grey = _along_main_axis(pixels)
    return grey, (*steps, ("turned colour into grey along the axis of most contrast", grey))


def _has_one_colour(pixels: Bytes) -> bool:
    """Whether all visible pixels of an RGBA picture have nearly the same colour."""
    opaque = Image.fromarray((pixels[..., 3] >= _OPAQUE).view(np.uint8) * np.uint8(255))
    counts = np.reshape(Image.fromarray(pixels).histogram(opaque), (4, 256))
    return all(np.ptp(np.flatnonzero(channel)) < _UNIFORM_LEVELS for channel in counts[:3] if channel.any())


def _along_main_axis(pixels: Bytes) -> Bytes:
    """Project (height, width, 3) on its first principal component, scaled so that any colours give 0..255."""
    step = max(1, max(pixels.shape[:2]) // _SAMPLE_SIDE_PX)
    sample = pixels[::step, ::step].reshape(-1, 3)
    axis = np.linalg.eigh(np.cov(sample, rowvar=False))[1][:, -1]
    axis *= np.sign(axis[np.abs(axis).argmax()]) / np.abs(axis).sum()
    # The weights have the absolute sum 1, so the projection spans 255 levels; the lowest may be below 0.
    grey: NDArray[np.float32] = pixels @ axis.astype(np.float32) - np.float32(255 * axis[axis < 0].sum())
    rounded: Bytes = np.rint(grey.clip(0, 255)).astype(np.uint8)
    return rounded


def warnings_of(side_px: int, n_blobs: int = 1, *, is_cut_off: bool = False) -> tuple[str, ...]:
    """Return what may make the prediction of a drawing wrong, given its longer side and its blobs of ink."""
    warnings = []
    if n_blobs > 1:
        warnings.append(f"There are {n_blobs} {SEVERAL_BLOBS}; one digit an image is expected.")
    if is_cut_off:
        warnings.append("The drawing is cut off at the edge of the picture.")
    if side_px < _LOW_RESOLUTION_PX:
        warnings.append(f"The drawing is only {side_px} pixels long, which shows little of its shape.")
    return tuple(warnings)
