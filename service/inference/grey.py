"""Any pixels to one grey value each, so that what differs in colour or in opacity differs in grey."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .mnist_form import Bytes

_OPAQUE = 128
_UNIFORM_LEVELS = 32
_SAMPLE_SIDE_PX = 128


def to_grey(pixels: Bytes) -> tuple[Bytes, tuple[str, ...]]:
    """Return grey pixels, and the steps that it took.

    Transparency is flattened on white, unless all that can be seen has one colour: then the drawing is in the
    opacity itself, as of white strokes on nothing, and opacity is taken for grey. Colours become grey
    along the axis on which they vary most (the first principal component of the RGB values), so that red on
    green is as clear as black on white.

    Parameters
    ----------
    pixels : (height, width) grey, (height, width, 3) RGB or (height, width, 4) RGBA.

    Returns
    -------
    grey : (height, width) uint8.
    steps : what was done, in order.
    """
    if pixels.ndim == 2:
        return pixels, ()
    steps: tuple[str, ...] = ()
    if pixels.shape[2] == 4:
        opacity = pixels[..., 3]
        if opacity.min() < 255:
            if _has_one_colour(pixels):
                return opacity, ("took the opacity for the drawing, as it has one colour only",)
            pixels = _on_white(pixels)
            steps += ("flattened transparency on white",)
        pixels = pixels[..., :3]
    if np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 0], pixels[..., 2]):
        return np.ascontiguousarray(pixels[..., 0]), steps
    return _along_main_axis(pixels), (*steps, "turned colour into grey along the axis of most contrast")


def _has_one_colour(pixels: Bytes) -> bool:
    """Whether all that can be seen of an RGBA picture has nearly the same colour."""
    opaque = Image.fromarray((pixels[..., 3] >= _OPAQUE).view(np.uint8) * np.uint8(255))
    counts = np.reshape(Image.fromarray(pixels).histogram(opaque), (4, 256))
    return all(np.ptp(np.flatnonzero(channel)) < _UNIFORM_LEVELS for channel in counts[:3] if channel.any())


def _on_white(pixels: Bytes) -> Bytes:
    picture = Image.fromarray(pixels)
    return np.asarray(Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture))


def _along_main_axis(pixels: Bytes) -> Bytes:
    """Project (height, width, 3) on its first principal component, such that any colours give 0..255."""
    step = max(1, max(pixels.shape[:2]) // _SAMPLE_SIDE_PX)
    sample = pixels[::step, ::step].reshape(-1, 3)
    axis = np.linalg.eigh(np.cov(sample, rowvar=False))[1][:, -1]
    axis *= np.sign(axis[np.abs(axis).argmax()]) / np.abs(axis).sum()
    # The weights have the absolute sum 1, so the projection spans 255 levels; the lowest may be below 0.
    grey: NDArray[np.float32] = pixels @ axis.astype(np.float32) - np.float32(255 * axis[axis < 0].sum())
    rounded: Bytes = np.rint(grey.clip(0, 255)).astype(np.uint8)
    return rounded
