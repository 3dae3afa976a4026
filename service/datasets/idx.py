"""A strict reader of IDX, the format of the MNIST files, for bytes that may be hostile.

An IDX file is a header and then the elements, nothing else::

    offset 0   two zero bytes
           2   element type (0x08: unsigned byte, the only one read here)
           3   rank: the number of dimensions
           4   each dimension, as a big-endian unsigned 32-bit number
           ..  the elements, row by row

All sizes are compared with the bytes that are there before an array is made, and the arrays are
read-only views of the given bytes: a header cannot make anything be allocated.
"""

from __future__ import annotations

import struct
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidDataset

#: Grey values, ``(n_images, 28, 28)``: 0 is the background, 255 full ink.
Images: TypeAlias = NDArray[np.uint8]
#: One class per image, ``(n_images,)``.
Labels: TypeAlias = NDArray[np.uint8]

IMAGE_SIDE_PX = 28
MAX_CLASSES = 10
_UNSIGNED_BYTE = 0x08


def parse_idx_images(data: bytes) -> Images:
    """Read an uncompressed IDX file of 28 x 28 images.

    Returns
    -------
    images : uint8, ``(n_images, 28, 28)``, read-only, ``n_images`` at least 1.

    Raises
    ------
    InvalidDataset : anything but exactly such a file.
    """
    images = _parse(data, rank=3, what="image")
    if images.shape[1:] != (IMAGE_SIDE_PX, IMAGE_SIDE_PX):
        _, height, width = images.shape
        raise InvalidDataset(
            f"The images are {height} x {width} pixels; they must be {IMAGE_SIDE_PX} x {IMAGE_SIDE_PX}."
        )
    return images


def parse_idx_labels(data: bytes, *, n_classes: int = MAX_CLASSES) -> Labels:
    """Read an uncompressed IDX file of labels ``0 .. n_classes - 1``.

    Returns
    -------
    labels : uint8, ``(n_images,)``, read-only, ``n_images`` at least 1.

    Raises
    ------
    InvalidDataset : anything but exactly such a file, or a label outside the range.
    """
    labels = _parse(data, rank=1, what="label")
    if labels.max() >= n_classes:
        raise InvalidDataset(f"A label is out of range: labels must be 0 to {n_classes - 1}.")
    return labels


def _parse(data: bytes, *, rank: int, what: str) -> NDArray[np.uint8]:
    header_bytes = 4 + 4 * rank
    if len(data) < header_bytes:
        raise InvalidDataset(f"The {what} file ends within its IDX header.")
    if data[:2] != b"\0\0":
        raise InvalidDataset(f"The {what} file is not an IDX file: it must start with two zero bytes.")
    if data[2] != _UNSIGNED_BYTE:
        raise InvalidDataset(f"The {what} file must hold unsigned bytes (IDX type 0x08).")
    if data[3] != rank:
        raise InvalidDataset(f"The {what} file has {data[3]} dimensions; it must have {rank}.")
    shape = struct.unpack_from(f">{rank}I", data, 4)
    declared, present = prod(shape), len(data) - header_bytes
    if declared != present:
        raise InvalidDataset(f"The {what} file declares {declared:,} bytes after its header and holds {present:,}.")
    if declared == 0:
        raise InvalidDataset(f"The {what} file is empty.")
    return np.frombuffer(data, np.uint8, offset=header_bytes).reshape(shape)
