"""The origin of a picture, written into the picture itself; and the one place where pictures become bytes.

A picture travels: into a report, a chat, a lecture. Its origin is then only known from its own metadata. Nothing
written here depends on the clock, so the same picture has the same bytes.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, TypeAlias
from xml.sax.saxutils import escape

from PIL.PngImagePlugin import PngInfo

if TYPE_CHECKING:
    from PIL.Image import Image

#: The metadata of a picture, in order: ``{"job": ..., "model": ..., "learning_rate": ...}``.
Provenance: TypeAlias = Mapping[str, str]

_MAX_KEY_CHARS = 79  # of a PNG text chunk


def encode_png(image: Image, provenance: Provenance, *, dpi: int | None = None) -> bytes:
    """Encode a picture as PNG with one text chunk per entry.

    Raises
    ------
    ValueError : a key is not 1 to 79 printable ASCII characters.
    """
    chunks = PngInfo()
    for key, value in _checked(provenance).items():
        chunks.add_text(key, value)
    file = BytesIO()
    density = {} if dpi is None else {"dpi": (dpi, dpi)}
    image.save(file, "PNG", pnginfo=chunks, **density)
    return file.getvalue()


def picture_svg(png: bytes, provenance: Provenance) -> bytes:
    """Return an SVG that holds a picture of `encode_png` and keeps its pixels sharp."""
    width, height = int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
    size = f'width="{width}" height="{height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}">'
        f"<desc>{escape(describe(provenance))}</desc>"
        f'<image {size} style="image-rendering: pixelated" '
        f'href="data:image/png;base64,{b64encode(png).decode()}"/></svg>\n'
    ).encode()


def describe(provenance: Provenance) -> str:
    """Write all entries as one JSON object, for formats with a single field for a description."""
    return json.dumps(_checked(provenance), ensure_ascii=False)


def png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each chunk of a PNG (length, kind, data, checksum), up to a truncated one."""
    start = 8
    while start < len(content):
        end = start + 12 + int.from_bytes(content[start : start + 4])
        yield content[start + 4 : start + 8], start, end
        start = end


def printable(text: str) -> str:
    """Return ``text`` on one line, with a replacement character for what cannot be printed, encoded or put in XML."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in " ".join(text.split()))


def _checked(provenance: Provenance) -> dict[str, str]:
    for key in provenance:
        if not (0 < len(key) <= _MAX_KEY_CHARS and key.isascii() and key.isprintable() and key == key.strip()):
            raise ValueError(f"a provenance key must be 1 to {_MAX_KEY_CHARS} printable ASCII characters")
    return {key: printable(value) for key, value in provenance.items()}
