"""NumPy's ``.npy`` format, read strictly: sizes are compared before memory is taken, and no code is run.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import ast
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import MalformedInput

MAGIC = b"\x93NUMPY"
MAX_HEADER_BYTES = 1024

_DTYPE = re.compile(r"[<>|=]?(?:[ui][1248]|f[248])", re.ASCII)
_LONG = re.compile(r"(?<=\d)L(?=\s*[,)])")
"""The suffix that Python 2 gave whole numbers."""
_MAX_DIMENSIONS = 4
_MAX_SIDE = 999_999_999


def read_npy(content: bytes) -> NDArray[Any]:
    """Read an array of integers or floating-point numbers.

    It is a read-only view of the bytes. Versions 1.0 to 3.0 of the format are read, in C or Fortran order and of either
    byte order. No other type is accepted: not bool, not complex, no text and no objects. Raises `MalformedInput` if the
    header is not one that NumPy reads as such an array, or the bytes after it are not exactly as many as it says.
    """
    major = content[6] if content.startswith(MAGIC) and len(content) > 10 and content[7] == 0 else 0
    if major not in (1, 2, 3):
        raise MalformedInput("The .npy file does not begin as one of version 1, 2 or 3.")
    start = 10 if major == 1 else 12
    header_bytes = int.from_bytes(content[8:start], "little")
    data_start = start + header_bytes
    if header_bytes > MAX_HEADER_BYTES or data_start > len(content):
        raise MalformedInput(
            "The header of the .npy file is longer than it may be.", allowed=f"at most {MAX_HEADER_BYTES} bytes"
        )
    dtype, fortran_order, shape = _header(content[start:data_start].decode("latin-1"))
    if math.prod(shape) * dtype.itemsize != len(content) - data_start:
        raise MalformedInput("The .npy file does not hold as many bytes as its header says.")
    values: NDArray[Any] = np.frombuffer(content, dtype, offset=data_start)
    try:
        return values.reshape(shape, order="F" if fortran_order else "C")
    except ValueError as error:  # an empty array with other axes beyond what NumPy can count
        raise MalformedInput("The .npy file has an impossible shape.") from error


def _header(text: str) -> tuple[np.dtype[Any], bool, tuple[int, ...]]:
    """Return dtype, order and shape from the literal of a dict, in whatever order and quotes it was written."""
    try:
        match ast.literal_eval(_LONG.sub("", text.strip())):
            case {"descr": str(dtype), "fortran_order": bool(fortran_order), "shape": tuple(shape), **others}:
                sides = [side for side in shape if type(side) is int and 0 <= side <= _MAX_SIDE]
                is_shape = len(sides) == len(shape) <= _MAX_DIMENSIONS
                if not others and is_shape and _DTYPE.fullmatch(dtype):
                    return np.dtype(dtype), fortran_order, shape
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # as literal_eval documents
        pass
    raise MalformedInput("The .npy file does not hold an array of integers or floating-point numbers.")
