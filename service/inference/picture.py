"""PNG, JPEG and WebP files to pixels, with Pillow, and with every limit checked before it could be exceeded.

How each kind of pixel is read:

- 1 bit and palettes are expanded; of 16 bits the upper 8 of those that are used are kept; CMYK becomes RGB by
  Pillow's plain formula, without a colour profile.
- A transparent colour or palette entry becomes an alpha channel.
- Of an animation, the first frame is read.
- The picture is turned by its EXIF orientation. All other metadata is dropped before Pillow reads the file, so
  that hostile texts, colour profiles and tags cost nothing.
- A picture with a side of more than 1,000 pixels is reduced by a whole factor, averaging, to at most that.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from service.charts import png_chunks
from service.errors import InputTooLarge, InvalidImage, ServiceError, UnsupportedMedia

from .mnist_form import Bytes
from .model_inputs import DecodingLimits

MAX_SIDE_PX = 1_000
MAX_SCANS = 50
"""Of a JPEG with several of them, each of which passes over the whole picture. Usual are 10."""
MAX_PARTS = 10_000
"""Chunks of a PNG, or segments before the first scan of a JPEG. Empty ones could keep a processor busy for long."""

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_START_OF_SCAN = b"\xff\xda"
_APP1 = b"\xff\xe1"
_JPEG_METADATA = (_APP1, b"\xff\xe2", *(bytes([0xFF, 0xE0 + n]) for n in (*range(3, 14), 15)), b"\xff\xfe")
_PNG_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_EXIF = b"Exif\0\0"
_ORIENTATION = 0x0112
_EXIF_LONG = 4
_MAX_EXIF_BYTES = 65_536
_LOW_BYTES_AS = MappingProxyType({"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", "LA;16B": "RGBA"})
_RAW_PROFILE = b"Raw profile type exif\0"

_TURNS = (
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.ROTATE_180,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)
"""Of the orientations of EXIF from 2 on; those from 5 on make width of height."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A decoded picture.

    Parameters
    ----------
    pixels : uint8, (height, width) grey, (height, width, 3) RGB or (height, width, 4) RGBA.
    size_px : width and height of the picture as it is seen: turned as its EXIF orientation says, and not reduced.
    steps : of decoding, in order.
    """

    pixels: Bytes
    size_px: tuple[int, int]
    steps: tuple[str, ...]


def is_picture(content: bytes) -> bool:
    """Whether the first bytes are those of a PNG, JPEG or WebP file."""
    return _opener(content) is not None


def read_picture(content: bytes, limits: DecodingLimits) -> Picture:
    """Decode a picture.

    Raises
    ------
    UnsupportedMedia : it is no PNG, JPEG or WebP, whatever its name.
    InputTooLarge : it has more bytes, or declares more pixels, than the limits allow. Nothing has been decoded then.
    InvalidImage : it is empty, truncated, damaged, too small, or too long and narrow.
    """
    if not content:
        raise InvalidImage("The image is empty.")
    if len(content) > limits.max_image_bytes:
        raise InputTooLarge("The image file is too large.", allowed=f"at most {limits.max_image_bytes:,} bytes")
    opener = _opener(content)
    if opener is None:
        raise UnsupportedMedia("The content is not an image of a supported type.", allowed="PNG, JPEG or WebP")
    try:
        return _decode(opener(content, limits))
    except ServiceError:
        raise
    except Exception as error:  # a parser that is given hostile bytes may raise anything
        raise InvalidImage("The image is truncated or damaged.") from error


class _Opened(NamedTuple):
    """A file of which only headers have been read."""

    image: ImageFile.ImageFile
    declared_size_px: tuple[int, int]
    exif: bytes
    low_bytes: ImageFile.ImageFile | None = None
    """The same PNG, to be read once more, if it has 16 bits of colours or alpha, of which Pillow keeps the upper 8."""


# Pillow's classes are called directly, so that no other format can be reached.


def _open_png(content: bytes, limits: DecodingLimits) -> _Opened:
    stripped, exif = _strip_png(content)
    image = PngImagePlugin.PngImageFile(BytesIO(stripped))
    _check_size(image.size, limits)
    low_bytes = PngImagePlugin.PngImageFile(BytesIO(stripped)) if _low_bytes_as(image) else None
    return _Opened(image, image.size, exif, low_bytes)


def _low_bytes_as(image: ImageFile.ImageFile) -> str | None:
    """Return the raw mode of Pillow that takes the lower bytes of a PNG's 16 bits, or all four of grey and alpha."""
    return _LOW_BYTES_AS.get(str(image.tile[0].args)) if image.tile else None


