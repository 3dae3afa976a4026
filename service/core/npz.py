"""Named arrays to ``.npz`` bytes and back: the one format of weight files and checkpoints.

The writer is deterministic. The reader trusts nothing: it is given which arrays there must be, and allocates no more
than it was given. Both work in memory.
"""

import io
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from service.errors import Corrupted, InputTooLarge, MalformedInput

from .archive import END_RECORD, END_RECORD_BYTES, open_archive, read_member
from .npy import read_npy

# By NumPy's name and by the little-endian code that stands in a file.
_CODES = {"float32": "<f4", "float64": "<f8", "int64": "<i8"}

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the zip format has no earlier date; a fixed one keeps the bytes the same


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """What an array of finite numbers must be: of a shape, of which None is any length and ``()`` a scalar, and of
    float32, float64 or int64."""

    shape: tuple[int | None, ...]
    dtype: str

    def __post_init__(self) -> None:
        if self.dtype not in _CODES:
            raise ValueError(f"dtype must be one of {', '.join(_CODES)}, not {self.dtype}")

    def fits(self, array: NDArray[Any]) -> bool:
        """Whether an array has this type and shape, and lies in memory as `write_npz` writes it."""
        is_plain = array.flags.aligned and array.flags.c_contiguous and array.dtype.str == _CODES[self.dtype]
        return (
            is_plain
            and array.ndim == len(self.shape)
            and all(wanted in (None, length) for wanted, length in zip(self.shape, array.shape, strict=True))
        )


def write_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as the bytes of an uncompressed ``.npz`` file, readable with ``np.load``.

    The same arrays give the same bytes: members in the order of their names, fixed time stamps, little-endian numbers
    in C order. Raises ValueError unless they are float32, float64 or int64, with ASCII identifiers as names.
    """
    archive_bytes = io.BytesIO()
    with zipfile.ZipFile(archive_bytes, "w", zipfile.ZIP_STORED) as archive:
        for name, array in sorted(arrays.items()):
            if not (name.isascii() and name.isidentifier()):
                raise ValueError(f"an array's name must be an ASCII identifier, not {name!r}")
            if array.dtype.name not in _CODES:
                raise ValueError(f"{name} must be one of {', '.join(_CODES)}, not {array.dtype}")
            member = zipfile.ZipInfo(f"{name}.npy", _EARLIEST)
            member.create_system = 3
            member.external_attr = 0o600 << 16
            contents = io.BytesIO()
            ordered = np.asarray(array, dtype=_CODES[array.dtype.name], order="C")
            npy.write_array(contents, ordered, version=(1, 0), allow_pickle=False)
            archive.writestr(member, contents.getvalue())
    return archive_bytes.getvalue()


def read_npz(
    data: bytes, expected: Mapping[str, ArraySpec], *, others: Collection[str] = ()
) -> dict[str, NDArray[Any]]:
    """The arrays of a stored ``.npz`` file that holds exactly the expected ones, and others, which are not read.

    They are read-only. Raises `Corrupted` if the bytes are not an uncompressed archive of exactly these arrays, or a
    checksum, a shape, a dtype or a value is wrong.
    """
    contents = read_members(data, expected, others=others, max_bytes=len(data), is_stored=True)
    return {name: _read_array(contents[name], spec) for name, spec in expected.items()}


def read_members(
    data: bytes, names: Collection[str], *, max_bytes: int, others: Collection[str] = (), is_stored: bool = False
) -> dict[str, bytes]:
    """The ``.npy`` files in a ``.npz`` file that holds exactly the named arrays, and others, which are not read.

    Nothing that the archive declares about itself is trusted: its directory is limited before it is read, and no more
    than ``max_bytes`` are expanded, else it is `InputTooLarge`. Raises `Corrupted` if the bytes are not such an
    archive, ``is_stored`` and a member is compressed, or a checksum is wrong.
    """
    members = {f"{name}.npy": name for name in (*names, *others)}
    if not data[-END_RECORD_BYTES:].startswith(END_RECORD):
        raise Corrupted("The .npz file is truncated, or something follows its end.")
    with open_archive(data, max_members=len(members)) as archive:
        infos = archive.infolist()
        # A list, so that a name that comes twice is noticed too.
        if sorted(info.orig_filename for info in infos) != sorted(members):
            raise Corrupted(f"The .npz file must hold the arrays {', '.join(members.values())} and nothing else.")
        if is_stored and any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits for info in infos):
            raise Corrupted("The .npz file is compressed or encrypted.")
        sizes = [info.file_size for info in infos]
        if is_stored and (sizes != [info.compress_size for info in infos] or sum(sizes) > len(data)):
            raise Corrupted("The .npz file declares more bytes than it has.")
        if sum(sizes) > max_bytes:
            raise InputTooLarge("The arrays are too large.", allowed=f"at most {max_bytes:,} bytes expanded")
        return {name: read_member(archive, info) for info in infos if (name := members[info.orig_filename]) in names}


def _read_array(content: bytes, spec: ArraySpec) -> NDArray[Any]:
    try:
        array = read_npy(content)
    except MalformedInput as error:
        raise Corrupted("An array cannot be read.") from error
    if not spec.fits(array):
        raise Corrupted("An array does not have the expected shape and type.")
    if not np.isfinite(array).all():
        raise Corrupted("An array holds a number that is not finite.")
    return array
