"""What can be given as an image: files, pixels, arrays, pictures of Pillow. It needs neither NumPy nor Pillow."""

from __future__ import annotations

import mimetypes
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from .call import json_body
from .errors import InvalidField

Image: TypeAlias = Any
"""One image: a path; the bytes of a PNG, JPEG, WebP or ``.npy`` file; a picture of Pillow; or pixels, 0 (background) to
255 (ink), as an array or in lists: ``(28, 28)`` or ``(784,)``. An array of another size, ``(height, width)`` grey or
``(height, width, 3 or 4)`` RGB or RGBA of type uint8, is a picture, like a file of it."""

Images: TypeAlias = Any
"""Several images: an array or lists of pixels, ``(n, 28, 28)`` or ``(n, 784)``; the path or bytes of such a ``.npy``
file; or a list of images of any kind."""

_SIDE_PX, _N_PIXELS = 28, 784
_BATCH_SHAPES = "(28, 28), (784,), (n, 28, 28) or (n, 784)"
_IMAGE_SHAPES = "(28, 28) or (784,); of type uint8 also (height, width), (height, width, 3) or (height, width, 4)"
_READ_AS = {"CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB", "RGBX": "RGB", "RGBa": "RGBA", "La": "LA", "PA": "RGBA"}
"""The mode that PNG has for each of Pillow's that it has not."""
_ORIENTATION = 0x0112
_ZIP = "application/zip"
_MAX_ARCHIVE_BYTES, _MAX_MEMBERS = 8_000_000, 200
"""Of one request: a server decodes that in seconds."""


class File(NamedTuple):
    """The bytes of a file, which can be given as an image, too; its first bytes decide before its media type."""

    content: bytes
    media_type: str = "application/octet-stream"

    @classmethod
    def at(cls, path: Path) -> File:
        """Read a file."""
        media_type, _ = mimetypes.guess_type(path.name)
        return cls(path.read_bytes(), *([media_type] if media_type else []))

    @property
    def body(self) -> Mapping[str, Any]:
        """What sends it, as arguments of `httpx.Client.request`."""
        return {"content": self.content, "headers": {"Content-Type": self.media_type}}


def body_of(image: Image) -> Mapping[str, Any]:
    """Return what sends one image, as arguments of `httpx.Client.request`.

    Raises
    ------
    TypeError : it is nothing of that kind.
    InvalidField : an array has not the shape of an image.
    OSError : the file cannot be read.
    """
    if isinstance(image, list | tuple) and not isinstance(image, File):
        return json_body({"pixels": image})
    return _file_of(image, is_batch=False).body


def part_of(image: Image) -> tuple[str, bytes, str]:
    """Return one image as the file of a form; errors as `body_of`."""
    return ("image", *_file_of(image, is_batch=False))


def body_of_picture(picture: Image) -> Mapping[str, Any]:
    """Return what sends one picture; errors as `body_of`. An array is a picture whatever its size."""
    if not hasattr(picture, "__array__") or _is_pillow(picture):
        return body_of(picture)
    from PIL import Image as Pillow  # noqa: PLC0415 - only where an array is a picture

    return File(_png_of(Pillow.fromarray(picture)), "image/png").body


def body_of_all(images: Images) -> Mapping[str, Any]:
    """Return what sends several images; errors as `body_of`."""
    if isinstance(images, File) or not isinstance(images, list | tuple):
        return _file_of(images, is_batch=True).body
    if not any(_is_file_or_array(one) for one in images):
        return json_body({"pixels": images})
    if len({getattr(one, "shape", None) for one in images}) == 1 and not any(map(_is_pillow, images)):
        import numpy as np  # noqa: PLC0415 - these are arrays, so it is there

        if _is_of_a_model(array := np.stack(images), is_batch=True):
            return _file_of_array(array, is_batch=True).body
    parts = [_file_of(one, is_batch=False) for one in images]
    return {"files": [("file", (str(number), *part)) for number, part in enumerate(parts)]}