def _open_jpeg(content: bytes, limits: DecodingLimits) -> _Opened:
    stripped, exif, n_in_first_scan = _strip_jpeg(content)
    image = JpegImagePlugin.JpegImageFile(BytesIO(stripped))
    # The pixels come row by row, unless their parts are spread over several scans.
    is_streamed = n_in_first_scan == image.layers and "progressive" not in image.info
    _check_size(image.size, limits, is_streamed=is_streamed)
    if not is_streamed and stripped.count(_START_OF_SCAN) > MAX_SCANS:
        raise InvalidImage("The JPEG has too many scans.", allowed=f"at most {MAX_SCANS} scans")
    declared_size_px = image.size
    shrinking = max(1, max(image.size) / MAX_SIDE_PX)
    image.draft(None, (round(image.width / shrinking), round(image.height / shrinking)))
    return _Opened(image, declared_size_px, exif)


def _open_webp(content: bytes, limits: DecodingLimits) -> _Opened:
    _check_size(_webp_size_px(content), limits)  # the class makes room for the canvas
    image = WebPImagePlugin.WebPImageFile(BytesIO(content))
    return _Opened(image, image.size, image.info.get("exif", b""))


def _opener(content: bytes) -> Callable[[bytes, DecodingLimits], _Opened] | None:
    if content.startswith(PNG_MAGIC):
        return _open_png
    if content.startswith(b"\xff\xd8\xff"):
        return _open_jpeg
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return _open_webp
    return None


def _check_size(size_px: tuple[int, int], limits: DecodingLimits, *, is_streamed: bool = False) -> None:
    max_pixels = limits.max_streamed_pixels if is_streamed else min(limits.max_streamed_pixels, limits.max_image_pixels)
    shorter_px, longer_px = sorted(size_px)
    if shorter_px * longer_px > max_pixels:
        raise InputTooLarge("The image has too many pixels.", allowed=f"at most {max_pixels:,} pixels")
    if shorter_px < limits.min_side_px:
        allowed = f"at least {limits.min_side_px} pixels wide and high"
        raise InvalidImage("The image is too small to show a digit.", allowed=allowed)
    if longer_px > limits.max_aspect_ratio * shorter_px:
        allowed = f"one side at most {limits.max_aspect_ratio} times the other"
        raise InvalidImage("The image is too long and narrow to show a digit.", allowed=allowed)


