"""What surrounds the pixels in PNG, JPEG, WebP and EXIF, read without decoding anything.

Pillow gets files without their metadata, so that hostile texts, colour profiles and tags cost it nothing.
Truncation is left for it to find, except where it shows here.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from service.errors import InvalidImage

MAX_PARTS = 10_000
"""Chunks of a PNG, or segments before the first scan of a JPEG. Empty ones could keep a processor busy for long."""

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
START_OF_SCAN = b"\xff\xda"
_APP1 = b"\xff\xe1"
_JPEG_METADATA = (_APP1, b"\xff\xe2", *(bytes([0xFF, 0xE0 + n]) for n in (*range(3, 14), 15)), b"\xff\xfe")
_PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_EXIF = b"Exif\0\0"
_ORIENTATION = 0x0112


class Stripped(NamedTuple):
    """A file without its metadata, and the EXIF block that was among them, or nothing."""

    content: bytes
    exif: bytes


def strip_png(content: bytes) -> Stripped:
    """Keep the chunks of a PNG that make up its only, or first, frame.

    Raises
    ------
    InvalidImage
        There are more than 10,000 chunks.
    """
    kept, exif, start = [content[:8]], b"", 8
    for _ in range(MAX_PARTS):
        end = start + 12 + int.from_bytes(content[start : start + 4])
        kind = content[start + 4 : start + 8]
        if kind in _PNG_PIXELS:
            kept.append(content[start:end])
        elif kind == b"eXIf":
            exif = content[start + 8 : end - 4]
        if kind == b"IEND" or end > len(content):
            return Stripped(b"".join(kept), exif)
        start = end
    raise InvalidImage("The PNG is in too many parts.", allowed=f"at most {MAX_PARTS:,} chunks")


def strip_jpeg(content: bytes) -> tuple[Stripped, int]:
    """Keep the segments of a JPEG that its pixels depend on, and all from the first scan on.

    Returns
    -------
    The file, and the number of components in its first scan.

    Raises
    ------
    InvalidImage
        What comes before the first scan is no row of at most 10,000 segments.
    """
    kept, exif, start = [content[:2]], b"", 2
    for _ in range(MAX_PARTS):
        marker, size = content[start : start + 2], int.from_bytes(content[start + 2 : start + 4])
        if marker == START_OF_SCAN:
            return Stripped(b"".join((*kept, content[start:])), exif), content[start + 4]
        if marker[:1] != b"\xff":
            break
        end = start + (1 if marker == b"\xff\xff" else 2 + size)  # 0xff may be repeated before a marker
        if marker not in _JPEG_METADATA:
            kept.append(content[start:end])
        elif marker == _APP1 and content.startswith(_EXIF, start + 4):
            exif = content[start + 4 : end]
        start = end
    raise InvalidImage("The JPEG is damaged, or in too many parts.", allowed=f"at most {MAX_PARTS:,} segments")


def webp_size_px(content: bytes) -> tuple[int, int]:
    """Return the width and height that the first chunk of a WebP file declares."""
    if content[12:16] == b"VP8X":
        return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
    if content[12:16] == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(content[26:28], "little") & 0x3FFF, int.from_bytes(content[28:30], "little") & 0x3FFF


def exif_orientation(exif: bytes) -> int:
    """Return what EXIF says of how the picture is turned, 1 to 8, or another number if it says nothing."""
    tiff = exif.removeprefix(_EXIF)
    order: Literal["little", "big"] = "little" if tiff.startswith(b"II") else "big"
    start = int.from_bytes(tiff[4:8], order)
    n_entries = int.from_bytes(tiff[start : start + 2], order)
    for entry in range(start + 2, min(start + 2 + 12 * n_entries, len(tiff)), 12):
        if int.from_bytes(tiff[entry : entry + 2], order) == _ORIENTATION:
            return int.from_bytes(tiff[entry + 8 : entry + 10], order)
    return 0
