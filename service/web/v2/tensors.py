"""The tensors of the protocol: what goes in, what comes out, and how they are written as bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.core import IMAGE_SIDE_PX, N_PIXELS
from service.errors import InvalidField
from service.inference import array_from_values, image_bytes

INPUT = "image"
PROBABILITIES = "probabilities"
DIGIT = "digit"
DATATYPES: Mapping[str, np.dtype[Any]] = {"UINT8": np.dtype("u1"), "FP32": np.dtype("<f4")}
"""Of the input. Both hold pixels from 0 (background) to 255 (ink)."""

_SHAPES = f"[n, {IMAGE_SIDE_PX}, {IMAGE_SIDE_PX}] or [n, {N_PIXELS}], n at least 1"


def check_shape(shape: Sequence[int]) -> int:
    """Return how many numbers a tensor of images holds.

    Raises
    ------
    InvalidField : it is not [n, 28, 28] or [n, 784], or n is not positive.
    """
    if tuple(shape[1:]) not in ((IMAGE_SIDE_PX, IMAGE_SIDE_PX), (N_PIXELS,)) or shape[0] < 1:
        raise InvalidField("The shape of image is not that of images.", field="shape", allowed=_SHAPES)
    return math.prod(shape)  # of Python's integers, which do not overflow


def tensor_from_bytes(data: memoryview, datatype: str, shape: Sequence[int]) -> NDArray[Any]:
    """Take the bytes of the binary extension, little-endian and row by row, for an array; nothing is copied.

    Raises
    ------
    InvalidField : the shape is not that of images, or the bytes are not exactly as many as it takes.
    """
    dtype = DATATYPES[datatype]
    n_bytes = check_shape(shape) * dtype.itemsize
    if n_bytes != len(data):
        raise InvalidField(
            "binary_data_size is not what shape and datatype say.", field="binary_data_size", allowed=f"{n_bytes:,}"
        )
    return np.frombuffer(data, dtype).reshape(shape)


def tensor_from_values(values: Any, datatype: str, shape: Sequence[int]) -> NDArray[Any]:
    """Take JSON's numbers, flat or in lists of lists, for an array.

    Raises
    ------
    InvalidField : the shape is not that of images, or there are not exactly as many numbers of the datatype.
    """
    n_numbers = check_shape(shape)
    if datatype == "UINT8" and n_numbers == N_PIXELS and (content := image_bytes(values)) is not None:
        return np.frombuffer(content, np.uint8).reshape(shape)
    allowed = f"{n_numbers:,} numbers"
    array = array_from_values(values, field="data", allowed=allowed)
    if array.size != n_numbers or (array.ndim > 1 and array.shape != tuple(shape)):
        raise InvalidField("data does not have the shape that it states.", field="data", allowed=allowed)
    if datatype == "UINT8" and not (array == np.trunc(array)).all():
        raise InvalidField("data of the datatype UINT8 must be whole numbers.", field="data", allowed="0 to 255")
    return array.reshape(shape)


def bytes_of_texts(texts: Sequence[str]) -> bytes:
    """Return a BYTES tensor as the binary extension has it: each element after its length, 4 bytes little-endian."""
    encoded = [text.encode() for text in texts]
    return b"".join(len(text).to_bytes(4, "little") + text for text in encoded)