def in_archives(paths: Iterable[Path]) -> Iterator[tuple[File, list[str]]]:
    """Yield files in zip archives of bounded size, each as a member that its number names, with the names of the files.

    A file that is an archive itself is yielded as it is, without names.
    """
    members: list[tuple[str, bytes]] = []
    for path in paths:
        content = path.read_bytes()
        is_archive = content.startswith(b"PK\x03\x04")
        n_bytes = len(content) + sum(len(other) for _, other in members)
        if members and (is_archive or n_bytes > _MAX_ARCHIVE_BYTES or len(members) == _MAX_MEMBERS):
            yield _archive_of(members)
            members = []
        if is_archive:
            yield File(content, _ZIP), []
        else:
            members.append((str(path), content))
    if members:
        yield _archive_of(members)


def _archive_of(members: Sequence[tuple[str, bytes]]) -> tuple[File, list[str]]:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number, (_, content) in enumerate(members):
            archive.writestr(str(number), content)
    return File(file.getvalue(), _ZIP), [name for name, _ in members]


def _is_pillow(image: Any) -> bool:
    return hasattr(image, "getexif") and hasattr(image, "mode")


def _is_file_or_array(image: Any) -> bool:
    return (
        isinstance(image, str | Path | bytes | bytearray | memoryview)
        or hasattr(image, "__array__")
        or _is_pillow(image)
    )


def _file_of(image: Image, *, is_batch: bool) -> File:
    if isinstance(image, str | Path):
        return File.at(Path(image))
    if isinstance(image, File):
        return image
    if isinstance(image, bytes | bytearray) or (isinstance(image, memoryview) and image.ndim == 1):
        return File(bytes(image))
    if _is_pillow(image):
        return File(_png_of(image), "image/png")
    if hasattr(image, "__array__") or isinstance(image, list | tuple | memoryview):
        return _file_of_array(image, is_batch=is_batch)
    raise TypeError(f"an image cannot be made of {type(image).__name__}")


def _is_of_a_model(array: Any, *, is_batch: bool) -> bool:
    """Whether an array holds images of the size that models take: one, or if it is a batch also several."""
    n_axes = 1 if array.shape[-1:] == (_N_PIXELS,) else 2 if array.shape[-2:] == (_SIDE_PX, _SIDE_PX) else None
    return n_axes is not None and array.ndim - n_axes in ((0, 1) if is_batch else (0,))


def _file_of_array(given: Any, *, is_batch: bool) -> File:
    import numpy as np  # noqa: PLC0415 - whoever has an array has NumPy, or can do with it

    array = np.asarray(given)
    if array.ndim > 2 and array.shape[-1] == 1:
        array = array[..., 0]  # its only channel
    if _is_of_a_model(array, is_batch=is_batch):
        if array.dtype == np.uint8:
            return File(array.tobytes())
        file = BytesIO()
        np.save(file, array, allow_pickle=False)
        return File(file.getvalue(), "application/x-npy")
    if _is_of_a_model(array, is_batch=True):
        raise InvalidField(
            f"An array of shape {array.shape} holds several images: use predict_all.",
            field="pixels",
            allowed="one image; a picture of that size is given as Image.fromarray(array) of Pillow",
        )
    is_picture = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] in (3, 4))
    if is_batch or not is_picture or array.dtype != np.uint8:
        kind = "batch of images" if is_batch else "image"
        raise InvalidField(
            f"An array of shape {array.shape} and type {array.dtype} is no {kind}.",
            field="pixels",
            allowed="the shape " + (_BATCH_SHAPES if is_batch else _IMAGE_SHAPES),
        )
    from PIL import Image as Pillow  # noqa: PLC0415 - only where an array is a picture

    return File(_png_of(Pillow.fromarray(array)), "image/png")


def _png_of(image: Any) -> bytes:
    """Return a picture of Pillow as PNG, with its orientation: the server reads it like the file it came from."""
    exif = image.getexif()
    turned = type(exif)()
    if _ORIENTATION in exif:
        turned[_ORIENTATION] = exif[_ORIENTATION]
    match image.mode:
        case "LAB":
            image = image.getchannel(0)  # Pillow converts it to nothing else, and ink is found by lightness
        case "F":
            image = image.convert("L")
        case "I":
            image = image.convert("I;16" if image.getextrema()[1] > 255 else "L")
        case mode if mode in _READ_AS:
            image = image.convert(_READ_AS[mode])
    file = BytesIO()
    image.save(file, "PNG", exif=turned)
    return file.getvalue()
