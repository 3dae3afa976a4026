"""Numbers that are pixels already: arrays, JSON and raw bytes to images, checked and otherwise unchanged."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core import IMAGE_SIDE_PX, N_PIXELS
from service.errors import InvalidField, MalformedInput

from .limits import DecodingLimits
from .mnist_form import Bytes

_FIELD = "pixels"
_SHAPES = "784 numbers, 28 rows of 28, or a list of either"
_RANGE = "numbers from 0 (background) to 255 (ink)"


def images_from_values(values: Any, limits: DecodingLimits) -> Bytes:
    """Check pixels that JSON gave as lists of numbers.

    Nothing is rescaled: values are taken as they are, rounded to whole numbers.

    Parameters
    ----------
    values : 784 numbers, 28x28, or a list of either.

    Returns
    -------
    (n_images, 28, 28).

    Raises
    ------
    InvalidField, InputTooLarge
        As `images_from_array`, for the field ``pixels``; likewise if a value is no number, as a boolean is
        none, or if rows differ in length.
    """
    if (content := image_bytes(_flat(values))) is not None:
        return images_from_bytes(content, limits)
    return images_from_array(array_from_values(values, field=_FIELD), limits, field=_FIELD)


def image_bytes(values: Any) -> bytes | None:
    """Return a list of 784 whole numbers from 0 to 255 as bytes; None for anything else."""
    if type(values) is list and len(values) == N_PIXELS and set(map(type, values)) == {int}:
        with suppress(ValueError):  # one is out of range
            return bytes(values)
    return None


def array_from_values(values: Any, *, field: str, allowed: str = _SHAPES) -> NDArray[np.float64]:
    """Take numbers in lists for an array, of the shape that the lists have; raise InvalidField if they are none."""
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        array = np.empty(0)
    # NumPy takes booleans and numerals for numbers, and None for NaN.
    if not array.size or not {int, float}.issuperset(map(type, _leaves(values, array.ndim))):
        raise InvalidField(
            f"The {field} are not all numbers, or not in rows of equal length.", field=field, allowed=allowed
        )
    return array


def images_from_array(array: NDArray[Any], limits: DecodingLimits, *, field: str | None = None) -> Bytes:
    """Check an array of pixels.

    Parameters
    ----------
    array : integers or floats from 0 to 255, of shape (784,), (28, 28), (n, 784) or (n, 28, 28).
    field : what the sender calls them, for the error.

    Returns
    -------
    (n_images, 28, 28), rounded to whole numbers.

    Raises
    ------
    InvalidField
        The shape is another one, there is no image, or a value is out of range or not finite.
    InputTooLarge
        There are more images than the limit.
    """
    if array.dtype.kind not in "uif":
        raise InvalidField("The pixels are not real numbers.", field=field, allowed=_RANGE)
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
    """Take bytes for pixels, 784 an image, row by row.

    Returns
    -------
    (n_images, 28, 28), read-only.

    Raises
    ------
    MalformedInput
        Their number is not a multiple of 784, or 0.
    InputTooLarge
        There are more images than the limit.
    """
    n_images, n_left = divmod(len(content), N_PIXELS)
    if n_left or not n_images:
        raise MalformedInput("Raw bytes must be whole images.", allowed=f"a multiple of {N_PIXELS} bytes")
    limits.check_n_images(n_images)
    return np.frombuffer(content, np.uint8).reshape(n_images, IMAGE_SIDE_PX, IMAGE_SIDE_PX)


def _leaves(values: Any, depth: int) -> Iterable[Any]:
    """All that lists hold which are nested to this depth."""
    leaves: Iterable[Any] = (values,)
    for _ in range(depth):
        leaves = chain.from_iterable(leaves)
    return leaves


def _flat(values: Any) -> list[Any]:
    """The numbers of one image, in one list; something else for all that does not look like one image."""
    if type(values) is not list:
        return []
    if all(type(row) is list and len(row) == IMAGE_SIDE_PX for row in values):
        return list(chain.from_iterable(values))
    return values
