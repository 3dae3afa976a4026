"""Strict readers of IDX, the format of the MNIST files, and of gzip, for bytes that may be hostile.

An IDX file is a header and then the elements, nothing else::

    offset 0   two zero bytes
           2   element type (0x08: unsigned byte, the only one read here)
           3   rank: the number of dimensions
           4   each dimension, as a big-endian unsigned 32-bit number
           ..  the elements, row by row

All sizes are compared with the bytes present before an array is made, and the arrays are
read-only views of the given bytes: a header cannot cause any allocation.
"""

import struct
import zlib
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from service.core import DIGITS, IMAGE_SIDE_PX
from service.errors import InputTooLarge, InvalidDataset

#: Grey values, ``(n_images, 28, 28)``: 0 is the background, 255 full ink.
Images: TypeAlias = NDArray[np.uint8]
#: One class per image, ``(n_images,)``.
Labels: TypeAlias = NDArray[np.uint8]

MAX_CLASSES = DIGITS.n_classes
_UNSIGNED_BYTE = 0x08
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS
_MAX_MEMBERS, _PIECE_BYTES = 10_000, 1 << 16


def parse_idx_images(data: bytes) -> Images:
    """Read exactly an uncompressed IDX file of images, (n_images, 28, 28), read-only; else raise `InvalidDataset`."""
    images = _parse(data, rank=3, what="image")
    if images.shape[1:] != (IMAGE_SIDE_PX, IMAGE_SIDE_PX):
        _, height, width = images.shape
        needed = f"{IMAGE_SIDE_PX} x {IMAGE_SIDE_PX}"
        raise InvalidDataset(f"The images are {height} x {width} pixels; they must be {needed}.")
    return images


def parse_idx_labels(data: bytes) -> Labels:
    """Read exactly an IDX file of labels from 0 to 9, (n_images,), read-only; else raise `InvalidDataset`."""
    labels = _parse(data, rank=1, what="label")
    if labels.max() >= MAX_CLASSES:
        raise InvalidDataset(f"A label is out of range: labels must be 0 to {MAX_CLASSES - 1}.")
    return labels


def format_idx(array: NDArray[np.uint8]) -> bytes:
    """Write an array of unsigned bytes as an IDX file."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, _UNSIGNED_BYTE, array.ndim, *array.shape) + array.tobytes()


def gunzip(data: bytes, *, limit_bytes: int) -> bytes:
    """Expand gzip members that follow each other, stopping as soon as the result would pass ``limit_bytes``.

    The checksum and the length at the end of each member are verified. Never more than ``limit_bytes + 1`` bytes are
    expanded, whatever the input declares; more than the limit are `InputTooLarge`. Raises `InvalidDataset` if it is not
    gzip, damaged, truncated, of too many members, or followed by anything else.
    """
    view, at, expanded = memoryview(data), 0, bytearray()
    for _ in range(_MAX_MEMBERS):
        expander = zlib.decompressobj(_GZIP_WINDOW_BITS)
        while not expander.eof:
            piece = view[at : at + _PIECE_BYTES]  # what follows a member is copied
            if not piece:
                raise InvalidDataset("The gzip file is truncated.")
            try:
                expanded += expander.decompress(piece, limit_bytes + 1 - len(expanded))
            except zlib.error:
                raise InvalidDataset("The gzip file is damaged, or is not a gzip file.") from None
            if len(expanded) > limit_bytes:
                allowed = f"at most {limit_bytes:,} bytes expanded"
                raise InputTooLarge("The gzip file expands to more than the limit.", allowed=allowed)
            at += len(piece) - len(expander.unconsumed_tail) - len(expander.unused_data)
        if at == len(data):
            return bytes(expanded)
    raise InvalidDataset(f"The gzip file has more than {_MAX_MEMBERS:,} members.")


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
