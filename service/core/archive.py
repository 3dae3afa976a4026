"""Zip archives of others: nothing that one declares about itself is trusted, and all that it takes is bounded."""

import io
import struct
import zipfile
import zlib

from service.errors import Corrupted

MAGIC = b"PK\x03\x04"
_MAX_COMMENT_BYTES = 1 << 16
"""After the last record. `zipfile` looks for that record no further back."""

END_RECORD, _END_RECORD_64 = b"PK\x05\x06", b"PK\x06\x07"
END_RECORD_BYTES, _LOCATOR_BYTES = 22, 20
_MAX_ENTRY_BYTES = 256
"""Of a member in the directory: 46, its name and its extra fields."""
# What zipfile is known to raise for bytes that are not a zip archive, or not one that it can read.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, RuntimeError, ValueError, EOFError, OSError, OverflowError, struct.error)


def open_archive(data: bytes, *, max_members: int) -> zipfile.ZipFile:
    """Open an archive after a look at the size of its directory, which `zipfile` reads whole.

    Raises `Corrupted` if the bytes are no such archive, or its directory is larger than of so many members with long
    names.
    """
    start = data.rfind(END_RECORD, max(0, len(data) - _MAX_COMMENT_BYTES - END_RECORD_BYTES))
    end = data[start : start + END_RECORD_BYTES]
    if start < 0 or len(end) < END_RECORD_BYTES:
        raise Corrupted("The archive is truncated.")
    is_beyond_32_bits = data[max(0, start - _LOCATOR_BYTES) : start].startswith(_END_RECORD_64)
    if is_beyond_32_bits or int.from_bytes(end[12:16], "little") > _MAX_ENTRY_BYTES * max_members:
        raise Corrupted("The archive lists more members than it may.")
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except _UNREADABLE as error:
        raise Corrupted("The file is not a readable archive.") from error


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Return the content of a member, of no more bytes than the directory declares; check its checksum.

    Raises `Corrupted` if it is damaged, encrypted, or neither stored nor deflated: others expand without a limit.
    """
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Corrupted("A member of the archive is compressed by another method than deflate.")
    try:
        with archive.open(info) as file:
            return file.read(info.file_size)
    except _UNREADABLE as error:
        raise Corrupted("A member of the archive is damaged or encrypted.") from error
