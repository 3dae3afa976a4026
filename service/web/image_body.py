"""The body of a request with images: files or pixels, decoded only when there is capacity for it."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from starlette.datastructures import UploadFile

from service.errors import InvalidField, InvalidInput, UnsupportedMedia
from service.inference import (
    MAX_FILES,
    DecodingLimits,
    FileResult,
    ImageFile,
    ModelInputs,
    Picture,
    decode_files,
    decode_pixels,
    decode_small_upload,
    decode_upload,
    has_known_start,
    read_picture,
)

from .pictures import BINARY
from .routing import BoundedRequest
from .strict_json import parse_json_of_numbers

T = TypeVar("T")
FORM = "multipart/form-data"
_KINDS = (
    'PNG, JPEG or WebP; .npy; JSON, {"pixels": ...}; raw pixels, 784 bytes an image, as application/octet-stream; '
    "several files as a form or a zip archive"
)
_JSON = "application/json"
_JSON_START = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"pixels"')
_SMALL_JSON_BYTES = 16_384
_DEFLATE_RATIO = 1032
"""No byte of a deflated file becomes more. Source: zlib, technical details."""


def _list_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema, "minItems": 1}


def _form_of(file: dict[str, Any]) -> dict[str, Any]:
    return {FORM: {"schema": {"type": "object", "required": ["file"], "properties": {"file": file}}}}


_PIXEL = {"type": "number", "minimum": 0, "maximum": 255}
_PIXELS = {
    **_list_of({"anyOf": [_PIXEL, _list_of({"anyOf": [_PIXEL, _list_of(_PIXEL)]})]}),
    "description": "784 numbers, 28x28, or a list of those.",
}
_FIELDS = {"properties": {"pixels": _PIXELS}, "required": ["pixels"], "additionalProperties": False}
_PICTURES = dict.fromkeys(("image/png", "image/jpeg", "image/webp"), BINARY)
IMAGE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A picture of any size, or pixels: white ink is 255, background 0.",
        "content": {
            **_PICTURES,
            **_form_of(_list_of(BINARY["schema"])),
            _JSON: {"schema": {"type": "object", **_FIELDS}},
            "application/x-npy": BINARY,
            "application/octet-stream": {**BINARY, "description": "784 bytes an image, row by row; or any of these."},
        },
    }
}
_ZIP = {"application/zip": {**BINARY, "description": "Files of these kinds."}}
FILES_BODY: dict[str, Any] = {
    "requestBody": {**IMAGE_BODY["requestBody"], "content": {**_ZIP, **IMAGE_BODY["requestBody"]["content"]}}
}
"""Also an archive, listed first: of several types that are bytes, generated clients declare the last one."""
PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One picture of any size.",
        "content": {**_PICTURES, **_form_of(BINARY["schema"])},
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBody:
    """A body before decoding: the files of a form with its texts by their names, or the body as the only file."""

    files: Sequence[ImageFile]
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def n_bytes(self) -> int:
        """The size of the body, and at most that of an archive in it when it is expanded."""
        return sum(len(file.content) * (_DEFLATE_RATIO if file.is_archive else 1) for file in self.files)

    @property
    def holds_files(self) -> bool:
        """Whether it is a form of several files, or an archive: then each is decoded, or refused, by itself."""
        return len(self.files) != 1 or self.files[0].is_archive

    def decode_small(self, limits: DecodingLimits) -> ModelInputs | None:
        """Do as `decode` if that takes so little time that the event loop can do it, else return None."""
        if len(self.files) != 1:
            return None
        (file,) = self.files
        if len(file.content) > _SMALL_JSON_BYTES and _is_json(file):
            return None
        return _decode(file, limits, decode_small_upload)

    def decode(self, limits: DecodingLimits, *, keeps_pictures: bool = False) -> ModelInputs:
        """Return the images as one batch; errors as `decode_upload` and `decode_pixels`."""
        upload = partial(decode_upload, keeps_pictures=keeps_pictures and len(self.files) == 1)
        decoded = [_decode(file, limits, upload) for file in self.files]
        return decoded[0] if len(decoded) == 1 else ModelInputs.joined(decoded, limits)

    def decode_each(self, limits: DecodingLimits) -> list[FileResult]:
        """Decode each file; errors as `decode_files`."""
        return decode_files(self.files, limits, lambda file: _decode(file, limits, decode_upload))

    def decode_picture(self, limits: DecodingLimits) -> Picture:
        """Return the only picture, as `read_picture` reads it; raise `InvalidInput` if there are several files."""
        if len(self.files) != 1:
            raise InvalidInput("One picture at a time can be read.")
        return read_picture(self.files[0].content, limits)


async def read_images(request: BoundedRequest, *, texts: Collection[str] = (), max_text_bytes: int = 1024) -> ImageBody:
    """Read the images of a request, and the texts of a form that may have some.

    Raise `InvalidInput` or `InvalidField` as `read_form`, and if a form has no file.
    """
    media_type = request.media_type
    if media_type != FORM:
        return ImageBody(files=(ImageFile(content=await request.body(), media_type=media_type or None),))
    found, files = await read_form(request, texts=texts, max_files=MAX_FILES, max_text_bytes=max_text_bytes)
    if not files:
        raise InvalidInput("The form holds no file.")
    return ImageBody(files=[file for _, file in files], texts=found)


async def read_form(
    request: BoundedRequest, *, texts: Collection[str], max_files: int, max_text_bytes: int
) -> tuple[dict[str, str], list[tuple[str, ImageFile]]]:
    """Return the texts of a form by their names, and its files in their order, each with the name of its part.

    Raise `InvalidInput` if a text comes twice, or there can be none, and `InvalidField` if there is none of this name.
    """
    found: dict[str, str] = {}
    files = []
    form = request.form(max_files=max_files, max_fields=max(1, len(texts)), max_part_size=max_text_bytes)
    async with form as parts:
        for name, value in parts.multi_items():
            if isinstance(value, UploadFile):
                content = await value.read()
                files.append((name, ImageFile(content=content, media_type=value.content_type, name=value.filename)))
            elif not texts:
                raise InvalidInput("Every part of the form must be a file.")
            elif name not in texts:
                raise InvalidField("There is no field of this name.", field=name, allowed=", ".join(texts))
            elif name in found:
                raise InvalidInput("A part of the form comes twice.")
            else:
                found[name] = value
    return found, files


def _decode(file: ImageFile, limits: DecodingLimits, decode: Callable[..., T]) -> ModelInputs | T:
    if _is_json(file):
        return decode_pixels(_pixels_of(parse_json_of_numbers(file.content)), limits=limits)
    try:
        return decode(file.content, file.media_type, limits=limits)
    except UnsupportedMedia as error:
        raise UnsupportedMedia(error.message, allowed=_KINDS) from None


def _is_json(file: ImageFile) -> bool:
    """Whether it begins as JSON of pixels, or is declared as JSON and begins as nothing else."""
    is_declared = (file.media_type or "").partition(";")[0].strip().lower() == _JSON
    return bool(_JSON_START.match(file.content)) or (is_declared and not has_known_start(file.content))


def _pixels_of(value: Any) -> Any:
    if not isinstance(value, dict):
        raise InvalidInput("The body must be a JSON object.", allowed='{"pixels": ...}')
    if unknown := value.keys() - {"pixels"}:
        raise InvalidField("There is no field of this name.", field=min(unknown), allowed="pixels")
    if "pixels" not in value:
        raise InvalidField("pixels is required.", field="pixels", allowed="784 numbers, 28x28, or a list of those")
    return value["pixels"]