def _decode(opened: _Opened) -> Picture:
    opened.image.load()
    image, steps = (
        _converted(opened.image) if opened.low_bytes is None else _of_16_bit_colours(opened.image, opened.low_bytes)
    )
    if (factor := -(-max(image.size) // MAX_SIDE_PX)) > 1:
        image = image.reduce(factor)
    if image.size != opened.declared_size_px:
        steps += (f"reduced to {image.width}x{image.height} pixels",)
    size_px, orientation = opened.declared_size_px, exif_orientation(opened.exif)
    if 2 <= orientation <= 8:
        image = image.transpose(_TURNS[orientation - 2])
        size_px = size_px[::-1] if orientation >= 5 else size_px
        steps += ("turned by its EXIF orientation",)
    return Picture(pixels=np.asarray(image), size_px=size_px, steps=steps)


def _converted(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """Return the image as L, RGB or RGBA, and the step that this took."""
    if image.mode.startswith("I"):
        return _of_16_bits(np.asarray(image), image.info.get("transparency"))
    if image.mode == "CMYK":
        return image.convert("RGB"), ("turned CMYK into RGB",)
    if image.has_transparency_data:
        return image.convert("RGBA"), ()
    if image.mode in ("P", "1"):
        return image.convert("RGB" if image.mode == "P" else "L"), ()
    return image, ()


def _of_16_bits(levels: NDArray[Any], transparent: int | None) -> tuple[Image.Image, tuple[str, ...]]:
    """Keep the upper 8 of the bits that are used: cameras use 10 or 12 of 16, and arrays saved as uint16 often 8."""
    n_bits = max(8, int(levels.max()).bit_length())
    grey = np.right_shift(levels, n_bits - 8).astype(np.uint8)
    steps = (f"kept the upper 8 of {n_bits} bits",) if n_bits > 8 else ()
    if transparent is None:
        return Image.fromarray(grey), steps
    opacity = np.where(levels == transparent, np.uint8(0), np.uint8(255))
    return Image.fromarray(np.dstack([grey, grey, grey, opacity])), steps


def _of_16_bit_colours(image: Image.Image, low_bytes: ImageFile.ImageFile) -> tuple[Image.Image, tuple[str, ...]]:
    """Keep the upper 8 of the bits that the colours use, and of those that alpha uses, as for 16 bits of grey."""
    transparent = image.info.pop("transparency", None)
    high = np.array(image)
    raw_mode = _low_bytes_as(low_bytes)
    low_bytes.tile = [tile._replace(args=raw_mode) for tile in low_bytes.tile]
    low = np.asarray(low_bytes)
    if raw_mode == "RGBA":  # grey and alpha, high and low
        low = low[..., (1, 1, 1, 3)]
    opacity = None
    if transparent is not None:
        upper, lower = np.divmod(transparent, 256)
        opacity = np.where(((high == upper) & (low == lower)).all(axis=2), np.uint8(0), np.uint8(255))
    n_more = int(high[..., :3].max()).bit_length()
    for channels in (slice(3), slice(3, None)):
        n_low = int(high[..., channels].max(initial=0)).bit_length()
        high[..., channels] = high[..., channels] << (8 - n_low) | low[..., channels] >> n_low
    steps = (f"kept the upper 8 of {8 + n_more} bits",) if n_more else ()
    return Image.fromarray(high if opacity is None else np.dstack([high, opacity])), steps


def _strip_png(content: bytes) -> tuple[bytes, bytes]:
    """Return a PNG with the chunks that make up its only, or first, frame, and its EXIF block, which may be empty.

    Raises `InvalidImage` if there are more than 10,000 chunks.
    """
    kept, exif = [content[:8]], b""
    for number, (kind, start, end) in enumerate(png_chunks(content)):
        if number == MAX_PARTS:
            raise InvalidImage("The PNG is in too many parts.", allowed=f"at most {MAX_PARTS:,} chunks")
        if kind in _PNG_PIXELS:
            kept.append(content[start:end])
        elif kind == b"eXIf":
            exif = content[start + 8 : end - 4]
        elif kind in (b"tEXt", b"zTXt") and content.startswith(_RAW_PROFILE, start + 8):
            exif = exif or _raw_profile(content[start + 8 + len(_RAW_PROFILE) : end - 4], is_packed=kind == b"zTXt")
        if kind == b"IEND":
            break
    return b"".join(kept), exif


def _raw_profile(data: bytes, *, is_packed: bool) -> bytes:
    """Return the EXIF block of a PNG from before there was eXIf: a name, a length and hexadecimal digits, as text."""
    try:
        text = zlib.decompressobj().decompress(data[1:], 3 * _MAX_EXIF_BYTES) if is_packed else data
        return bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
    except (zlib.error, ValueError):
        return b""


def _strip_jpeg(content: bytes) -> tuple[bytes, bytes, int]:
    """Return a JPEG with the segments that its pixels depend on, and all from the first scan on.

    With it come its EXIF block, which may be empty, and the number of components in its first scan. Raises
    `InvalidImage` if what precedes that is not a series of at most 10,000 segments.
    """
    kept, exif, start = [content[:2]], b"", 2
    for _ in range(MAX_PARTS):
        marker, size = content[start : start + 2], int.from_bytes(content[start + 2 : start + 4])
        if marker == _START_OF_SCAN:
            return b"".join((*kept, content[start:])), exif, content[start + 4]
        if marker[:1] != b"\xff":
            break
        end = start + (1 if marker == b"\xff\xff" else 2 + size)  # 0xff may be repeated before a marker
        if marker not in _JPEG_METADATA:
            kept.append(content[start:end])
        elif marker == _APP1 and content.startswith(_EXIF, start + 4):
            exif = content[start + 4 : end]
        start = end
    raise InvalidImage("The JPEG is damaged, or in too many parts.", allowed=f"at most {MAX_PARTS:,} segments")


def _webp_size_px(content: bytes) -> tuple[int, int]:
    """Return the width and height that the first chunk of a WebP file declares."""
    if content[12:16] == b"VP8X":
        return int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
    if content[12:16] == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(content[26:28], "little") & 0x3FFF, int.from_bytes(content[28:30], "little") & 0x3FFF


def exif_orientation(exif: bytes) -> int:
    """Return the orientation in an EXIF block, 1 to 8, or another number if there is none.

    Pillow would read all entries, each of which may take as many bytes as there are.
    """
    tiff = exif.removeprefix(_EXIF)
    order: Literal["little", "big"] = "little" if tiff.startswith(b"II") else "big"
    start = int.from_bytes(tiff[4:8], order)
    n_entries = int.from_bytes(tiff[start : start + 2], order)
    for entry in range(start + 2, min(start + 2 + 12 * n_entries, len(tiff)), 12):
        if int.from_bytes(tiff[entry : entry + 2], order) == _ORIENTATION:
            n_bytes = 4 if int.from_bytes(tiff[entry + 2 : entry + 4], order) == _EXIF_LONG else 2
            return int.from_bytes(tiff[entry + 8 : entry + 8 + n_bytes], order)
    return 0
