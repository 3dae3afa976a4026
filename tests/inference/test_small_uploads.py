"""What is read at once instead of in a thread: the same as ever, or left alone."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from service.datasets import Dataset
from service.errors import ServiceError
from service.inference import decode_small_upload, decode_upload
from service.inference.grey_png import read_grey_png
from service.inference.model_inputs import ModelInputs

OCTETS = "application/octet-stream"


def npy(array: Any) -> bytes:
    file = BytesIO()
    np.save(file, array)
    return file.getvalue()


def assert_same(small: ModelInputs | None, inputs: ModelInputs) -> None:
    assert small is not None
    assert (small.images == inputs.images).all()
    assert (small.steps, small.warnings) == (inputs.steps, inputs.warnings)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_a_grey_png_has_its_pixels(mnist: Dataset, saved: Callable[..., bytes], level: int) -> None:
    for image in mnist.test.images[:100]:
        content = saved(image, compress_level=level)
        pixels = read_grey_png(content)
        assert pixels is not None and (pixels == image).all()
        assert_same(decode_small_upload(content), decode_upload(content))


def test_a_grey_png_with_any_byte_changed_is_left_alone(mnist: Dataset, saved: Callable[..., bytes]) -> None:
    content = saved(mnist.test.images[0])
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        assert read_grey_png(bytes(damaged)) is None
    for length in range(len(content)):
        assert read_grey_png(content[:length]) is None


def test_other_pictures_are_left_alone(
    mnist: Dataset, flag: Any, saved: Callable[..., bytes], chunk: Callable[[bytes, bytes], bytes]
) -> None:
    image = mnist.test.images[0]
    content = saved(image)
    for other in (
        saved(np.stack([image] * 3, axis=-1)),
        saved(image, "JPEG"),
        saved(image, "WEBP"),
        saved(flag),
        saved(np.roll(image, 5, axis=0)),  # not in MNIST's form
        content[:33] + chunk(b"tEXt", b"a\0b") + content[33:],
        content[:33] + chunk(b"IDAT", b"") + chunk(b"IEND", b""),
        content[:33] + chunk(b"IDAT", b"nonsense") + chunk(b"IEND", b""),
    ):
        assert decode_small_upload(other) is None


def test_few_pixels_are_read_at_once_and_many_are_not(mnist: Dataset) -> None:
    images = mnist.test.images[:65]
    assert_same(decode_small_upload(images[:64].tobytes(), OCTETS), decode_upload(images[:64].tobytes(), OCTETS))
    assert_same(decode_small_upload(npy(images[:2])), decode_upload(npy(images[:2])))
    assert decode_small_upload(images.tobytes(), OCTETS) is None


@pytest.mark.parametrize(("content", "media_type"), [(b"", None), (b"1", OCTETS), (b"text", "text/plain")])
def test_errors_are_the_same(content: bytes, media_type: str | None) -> None:
    said = []
    for decode in (decode_small_upload, decode_upload):
        with pytest.raises(ServiceError) as raised:
            decode(content, media_type)
        said.append((raised.type, raised.value.message, raised.value.allowed))
    assert said[0] == said[1]
