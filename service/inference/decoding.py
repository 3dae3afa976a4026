"""From the content of a request to model inputs: the one place that detects the kind of content."""

from typing import Any

import numpy as np

from service.core import IMAGE_SIDE_PX, N_PIXELS
from service.core.archive import MAGIC as ARCHIVE_MAGIC
from service.core.npy import MAGIC, read_npy

from .model_inputs import DecodingLimits, ModelInputs, images_from_array, images_from_bytes, images_from_values
from .picture import PNG_MAGIC, Picture, is_picture, read_picture
from .preprocessing import Preprocessed, in_mnist_form, preprocess

DEFAULT_LIMITS = DecodingLimits()
RAW_MEDIA_TYPE = "application/octet-stream"

_SMALL_PIXELS_BYTES = 64 * N_PIXELS
_SMALL_PNG_BYTES = 4096
_SMALL_PNG_SIZE = 2 * IMAGE_SIDE_PX.to_bytes(4)
"""Width and height, where a PNG file has them."""


def decode_upload(
    content: bytes,
    media_type: str | None = None,
    *,
    limits: DecodingLimits = DEFAULT_LIMITS,
    keeps_pictures: bool = False,
) -> ModelInputs:
    """Read a file or a request body, with the picture after each step if it ``keeps_pictures``.

    Its first bytes decide, before the media type, as the sender gave it: a PNG, JPEG or WebP is preprocessed; a
    ``.npy`` file holds pixels, which are used as given. Anything else is raw pixels, 784 bytes an image, if its media
    type is ``application/octet-stream``, or missing and the number of bytes is right.

    Raises
    ------
    UnsupportedMedia : it is none of these.
    InvalidImage : it is empty, or a picture that is truncated, damaged or degenerate.
    MalformedInput, InvalidField : pixels in a wrong number, shape, type or range.
    InputTooLarge : more bytes, pixels or images than the limits.
    """
    if content.startswith(MAGIC):
        return ModelInputs.as_given(images_from_array(read_npy(content), limits))
    is_raw = (
        not len(content) % N_PIXELS
        if media_type is None
        else media_type.partition(";")[0].strip().lower() == RAW_MEDIA_TYPE
    )
    if is_raw and content and not has_known_start(content):
        return ModelInputs.as_given(images_from_bytes(content, limits))
    picture = read_picture(content, limits)
    return _inputs(picture, preprocess(picture.pixels), keeps_pictures=keeps_pictures)


def decode_small_upload(
    content: bytes, media_type: str | None = None, *, limits: DecodingLimits = DEFAULT_LIMITS
) -> ModelInputs | None:
    """Do as `decode_upload` if that takes less than a millisecond, else return None.

    It does for up to 64 images as pixels, and a small PNG in MNIST's form. In any other a drawing has to be found.
    """
    if not is_picture(content):
        is_small = len(content) <= _SMALL_PIXELS_BYTES and not content.startswith(ARCHIVE_MAGIC)
        return decode_upload(content, media_type, limits=limits) if is_small else None
    if len(content) > _SMALL_PNG_BYTES or not (content.startswith(PNG_MAGIC) and content[16:24] == _SMALL_PNG_SIZE):
        return None
    picture = read_picture(content, limits)
    preprocessed = in_mnist_form(picture.pixels)
    return None if preprocessed is None else _inputs(picture, preprocessed)


def _inputs(picture: Picture, preprocessed: Preprocessed, *, keeps_pictures: bool = False) -> ModelInputs:
    pictures = (*(picture.pixels for _ in picture.steps), *(after for _, after in preprocessed.steps))
    return ModelInputs(
        images=preprocessed.image[np.newaxis],
        steps=((*picture.steps, *(step for step, _ in preprocessed.steps)),),
        warnings=(preprocessed.warnings,),
        pictures=pictures if keeps_pictures else (),
    )


def has_known_start(content: bytes) -> bool:
    """Whether the first bytes are those of a picture, a ``.npy`` file or a zip archive."""
    return content.startswith((MAGIC, ARCHIVE_MAGIC)) or is_picture(content)


def decode_pixels(values: Any, *, limits: DecodingLimits = DEFAULT_LIMITS) -> ModelInputs:
    """Read pixels that are numbers already, from JSON or as an array; they are used as given.

    There are 784 of them from 0 to 255, 28x28, or a batch of either; in lists, or an array of integers or floats.
    Raises one `InvalidField`, of ``pixels``, for a wrong number, shape, type or range; or `InputTooLarge`.
    """
    if isinstance(values, np.ndarray):
        return ModelInputs.as_given(images_from_array(values, limits, field="pixels"))
    return ModelInputs.as_given(images_from_values(values, limits))
