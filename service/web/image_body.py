"""The body of a request with images: files or pixels, decoded only when there is capacity for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from service.errors import InvalidField, InvalidInput
from service.inference import DecodingLimits, ModelInputs, decode_pixels, decode_upload, is_small_upload

from .pictures import BINARY
from .routing import media_type_of
from .strict_json import parse_json_of_numbers

FORM = "multipart/form-data"
MAX_FILES = 1000
_SMALL_JSON_BYTES = 16_384


def _list_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema, "minItems": 1}


_PIXEL = {"type": "number", "minimum": 0, "maximum": 255}
IMAGE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A picture of any size, or pixels: white ink is 255, background 0.",
        "content": {
            "image/png": BINARY,
            "image/jpeg": BINARY,
            "image/webp": BINARY,
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": _list_of(BINARY["schema"])},
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "pixels": {
                            **_list_of({"anyOf": [_PIXEL, _list_of({"anyOf": [_PIXEL, _list_of(_PIXEL)]})]}),
                            "description": "784 numbers, 28x28, or a list of those.",
                        }
                    },
                    "required": ["pixels"],
                    "additionalProperties": False,
                }
            },
            "application/x-npy": BINARY,
            "application/octet-stream": {**BINARY, "description": "784 bytes an image, row by row; or any of these."},
        },
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageBody:
    """A body before decoding: several files, or one body, each with the media type it is declared as."""

    parts: tuple[tuple[bytes, str | None], ...]
    is_json: bool = False

    @property
    def n_bytes(self) -> int:
        """The size of the body."""
        return sum(len(content) for content, _ in self.parts)

    @property
    def is_small(self) -> bool:
        """Whether decoding takes so little time that the event loop can do it."""
        if self.is_json:
            return self.n_bytes <= _SMALL_JSON_BYTES
        return len(self.parts) == 1 and is_small_upload(self.parts[0][0])

    def decode(self, limits: DecodingLimits, *, keeps_pictures: bool = False) -> ModelInputs:
        """Return the inputs of a model; errors as `decode_upload` and `decode_pixels`."""
        if self.is_json:
            return decode_pixels(_pixels_of(parse_json_of_numbers(self.parts[0][0])), limits=limits)
        keeps_pictures = keeps_pictures and len(self.parts) == 1
        decoded = [
            decode_upload(content, media_type, limits=limits, keeps_pictures=keeps_pictures)
            for content, media_type in self.parts
        ]
        return decoded[0] if len(decoded) == 1 else ModelInputs.joined(decoded, limits)


async def read_images(request: Request) -> ImageBody:
    """Read the images of a request; raise `InvalidInput` if it is a form that holds anything but files."""
    media_type = media_type_of(request)
    if media_type == FORM:
        return ImageBody(parts=await _files(request))
    content = await request.body()
    return ImageBody(parts=((content, media_type or None),), is_json=media_type == "application/json")


async def _files(request: Request) -> tuple[tuple[bytes, str | None], ...]:
    async with request.form(max_files=MAX_FILES, max_fields=1, max_part_size=1024) as form:
        files = [file for _, file in form.multi_items() if isinstance(file, UploadFile)]
        if len(files) != len(form.multi_items()):
            raise InvalidInput("Every part of the form must be a file.")
        if not files:
            raise InvalidInput("The form holds no file.")
        return tuple([(await file.read(), file.content_type) for file in files])


def _pixels_of(value: Any) -> Any:
    if not isinstance(value, dict):
        raise InvalidInput("The body must be a JSON object.", allowed='{"pixels": ...}')
    if unknown := value.keys() - {"pixels"}:
        raise InvalidField("There is no field of this name.", field=min(unknown), allowed="pixels")
    if "pixels" not in value:
        raise InvalidField("pixels is required.", field="pixels", allowed="784 numbers, 28x28, or a list of those")
    return value["pixels"]
