"""Images as a model takes them: limits, pixels that are numbers already, and a batch with its preprocessing steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from service.core import IMAGE_SIDE_PX, N_PIXELS
from service.errors import InputTooLarge, InvalidField, InvalidInput, MalformedInput

from .mnist_form import Bytes
from .preprocessing import BLANK

_FIELD = "pixels"
_SHAPES = "784 numbers, 28 rows of 28, or a list of either"
_RANGE = "numbers from 0 (background) to 255 (ink)"

_AS_GIVEN = ("used as given",)
_INVERTED = "Most of the image is light; models expect light ink on black, and pixels are used as given."
_FAINT = "No pixel is above 1; pixels are expected from 0 to 255, and are not rescaled."
_NONE = np.empty((0, IMAGE_SIDE_PX, IMAGE_SIDE_PX), np.uint8)
_MAX_LIGHT_SUM = 127 * N_PIXELS
_FEW = _MAX_LIGHT_SUM // 255
"""Pixels that are not black: with no more of them, no image is mostly light, however light they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingLimits:
    """The largest picture or batch of images that is read.

    Parameters
    ----------
    max_image_bytes : of one PNG, JPEG or WebP file.
    max_streamed_pixels : of any picture. The default allows photographs of 24 megapixels.
    max_image_pixels : of a picture that has to be in memory as a whole while it is decoded, at 4 bytes a pixel
        and as much again for its conversion: all but those JPEG files that come row by row, as from cameras,
        and can be reduced on the way. The default allows a screenshot of 3840x2160.
    min_side_px, max_aspect_ratio : a picture that is smaller or longer than this shows no digit.
    max_images_per_request : of 28x28 images in one request.
    max_archive_bytes : to which the zip archives of one request may expand.
    """

    max_image_bytes: int = 16 * 1024 * 1024
    max_streamed_pixels: int = 25_000_000
    max_image_pixels: int = 8_388_608
    min_side_px: int = 4
    max_aspect_ratio: int = 20
    max_images_per_request: int = 10_000
    max_archive_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 1:
                raise ValueError(f"{field.name} must be 1 or more, not {value!r}")

    def check_n_images(self, n_images: int) -> None:
        """Raise InputTooLarge if these are more 28x28 images than one request may hold."""
        if n_images > self.max_images_per_request:
            allowed = f"at most {self.max_images_per_request:,} images"
            raise InputTooLarge("There are too many images in one request.", allowed=allowed)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelInputs:
    """A batch of images for a model.

    Parameters
    ----------
    images : (n_images, 28, 28) uint8, light ink on black.
    steps : the preprocessing of each image, in order; one entry an image.
    warnings : possible reasons for a wrong prediction, one sentence each; one entry an image.
    pictures : of one image: after each step, where they were kept.
    """

    images: Bytes
    steps: tuple[tuple[str, ...], ...]
    warnings: tuple[tuple[str, ...], ...]
    pictures: tuple[Bytes, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.images) == len(self.steps) == len(self.warnings):
            raise ValueError("images, steps and warnings must be equally many")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def only(self) -> Bytes:
        """The only image, (28, 28); raise `InvalidInput` if there are several."""
        if len(self) != 1:
            raise InvalidInput("One image at a time can be used.")
        image: Bytes = self.images[0]
        return image

    @classmethod
    def as_given(cls, images: Bytes) -> ModelInputs:
        """Take (n_images, 28, 28) as model inputs, unchanged, with warnings for those that are hardly digits."""
        warnings: list[tuple[str, ...]] = [()] * len(images)
        if len(images) == 1 and _is_plausible(images):
            return cls(images=images, steps=(_AS_GIVEN,), warnings=tuple(warnings))
        rows = images.reshape(-1, N_PIXELS)
        inverted = np.add.reduce(rows, axis=1, dtype=np.uint32) > _MAX_LIGHT_SUM
        largest = np.maximum.reduce(rows, axis=1)
        # Of what is neither inverted nor faint, only an image whose first pixel is its largest can be blank.
        if np.logical_or.reduce(inverted | (largest <= 1) | (largest == rows[:, 0])):
            faint, blank = largest == 1, largest == np.minimum.reduce(rows, axis=1)
            for warning, doubtful in ((_INVERTED, inverted), (_FAINT, faint), (BLANK, blank)):
                for number in np.flatnonzero(doubtful):
                    warnings[number] = (warning,)
        return cls(images=images, steps=(_AS_GIVEN,) * len(images), warnings=tuple(warnings))

    def picture_after(self, step: str) -> Bytes:
        """Return the only image's picture after a step, given by its number from 0 or the beginning of its text.

        Raises `InvalidField` if there is no such step.
        """
        only, steps = self.only, self.steps[0]
        found = [n for n, text in enumerate(steps) if step and (step == str(n) or text.startswith(step))]
        if not found:
            allowed = "; ".join(f"{n}: {text}" for n, text in enumerate(steps)) or "nothing, as the image is blank"
            raise InvalidField("The image took no such step.", field="step", allowed=allowed)
        return self.pictures[found[0]] if self.pictures else only

    @classmethod
    def joined(cls, parts: Sequence[ModelInputs], limits: DecodingLimits | None = None) -> ModelInputs:
        """Put several into one batch, in their order; raise `InputTooLarge` for more images than the limit, if any."""
        if limits is not None:
            limits.check_n_images(sum(map(len, parts)))
        return cls(
            images=np.concatenate([_NONE, *(part.images for part in parts)]),
            steps=tuple(chain.from_iterable(part.steps for part in parts)),
            warnings=tuple(chain.from_iterable(part.warnings for part in parts)),
        )


