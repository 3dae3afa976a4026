"""NumPy's ``.npy`` format, read strictly: nothing is evaluated, and sizes are compared before memory is taken.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import MalformedInput

MAGIC = b"\x93NUMPY"
MAX_HEADER_BYTES = 1024

_HEADER = re.compile(
    r"""\{\s*'descr':\s*'(?P<dtype>[<>|=]?(?:[ui][1248]|f[248]))',
    \s*'fortran_order':\s*(?P<fortran>True|False),
    \s*'shape':\s*\((?P<shape>\d{1,9},|\d{1,9}(?:,\s*\d{1,9}){1,2},?)\),?\s*\}\s*""",
    re.VERBOSE | re.ASCII,
)


def read_npy(content: bytes) -> NDArray[Any]:
    """Read an array of integers or floating-point numbers.

    Versions 1.0 to 3.0 of the format are read, in C or Fortran order and of either byte order. No other type
    is accepted: not bool, not complex, no text and no objects.

    Raises
    ------
    MalformedInput
        The header is not one that NumPy writes for such an array, or the bytes after it are not exactly as
        many as it says.
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
    header = _HEADER.fullmatch(content[start:data_start].decode("latin-1"))
    if header is None:
        raise MalformedInput("The .npy file does not hold an array of integers or floating-point numbers.")
    shape = tuple(int(side) for side in header["shape"].removesuffix(",").split(","))
    dtype = np.dtype(header["dtype"])
    if math.prod(shape) * dtype.itemsize != len(content) - data_start:
        raise MalformedInput("The .npy file does not hold as many bytes as its header says.")
    values: NDArray[Any] = np.frombuffer(content, dtype, offset=data_start)
    return values.reshape(shape, order="F" if header["fortran"] == "True" else "C")
