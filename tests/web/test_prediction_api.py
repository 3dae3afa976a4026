"""Predictions by HTTP: every kind of content, one answer."""

from __future__ import annotations

import json
import time
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.bootstrap import Service
from service.datasets import Dataset
from service.inference import predict
from service.registry import Registry
from service.stores import LocalStore
from tests.web.serving import DEADLINE_S, problem_of

OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def digits(mnist: Dataset) -> Any:
    return mnist.test.images[:5]


@pytest.fixture(autouse=True)
def default_model(finished_job: dict[str, Any]) -> None:
    """Whether or not a model was shipped, there is one."""


def encoded(image: Any, kind: str) -> bytes:
    file = BytesIO()
    Image.fromarray(image).save(file, kind, **({"lossless": True} if kind == "WEBP" else {}))
    return file.getvalue()


def npy(array: Any) -> bytes:
    file = BytesIO()
    np.save(file, array)
    return file.getvalue()


def kinds(image: Any) -> dict[str, dict[str, Any]]:
    png = encoded(image, "PNG")
    return {
        "PNG": {"content": png, "headers": {"Content-Type": "image/png"}},
        "WebP": {"content": encoded(image, "WEBP"), "headers": {"Content-Type": "image/webp"}},
        "JPEG": {"content": encoded(image, "JPEG"), "headers": {"Content-Type": "image/jpeg"}},
        "PNG without a type": {"content": png},
        "PNG as curl sends it": {"content": png, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        "a form": {"files": {"file": ("digit.png", png, "image/png")}},
        "JSON, 784": {"json": {"pixels": image.reshape(-1).tolist()}},
        "JSON, 28x28": {"json": {"pixels": image.tolist()}},
        "JSON, a batch of one": {"json": {"pixels": [image.tolist()]}},
        "raw": {"content": image.tobytes(), "headers": OCTETS},
        "npy": {"content": npy(image), "headers": {"Content-Type": "application/x-npy"}},
        "npy as octets": {"content": npy(image.astype(np.float32)), "headers": OCTETS},
    }


@pytest.mark.parametrize("kind", kinds(np.zeros((28, 28), np.uint8)))
def test_every_kind_of_content_gives_the_same_digit(
    client: httpx.Client, service: Service, digits: Any, kind: str
) -> None:
    labels, table = predict(service.catalogue.get(), digits)
    for image, label, row in zip(digits, labels, table, strict=True):
        answer = client.post("/predict", **kinds(image)[kind])
        assert answer.status_code == 200
        (prediction,) = answer.json()["predictions"]
        assert prediction["digit"] == label
        if kind != "JPEG":  # which changes pixels
            assert list(prediction["probabilities"].values()) == row.tolist()


BATCHES = {
    "raw": lambda images: {"content": images.tobytes(), "headers": OCTETS},
    "npy": lambda images: {"content": npy(images)},
    "JSON": lambda images: {"json": {"pixels": images.tolist()}},
    "JSON, flat": lambda images: {"json": {"pixels": images.reshape(-1, 784).tolist()}},
    "files": lambda images: {"files": [("file", ("digit.png", encoded(image, "PNG"))) for image in images]},
    "files of several": lambda images: {
        "files": [("a", ("a.npy", npy(images[:2]))), ("b", ("b.npy", npy(images[2:])))],
    },
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_batches_keep_their_order(client: httpx.Client, service: Service, digits: Any, batch: Any) -> None:
    labels, _ = predict(service.catalogue.get(), digits)
    answer = client.post("/predict", **batch(digits)).json()
    assert [prediction["digit"] for prediction in answer["predictions"]] == labels.tolist()


def test_ten_thousand_images_in_one_request(client: httpx.Client, mnist: Dataset) -> None:
    answer = client.post("/predict", content=mnist.test.images.tobytes(), headers=OCTETS)
    assert len(answer.json()["predictions"]) == 10_000


@pytest.mark.slow
def test_an_image_has_the_same_answer_alone_and_among_ten_thousand(client: httpx.Client, mnist: Dataset) -> None:
    images = mnist.test.images
    together = client.post("/predict", content=images.tobytes(), headers=OCTETS).json()["predictions"]
    for place in np.random.default_rng(0).choice(10_000, 30):
        alone = client.post("/predict", content=images[place].tobytes(), headers=OCTETS).json()["predictions"]
        assert alone == [together[place]]
        pixels = client.post("/predict", json={"pixels": images[place].reshape(-1).tolist()}).json()["predictions"]
        assert pixels == alone


def test_a_move_by_another_process_is_seen_soon(client: httpx.Client, service: Service) -> None:
    another_process = Registry(LocalStore(service.settings.store_dir))
    asked = {"content": bytes(784), "headers": OCTETS}
    for version in (1, 2, 1):
        another_process.set_alias("mnist-softmax", "moved", version)
        deadline_s = time.monotonic() + DEADLINE_S
        while client.post("/models/mnist-softmax/predict?alias=moved", **asked).json()["version"] != version:
            assert time.monotonic() < deadline_s
    client.delete("/models/mnist-softmax/aliases/moved")
    assert client.post("/models/mnist-softmax/predict?alias=moved", **asked).status_code == 404


@pytest.mark.parametrize("n_images", [1, 64, 65])
def test_few_images_and_many_get_one_answer(client: httpx.Client, mnist: Dataset, n_images: int) -> None:
    """Few are predicted on the event loop, many in a thread."""
    images = mnist.test.images[:n_images]
    raw = client.post("/predict", content=images.tobytes(), headers=OCTETS).json()
    assert raw == client.post("/predict", content=npy(images)).json()
    form = client.post("/predict", files=[("file", image.tobytes()) for image in images]).json()
    for prediction in form["predictions"]:
        prediction.pop("name", None)
    assert raw == form


def test_probabilities_alone_as_an_array(client: httpx.Client, service: Service, digits: Any) -> None:
    answer = client.post("/predict", content=digits.tobytes(), headers={**OCTETS, "Accept": "application/x-npy"})
    assert answer.headers["content-type"] == "application/x-npy"
    model = service.catalogue.get()
    assert answer.headers["x-model"] == f"{model.manifest.name}/{model.manifest.version}"
    np.testing.assert_array_equal(np.load(BytesIO(answer.content)), predict(model, digits)[1])


def test_the_answer_says_who_spoke(client: httpx.Client, digits: Any) -> None:
    content = {"content": digits[0].tobytes(), "headers": OCTETS}
    model = client.get("/models/mnist-softmax").json()
    default, newest = model["default"]["version"], model["versions"][-1]["version"]
    for path, version in [
        ("/models/mnist-softmax/predict", default),
        ("/models/mnist-softmax/predict?alias=latest", newest),
        ("/models/mnist-softmax/versions/1/predict", 1),
    ]:
        answer = client.post(path, **content).json()
        assert (answer["model"], answer["version"]) == ("mnist-softmax", version)
    answer = client.post("/predict", **content).json()
    assert (answer["model"], answer["version"]) == ("mnist-digits", 1)


def test_an_alias_predicts(client: httpx.Client, digits: Any) -> None:
    client.put("/models/mnist-digits/aliases/tested", json={"version": 1})
    content = {"content": digits[0].tobytes(), "headers": OCTETS}
    assert client.post("/predict?alias=tested", **content).json()["version"] == 1
    assert client.post("/models/mnist-digits/predict?alias=tested", **content).json()["version"] == 1
    client.delete("/models/mnist-digits/aliases/tested")
    refused = client.post("/predict?alias=tested", **content)
    assert (refused.status_code, problem_of(refused)) == (404, "model-not-found")


def test_a_blank_image_gets_a_warning(client: httpx.Client) -> None:
    blank = encoded(np.full((100, 100), 255, np.uint8), "PNG")
    (prediction,) = client.post("/predict", content=blank).json()["predictions"]
    assert "blank" in prediction["warnings"][0] and prediction["verdict"] == "blank"


@pytest.mark.parametrize(
    "path", ["/predict", "/models/mnist-digits/predict", "/models/mnist-digits/versions/1/predict"]
)
def test_a_request_says_from_where_on_a_prediction_is_refused(client: httpx.Client, digits: Any, path: str) -> None:
    def verdict(query: str) -> str:
        answer = client.post(f"{path}{query}", content=digits[0].tobytes(), headers=OCTETS)
        return str(answer.json()["predictions"][0]["verdict"])

    assert verdict("") == verdict("?unsure_below=0.5&digit_below=0.5") == "digit"
    assert verdict("?unsure_below=1") == "unsure"
    assert verdict("?unsure_below=1&digit_below=1") == "not-a-digit"
    refused = client.post(f"{path}?unsure_below=2", content=digits[0].tobytes(), headers=OCTETS)
    assert (refused.status_code, problem_of(refused)) == (422, "invalid-field")


def test_preprocessing_shows_what_the_model_sees(client: httpx.Client, digits: Any) -> None:
    large = 255 - np.kron(digits[0], np.ones((10, 10), np.uint8))
    answer = client.post("/preprocess", content=encoded(large, "PNG"))
    assert answer.headers["content-type"] == "image/png"
    seen = Image.open(BytesIO(answer.content))
    assert (seen.size, seen.mode) == ((28, 28), "L")
    steps = json.loads(answer.headers["x-preprocessing-steps"])
    assert any("20x20" in step for step in steps)
    assert json.loads(answer.headers["x-preprocessing-warnings"]) == []
    (prediction,) = client.post("/predict", content=encoded(large, "PNG")).json()["predictions"]
    assert prediction["preprocessing"] == steps
    again = client.post("/preprocess", content=answer.content)
    assert (np.asarray(Image.open(BytesIO(again.content))) == np.asarray(seen)).all()


def test_preprocessing_shows_the_picture_after_each_step(client: httpx.Client, digits: Any) -> None:
    drawn = np.pad(np.kron(digits[0], np.ones((10, 10), np.uint8)), 60)[..., np.newaxis]
    content = encoded((np.array([250, 240, 180]) * (1 - drawn / 255)).astype(np.uint8), "PNG")
    final = client.post("/preprocess", content=content)
    steps = json.loads(final.headers["x-preprocessing-steps"])
    seen = {}
    for number, text in enumerate(steps):
        by_number, by_text = (client.post("/preprocess", params={"step": s}, content=content) for s in (number, text))
        assert by_number.content == by_text.content
        assert json.loads(by_number.headers["x-preprocessing-steps"]) == steps
        seen[text.split()[0]] = np.asarray(Image.open(BytesIO(by_number.content)))
    assert seen["turned"].shape == seen["inverted,"].shape == drawn.shape[:2]
    assert (seen["inverted,"] == 255 - seen["turned"]).all()
    assert np.median(seen["turned"]) > 200 and np.median(seen["removed"]) == 0
    assert max(seen["cropped"].shape) > 100 and max(seen["scaled"].shape) == 20
    assert (seen["centred"] == np.asarray(Image.open(BytesIO(final.content)))).all()
    for step in ("99", "-1", "", "painted"):
        refused = client.post("/preprocess", params={"step": step}, content=content)
        assert (refused.status_code, problem_of(refused)) == (422, "invalid-field")
        assert f"0: {steps[0]}; 1: {steps[1]}" in refused.text
    assert client.post("/preprocess", params={"step": "used as given"}, content=digits[0].tobytes()).status_code == 200


def test_preprocessing_shows_one_image(client: httpx.Client) -> None:
    answer = client.post("/preprocess", content=bytes(2 * 784))
    assert (answer.status_code, problem_of(answer)) == (422, "invalid-input")