def images_from_values(values: Any, limits: DecodingLimits) -> Bytes:
    """Check pixels that JSON gave as 784 numbers, 28x28, or a list of either: return (n_images, 28, 28), rounded.

    Raises as `images_from_array`, for the field ``pixels``; likewise if a value is no number, as a boolean is none, or
    if rows differ in length.
    """
    if (content := image_bytes(_flat(values))) is not None:
        return images_from_bytes(content, limits)
    return images_from_array(array_from_values(values, field=_FIELD), limits, field=_FIELD)


def image_bytes(values: Any) -> bytes | None:
    """Return a list of 784 whole numbers from 0 to 255 as bytes; None for anything else."""
    if type(values) is list and len(values) == N_PIXELS:
        with suppress(TypeError, ValueError):  # one is no whole number, or out of range
            content = bytes(values)
            # Booleans are whole numbers too, but words in JSON: so they are found in half the time of asking each.
            return None if b"e" in orjson.dumps(values) else content
    return None


def array_from_values(values: Any, *, field: str, allowed: str = _SHAPES) -> NDArray[np.float64]:
    """Return nested lists of numbers as an array of the same shape; raise InvalidField for anything else."""
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.empty(0)
    # NumPy takes booleans and numerals for numbers, and None for NaN.
    if not array.size or not {int, float}.issuperset(map(type, _leaves(values, array.ndim))):
        message = f"The {field} are not all numbers, or not in rows of equal length."
        raise InvalidField(message, field=field, allowed=allowed)
    return array


def images_from_array(array: NDArray[Any], limits: DecodingLimits, *, field: str | None = None) -> Bytes:
    """Check an array of pixels: return (n_images, 28, 28), rounded to whole numbers.

    It holds integers or floats from 0 to 255, of shape (784,), (28, 28), (n, 784), (n, 28, 28) or (n, 28, 28, 1).
    Raises `InvalidField`, with the sender's name for them, for another shape, no image, or a value that is out of range
    or not finite; `InputTooLarge` for more images than the limit.
    """
    if array.dtype.kind not in "uif":
        raise InvalidField("The pixels are not real numbers.", field=field, allowed=_RANGE)
    if array.ndim == 4 and array.shape[-1] == 1:  # one channel, as Keras has it
        array = array[..., 0]
    if array.shape[-1:] == (N_PIXELS,):
        array = array.reshape(*array.shape[:-1], IMAGE_SIDE_PX, IMAGE_SIDE_PX)
    if array.ndim == 2:
        array = array[np.newaxis]
    if array.ndim != 3 or array.shape[1:] != (IMAGE_SIDE_PX, IMAGE_SIDE_PX) or not len(array):
        raise InvalidField("The pixels do not have the shape of images.", field=field, allowed=_SHAPES)
    limits.check_n_images(len(array))
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if not ((array >= 0) & (array <= 255)).all():  # which NaN is not, either
        raise InvalidField("A pixel is out of range or not finite.", field=field, allowed=_RANGE)
    return np.ascontiguousarray(np.rint(array), np.uint8)


def images_from_bytes(content: bytes, limits: DecodingLimits) -> Bytes:
    """Read bytes as pixels, 784 an image, row by row: (n_images, 28, 28), read-only.

    Raises `MalformedInput` if their number is not a multiple of 784, or 0; `InputTooLarge` for too many images.
    """
    n_images, n_left = divmod(len(content), N_PIXELS)
    if n_left or not n_images:
        raise MalformedInput("Raw bytes must be whole images.", allowed=f"a multiple of {N_PIXELS} bytes")
    limits.check_n_images(n_images)
    return np.frombuffer(content, np.uint8).reshape(n_images, IMAGE_SIDE_PX, IMAGE_SIDE_PX)


def _is_plausible(image: Bytes) -> bool:
    """Whether one image surely needs no warning, by a quick test; False decides nothing."""
    pixels = image.tobytes()
    return pixels.count(0) >= N_PIXELS - _FEW and bool(pixels.translate(None, b"\0\1"))


def _leaves(values: Any, depth: int) -> Iterable[Any]:
    """Return the elements of lists that are nested to this depth."""
    leaves: Iterable[Any] = (values,)
    for _ in range(depth):
        leaves = chain.from_iterable(leaves)
    return leaves


def _flat(values: Any) -> list[Any]:
    """Return 28 rows of 28 as one list, any other list unchanged, and [] for anything else."""
    if type(values) is not list:
        return []
    if all(type(row) is list and len(row) == IMAGE_SIDE_PX for row in values):
        return list(chain.from_iterable(values))
    return values
