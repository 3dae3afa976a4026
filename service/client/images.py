"""What can be handed in as an image: files, pixels, arrays, pictures of Pillow, without needing NumPy or Pillow."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

Image: TypeAlias = Any
"""A path; the bytes of a PNG, JPEG, WebP or ``.npy`` file; numbers from 0 to 255 in lists; an array of them, as of
NumPy, ``(28, 28)`` or ``(784,)``, or a batch of those; or a picture of Pillow."""

_OCTETS = "application/octet-stream"


def body_of(image: Image) -> Mapping[str, Any]:
    """Return what sends an image, as arguments of `httpx.Client.request`.

    Raises
    ------
    TypeError : it is nothing of that kind.
    OSError : the file cannot be read.
    """
    if isinstance(image, (str, Path)):
        path = Path(image)
        return file_body(path.read_bytes(), mimetypes.guess_type(path.name)[0])
    if isinstance(image, (bytes, bytearray, memoryview)):
        return file_body(bytes(image), None)
    if hasattr(image, "__array_interface__") and hasattr(image, "dtype"):
        if str(image.dtype) == "uint8":
            return file_body(image.tobytes(), None)
        return {"json": {"pixels": image.tolist()}}
    if hasattr(image, "save") and hasattr(image, "mode"):
        file = BytesIO()
        image.save(file, "PNG")
        return file_body(file.getvalue(), "image/png")
    if isinstance(image, (list, tuple)):
        return {"json": {"pixels": image}}
    raise TypeError(f"an image cannot be made of {type(image).__name__}")


def file_body(content: bytes, media_type: str | None) -> Mapping[str, Any]:
    """Return what sends a file; its first bytes tell what it is, where its name does not."""
    return {"content": content, "headers": {"Content-Type": media_type or _OCTETS}}
