"""One picture has one prediction, however it is given; what has not the shape of an image is refused."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from inkling import InklingClient, InvalidField, InvalidInput, Prediction
from inkling.images import body_of, body_of_all
from service.datasets import Dataset
from service.inference import decode_upload

Bytes = NDArray[np.uint8]
ORIENTATION = 0x0112
PNG_HAS_NOT = ("CMYK", "YCbCr", "HSV", "RGBX", "RGBa", "La", "PA", "LAB", "F", "I")


@pytest.fixture(scope="module")
def paper(mnist: Dataset) -> Image.Image:
    """A dark 2 on white paper, ten times as large as models take it."""
    return ImageOps.invert(Image.fromarray(mnist.test.images[1]).resize((280, 280)))


def in_mode(paper: Image.Image, mode: str) -> Image.Image:
    match mode:
        case "La":
            return paper.convert("LA").convert("La")
        case "RGBa":
            return paper.convert("RGBA").convert("RGBa")
        case "LAB":
            return Image.merge("LAB", [paper, *[Image.new("L", paper.size, 128)] * 2])
        case "PA":
            return paper.convert("RGBA").quantize(8).convert("PA")
        case "HSV" | "RGBX":
            return paper.convert("RGB").convert(mode)
        case "I;16" | "I;16B":
            values = np.asarray(paper).astype("<u2" if mode == "I;16" else ">u2") * 257
            return Image.frombytes(mode, paper.size, values.tobytes())
    return paper.convert(mode)


def facts(prediction: Prediction) -> tuple[int, dict[int, float]]:
    return prediction.digit, prediction.probabilities


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B", *PNG_HAS_NOT])
def test_every_mode_of_pillow(client: InklingClient, paper: Image.Image, mode: str) -> None:
    image = in_mode(paper, mode)
    assert image.mode == mode
    assert client.predict(image).digit == 2
    assert image.mode == mode


@pytest.mark.slow
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", [None, *range(1, 9)])
def test_one_picture_has_one_prediction(
    client: InklingClient, paper: Image.Image, tmp_path: Path, file_format: str, orientation: int | None
) -> None:
    """By path, bytes, Pillow and array, whatever the EXIF orientation."""
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    if orientation is not None:
        exif[ORIENTATION] = orientation
    path = tmp_path / f"photograph.{file_format.lower()}"
    paper.convert("RGB").save(path, file_format, exif=exif)
    with Image.open(path) as opened:
        before = dict(opened.getexif())
        given = {
            "path": path,
            "text": str(path),
            "bytes": path.read_bytes(),
            "memoryview": memoryview(path.read_bytes()),
            "pillow": opened,
            "array": np.asarray(ImageOps.exif_transpose(opened)),
        }
        predictions = {kind: facts(client.predict(image)) for kind, image in given.items()}
        assert dict(opened.getexif()) == before
    assert {kind: value == predictions["path"] for kind, value in predictions.items()} == dict.fromkeys(given, True)


MODES_OF_PNG = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "P with a transparent entry")


@pytest.mark.parametrize("mode", MODES_OF_PNG)
def test_one_picture_gives_the_same_bits_however_it_is_given(
    client: InklingClient, paper: Image.Image, tmp_path: Path, mode: str
) -> None:
    path, name = tmp_path / "two.png", mode.partition(" ")[0]
    in_mode(paper, name).save(path, **({} if name == mode else {"transparency": 255}))
    with Image.open(path) as opened:
        opened.load()
        assert opened.mode == name
        given = [path, path.read_bytes(), opened]
        if mode in ("L", "RGB", "RGBA"):
            given.append(np.asarray(opened))
        seen = [client.preprocess(image) for image in given]
    inputs = decode_upload(path.read_bytes())
    assert all((np.asarray(Image.open(BytesIO(content))) == inputs.images[0]).all() for content in seen)
    assert facts(client.predict(path))[0] == 2


def test_the_thresholds_of_verdicts_are_arguments(client: InklingClient, paper: Image.Image) -> None:
    assert client.predict(paper).verdict == "digit"
    assert client.predict(paper, unsure_below=1).verdict == "unsure"
    assert client.predict_all([paper, paper], digit_below=1)[1].verdict == "not-a-digit"


def test_an_older_server_answers_without_verdicts() -> None:
    one = {"digit": 7, "class_name": "7", "probabilities": {"7": 1.0}, "preprocessing": [], "warnings": []}
    answer = {"model": "digits", "version": 1, "predictions": [one]}
    http_client = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200, json=answer)))
    with InklingClient("http://older", http_client=http_client) as client:
        found = client.predict(b"\x89PNG\r\n\x1a\n")
    assert (found.digit, found.verdict, found.rivals) == (7, None, ())


def test_what_a_camera_wrote_about_itself_is_not_sent(paper: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[ORIENTATION] = "a camera", 6
    file = BytesIO()
    paper.save(file, "JPEG", exif=exif)
    sent = body_of(Image.open(file))["content"]
    assert b"a camera" not in sent
    assert Image.open(BytesIO(sent)).getexif()[ORIENTATION] == 6


@pytest.mark.parametrize("dtype", ["u1", "i8", "<f4", ">f4", "f2", "f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_pixels_of_every_type_and_order(client: InklingClient, mnist: Dataset, dtype: str, order: Any) -> None:
    images = mnist.test.images[:3]
    expected = [facts(one) for one in client.predict_all(images)]
    batch = np.asarray(images, dtype, order=order)
    for shape in ((3, 28, 28), (3, 784), (3, 28, 28, 1)):
        assert [facts(one) for one in client.predict_all(batch.reshape(shape))] == expected
    assert [facts(one) for one in client.predict_all(list(batch))] == expected
    assert [facts(one) for one in client.predict_all(batch[::-1])] == expected[::-1]
    for image in (batch[0], batch[0].reshape(784), batch[0].reshape(28, 28, 1)):
        assert facts(client.predict(image)) == expected[0]
    assert facts(client.predict(memoryview(images[0]))) == expected[0]


NO_BATCH = [
    (56, 56),
    (280, 280),
    (280, 280, 3),
    (28, 28, 3),
    (28, 28, 4),
    (28, 28, 5),
    (784, 5),
    (2, 2, 28, 28),
]


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
@pytest.mark.parametrize("shape", NO_BATCH)
def test_an_array_of_another_shape_is_no_batch(client: InklingClient, shape: tuple[int, ...], dtype: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        client.predict_all(np.zeros(shape, dtype))
    assert refused.value.field in ("pixels", None)
    assert "28" in str(refused.value) or "784" in str(refused.value)


@pytest.mark.parametrize(
    "array", [np.zeros((28, 28, 5), np.uint8), np.zeros((56, 56)), np.zeros(783, np.uint8), np.zeros(())]
)
def test_an_array_that_is_neither_pixels_nor_a_picture(client: InklingClient, array: Any) -> None:
    with pytest.raises(InvalidField) as refused:
        client.predict(array)
    assert refused.value.field == "pixels"
    assert str(array.shape) in refused.value.message
    assert refused.value.allowed is not None and "(28, 28)" in refused.value.allowed


def test_lists_and_files_of_pixels(client: InklingClient, mnist: Dataset) -> None:
    images = mnist.test.images[:2]
    expected = [facts(one) for one in client.predict_all(images)]
    assert sum(expected[0][1].values()) == pytest.approx(1)
    npy = BytesIO()
    np.save(npy, images)
    for batch in (npy.getvalue(), bytearray(images.tobytes()), images.tolist(), images.reshape(2, 784).tolist()):
        assert [facts(one) for one in client.predict_all(batch)] == expected
    assert facts(client.predict(images[0].tolist())) == expected[0]


def test_a_batch_is_not_one_image(client: InklingClient, mnist: Dataset) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        client.predict_all(mnist.test.images[:0])
    for images in (mnist.test.images[:5], mnist.test.images[:5].reshape(5, 784), mnist.test.images[:5].tolist()):
        with pytest.raises(InvalidInput, match="predict_all"):
            client.predict(images)


def test_a_list_of_images_of_any_kind(
    client: InklingClient, mnist: Dataset, paper: Image.Image, tmp_path: Path
) -> None:
    paper.save(tmp_path / "two.png")
    images = [tmp_path / "two.png", paper, (tmp_path / "two.png").read_bytes(), np.asarray(paper), mnist.test.images[1]]
    predictions = client.predict_all(images)
    assert [one.digit for one in predictions] == [2] * 5
    assert len({tuple(one.probabilities.values()) for one in predictions[:4]}) == 1
    assert [one.digit for one in client.predict_all([mnist.test.images[0].tolist()])] == [7]


def test_what_is_no_image_at_all() -> None:
    for nothing in ({"pixels": 1}, None, 7):
        with pytest.raises(TypeError, match=type(nothing).__name__):
            body_of(nothing)
        with pytest.raises(TypeError, match=type(nothing).__name__):
            body_of_all(nothing)
    with pytest.raises(ValueError, match="allow_pickle"):
        body_of(np.full((28, 28), None))
