"""Pixels that are numbers already: from JSON, as arrays and as raw bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from service.errors import InputTooLarge, InvalidField, InvalidImage, MalformedInput, UnsupportedMedia
from service.inference import DecodingLimits, ModelInputs, decode_pixels, decode_upload

LIMITS = DecodingLimits()
FLAT = [n % 256 for n in range(784)]
ROWS = [FLAT[start : start + 28] for start in range(0, 784, 28)]


@pytest.mark.parametrize("values", [FLAT, ROWS, [FLAT, FLAT], [ROWS, ROWS, ROWS]], ids=["784", "28x28", "2", "3"])
def test_every_shape_gives_the_same_images(values: Any) -> None:
    for given in (values, np.array(values), np.array(values, np.uint8), np.array(values, np.float32)):
        inputs = decode_pixels(given)
        assert inputs.images.dtype == np.uint8
        assert all(image.ravel().tolist() == FLAT for image in inputs.images)
        assert inputs.steps == (("used as given",),) * len(inputs)
        assert inputs.warnings == ((),) * len(inputs)


def changed(place: int, value: Any) -> list[Any]:
    return [*FLAT[:place], value, *FLAT[place + 1 :]]


REFUSED = {
    "too few": FLAT[:-1],
    "too many": [*FLAT, 0],
    "nothing": [],
    "no image": [[], []],
    "a number": 7,
    "a text": "7" * 784,
    "an object": {"0": FLAT},
    "null": None,
    "a ragged image": [*ROWS[:-1], ROWS[-1][:-1]],
    "a ragged batch": [FLAT, FLAT[:-1]],
    "too deep": [[[ROWS]]],
    "27 rows": ROWS[:-1],
    "a numeral": changed(5, "7"),
    "a long text": changed(5, "x" * 1_000_000),
    "a null": changed(5, None),
    "true": changed(0, True),
    "false": changed(783, False),
    "a list": changed(5, [7]),
    "below": changed(5, -1),
    "above": changed(5, 256),
    "just above": changed(5, 255.001),
    "NaN": changed(5, float("nan")),
    "infinity": changed(5, float("inf")),
    "huge": changed(5, 10**400),
    "booleans": np.zeros(784, bool),
    "complex": np.zeros(784, complex),
    "texts": np.full(784, "7"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused_in_one_sentence_that_names_the_field(name: str) -> None:
    with pytest.raises(InvalidField) as caught:
        decode_pixels(REFUSED[name])
    assert caught.value.field == "pixels"
    assert caught.value.allowed is not None
    assert len(caught.value.message) < 100


def test_nothing_is_rescaled_and_halves_are_rounded() -> None:
    assert decode_pixels([0.4, 0.6, 254.7, *[0] * 781]).images.ravel()[:3].tolist() == [0, 1, 255]


@pytest.mark.parametrize(
    ("values", "words"),
    [([255] * 700 + [0] * 84, "light ink on black"), ([0.0, 1.0] * 392, "not rescaled"), ([7] * 784, "blank")],
)
def test_doubtful_pixels_are_used_with_a_warning(values: list[float], words: str) -> None:
    inputs = decode_pixels([values, FLAT])
    assert words in inputs.warnings[0][0]
    assert inputs.warnings[1] == ()
    assert inputs.images[0].ravel().tolist() == np.rint(values).tolist()


def test_an_image_alone_gets_the_same_warning_as_in_a_batch() -> None:
    """Alone, most images pass a quick test only, including those at its edges."""
    images = np.array(
        [
            [value] * n_inked + [rest] * (784 - n_inked)
            for n_inked in (0, 1, 389, 390, 391, 392, 783, 784)
            for value in (0, 1, 2, 255)
            for rest in (0, 1)
        ],
        np.uint8,
    ).reshape(-1, 28, 28)
    together = ModelInputs.as_given(images)
    assert len(set(together.warnings)) == 4
    for number in range(len(images)):
        assert ModelInputs.as_given(images[number : number + 1]).warnings == (together.warnings[number],)


def test_raw_bytes_are_images_of_784() -> None:
    content = bytes(FLAT) * 3
    for media_type in ("application/octet-stream", "Application/Octet-Stream; x=1", None):
        inputs = decode_upload(content, media_type)
        assert inputs.images.tobytes() == content
    for n_bytes in (783, 785, 1):
        with pytest.raises(MalformedInput, match="whole images"):
            decode_upload(bytes(n_bytes), "application/octet-stream")
    with pytest.raises(InvalidImage, match="empty"):
        decode_upload(b"", "application/octet-stream")
    with pytest.raises(UnsupportedMedia):
        decode_upload(content, "image/png")


def test_ten_thousand_images_are_accepted_and_one_more_is_not() -> None:
    content = bytes(784 * 10_000)
    assert len(decode_upload(content)) == 10_000
    assert len(decode_pixels(np.zeros((10_000, 784)))) == 10_000
    with pytest.raises(InputTooLarge, match="too many images"):
        decode_upload(content + bytes(784))
    with pytest.raises(InputTooLarge, match="too many images"):
        decode_pixels(np.zeros((10_001, 784), np.uint8))


def test_inputs_of_several_files_are_joined_in_order_up_to_the_limit() -> None:
    parts = [decode_pixels(FLAT), decode_pixels([[0] * 784, FLAT])]
    joined = ModelInputs.joined(parts, LIMITS)
    assert joined.images.reshape(3, 784).tolist() == [FLAT, [0] * 784, FLAT]
    assert [len(warnings) for warnings in joined.warnings] == [0, 1, 0]
    with pytest.raises(InputTooLarge):
        ModelInputs.joined(parts, DecodingLimits(max_images_per_request=2))
    with pytest.raises(ValueError, match="equally many"):
        ModelInputs(images=joined.images, steps=(), warnings=())
