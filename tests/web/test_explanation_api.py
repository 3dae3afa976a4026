"""Explanations, evaluations and comparisons by HTTP, of the models that come with Inkling."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.bootstrap import Service
from service.datasets import Dataset
from service.inference import evaluate, predict
from tests.web.serving import problem_of

OCTETS = {"Content-Type": "application/octet-stream"}
TWO, TEN = "/models/mnist-2-vs-3/versions/1", "/models/mnist-softmax/versions/1"


@pytest.fixture(scope="module")
def digit(mnist: Dataset) -> dict[str, Any]:
    """Return the first test image, a 7, as a request carries it."""
    return {"content": mnist.test.images[0].tobytes(), "headers": OCTETS}


def test_an_explanation(client: httpx.Client, service: Service, mnist: Dataset, digit: dict[str, Any]) -> None:
    result = client.post(f"{TEN}/explain?digit=7&against=3", **digit).json()
    assert (result["model"], result["version"], result["digit"], result["against"]) == ("mnist-softmax", 1, 7, 3)
    assert (
        result["sum"] == pytest.approx(result["logit"]) == pytest.approx(result["logits"]["7"] - result["logits"]["3"])
    )
    assert (result["rule"], result["baseline"]) == ("weight_times_pixel", "zero")
    assert result["flip"]["is_local"] is False
    assert np.sum(result["evidence"]) + result["bias"] == pytest.approx(result["logit"])
    assert result["pixels"] == mnist.test.images[0].tolist()
    predicted = client.post(f"{TEN}/predict", **digit).json()["predictions"][0]
    assert result["probabilities"] == predicted["probabilities"]
    flipped = np.array(result["flip"]["pixels"], np.uint8)[np.newaxis]
    assert predict(service.catalogue.get("mnist-softmax", 1), flipped)[0][0] == result["flip"]["digit"] != 7


def test_the_same_from_every_route(client: httpx.Client, digit: dict[str, Any]) -> None:
    client.put("/models/mnist-softmax/aliases/explained", json={"version": 1})
    expected = client.post(f"{TEN}/explain", **digit).json()
    assert (expected["digit"], expected["against"]) == (7, None)
    for path in (
        "/models/mnist-softmax/explain?alias=explained",
        "/models/mnist-softmax/versions/explained/explain",
    ):
        assert client.post(path, **digit).json() == expected
    client.delete("/models/mnist-softmax/aliases/explained")


def test_without_a_name_the_default_model_is_explained(client: httpx.Client, digit: dict[str, Any]) -> None:
    named = client.post("/models/mnist-digits/explain", **digit).json()
    assert client.post("/explain", **digit).json() == client.post("/explain?alias=champion", **digit).json() == named
    assert named["sum"] == pytest.approx(named["logit"])
    assert np.sum(named["evidence"]) + named["bias"] == pytest.approx(named["logit"])


def test_a_picture_or_a_form_is_explained_as_well(client: httpx.Client, mnist: Dataset, digit: dict[str, Any]) -> None:
    file = BytesIO()
    Image.fromarray(mnist.test.images[0]).save(file, "PNG")
    expected = client.post(f"{TEN}/explain", **digit).json()
    for body in ({"files": {"file": ("a.png", file.getvalue())}}, {"json": {"pixels": mnist.test.images[0].tolist()}}):
        result = client.post(f"{TEN}/explain", **body).json()
        assert {**result, "steps": 0} == {**expected, "steps": 0}


def test_two_classes_have_one_logit(client: httpx.Client, digit: dict[str, Any]) -> None:
    two, three = (client.post(f"{TWO}/explain?digit={label}", **digit).json() for label in (2, 3))
    assert two["logit"] == -three["logit"] == two["logits"]["2"]
    assert (np.array(two["evidence"]) == -np.array(three["evidence"])).all()


@pytest.mark.parametrize(
    "path", ["/explain.png", "/models/mnist-2-vs-3/explain.png?digit=3&against=2", f"{TEN}/explain.png?upscale=3"]
)
def test_the_picture_of_an_explanation(client: httpx.Client, digit: dict[str, Any], path: str) -> None:
    answer = client.post(path, **digit)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    picture = Image.open(BytesIO(answer.content))
    assert picture.width == (62 * 3 if "upscale=3" in path else 62 * 8)
    assert picture.info["digit"] == ("3" if "digit=3" in path else "7")
    assert picture.info["weights_sha256"]


@pytest.mark.parametrize(
    ("path", "status", "problem"),
    [
        (f"{TWO}/explain?digit=7", 422, "invalid-field"),
        (f"{TWO}/explain?against=7", 422, "invalid-field"),
        (f"{TWO}/explain?digit=2&against=2", 422, "invalid-field"),
        (f"{TEN}/explain?against=7", 422, "invalid-field"),  # which is what the model says
        (f"{TEN}/explain?digit=10", 422, "invalid-field"),
        (f"{TEN}/explain?digit=x", 422, "invalid-field"),
        (f"{TEN}/explain?digit=", 422, "invalid-field"),
        (f"{TEN}/explain?alias=latest", 422, "invalid-field"),
        (f"{TEN}/explain.png?upscale=17", 422, "invalid-field"),
        (f"{TEN}/explain.png?digit=10", 422, "invalid-field"),
        ("/explain?class=3", 422, "invalid-field"),
        ("/explain?alias=nobody", 404, "model-not-found"),
        ("/models/nobody/explain", 404, "model-not-found"),
        ("/models/mnist-softmax/versions/999/explain", 404, "model-not-found"),
        ("/models/mnist-softmax/versions/999/explain.png", 404, "model-not-found"),
    ],
)
def test_bad_questions(client: httpx.Client, digit: dict[str, Any], path: str, status: int, problem: str) -> None:
    answer = client.post(path, **digit)
    assert (answer.status_code, problem_of(answer)) == (status, problem)


@pytest.mark.parametrize("path", [f"{TEN}/explain", f"{TEN}/explain.png"])
@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        ({"content": bytes(2 * 784), "headers": OCTETS}, 422, "invalid-input"),
        ({"content": bytes(783), "headers": OCTETS}, 400, "malformed-input"),
        ({"json": {"pixels": [0] * 785}}, 422, "invalid-field"),
        ({}, 422, "invalid-image"),
    ],
)
def test_bad_images(client: httpx.Client, path: str, body: dict[str, Any], status: int, problem: str) -> None:
    answer = client.post(path, **body)
    assert (answer.status_code, problem_of(answer)) == (status, problem)


def test_a_field_that_is_wrong_is_named(client: httpx.Client, digit: dict[str, Any]) -> None:
    (error,) = client.post(f"{TWO}/explain?digit=7", **digit).json()["errors"]
    assert (error["parameter"], error["allowed"]) == ("digit", "2, 3")


@pytest.mark.parametrize("path", [TEN, TWO])
def test_an_evaluation(client: httpx.Client, service: Service, mnist: Dataset, path: str) -> None:
    result = client.get(f"{path}/evaluation").json()
    name = path.split("/")[2]
    model = service.catalogue.get(name, 1)
    chosen = np.isin(mnist.test.labels, model.manifest.classes)
    right = predict(model, mnist.test.images[chosen])[0] == mnist.test.labels[chosen]
    assert (result["model"], result["version"], result["n_images"]) == (name, 1, len(right))
    assert result["accuracy"] == right.mean()
    assert np.trace(result["confusion"]) == right.sum()
    assert len(result["hardest"]) == 20
    hardest = result["hardest"][0]
    image = client.get(f"/datasets/mnist/images/{hardest['index']}.png?part=test")
    assert image.headers["x-label"] == str(hardest["true"])
    assert len(client.get(f"{path}/evaluation?hardest=100").json()["hardest"]) == 100
    assert client.get(f"{path}/evaluation?hardest=0").json()["hardest"] == []


def test_a_cell_of_the_confusion_lists_its_images(client: httpx.Client, mnist: Dataset) -> None:
    n_images = client.get(f"{TEN}/evaluation").json()["confusion"][4][9]
    result = client.get(f"{TEN}/evaluation/images?true=4&predicted=9&limit=200").json()
    assert (result["n_images"], len(result["images"])) == (n_images, n_images)
    assert {(each["true"], each["predicted"]) for each in result["images"]} == {(4, 9)}
    assert (mnist.test.labels[[each["index"] for each in result["images"]]] == 4).all()
    losses = [each["loss"] for each in result["images"]]
    assert losses == sorted(losses, reverse=True)
    few = client.get(f"{TEN}/evaluation/images?true=4&predicted=9&limit=2").json()
    assert (few["n_images"], few["images"]) == (n_images, result["images"][:2])
    assert client.get(f"{TWO}/evaluation/images?true=4&predicted=9").json()["n_images"] == 0  # it knows neither


@pytest.mark.parametrize(
    ("path", "status", "problem"),
    [
        (f"{TEN}/evaluation/images?true=4", 422, "invalid-field"),
        (f"{TEN}/evaluation/images?true=4&predicted=10", 422, "invalid-field"),
        (f"{TEN}/evaluation?hardest=101", 422, "invalid-field"),
        (f"{TEN}/evaluation?hardest=-1", 422, "invalid-field"),
        ("/models/nobody/versions/1/evaluation", 404, "model-not-found"),
        ("/models/mnist-softmax/versions/999/evaluation", 404, "model-not-found"),
        ("/models/mnist-softmax/versions/999/confusion.png", 404, "model-not-found"),
        (f"{TEN}/confusion.png?width_px=1", 422, "invalid-field"),
        (f"{TEN}/confusion.gif", 422, "invalid-field"),
        ("/compare", 422, "invalid-field"),
        ("/compare?model=mnist-softmax/1", 422, "invalid-field"),
        ("/compare?" + "&".join(["model=mnist-softmax/1"] * 9), 422, "invalid-field"),
        ("/compare?model=mnist-softmax/1&model=mnist-softmax", 422, "invalid-field"),
        ("/compare?model=mnist-softmax/1&model=/1", 422, "invalid-field"),
        ("/compare?model=mnist-softmax/1&model=mnist-softmax/1/1", 422, "invalid-field"),
        ("/compare?model=mnist-softmax/1&model=mnist-softmax/999", 404, "model-not-found"),
        ("/compare?model=nobody/1&model=mnist-softmax/1", 404, "model-not-found"),
    ],
)
def test_bad_requests(client: httpx.Client, path: str, status: int, problem: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, problem_of(answer)) == (status, problem)


@pytest.mark.slow
def test_the_picture_of_confusions(client: httpx.Client, service: Service) -> None:
    answer = client.get(f"{TEN}/confusion.png?width_px=640&height_px=480")
    assert answer.headers["content-type"] == "image/png"
    picture = Image.open(BytesIO(answer.content))
    assert picture.size == (640, 480)
    checksum = service.registry.manifest("mnist-softmax", 1).weights_sha256
    assert (picture.info["weights_sha256"], picture.info["part"]) == (checksum, "test")
    tag = {"If-None-Match": answer.headers["etag"]}
    assert client.get(f"{TEN}/confusion.png?width_px=640&height_px=480", headers=tag).status_code == 304
    assert client.get(f"{TEN}/confusion.png", headers=tag).status_code == 200
    assert client.get(f"{TWO}/confusion.svg").text.startswith("<?xml")


@pytest.mark.slow
def test_the_reliability_curve(client: httpx.Client, service: Service) -> None:
    for version in (f"{TEN}", f"{TWO}", "/models/mnist-digits/versions/1"):
        found = client.get(f"{version}/evaluation").json()["calibration"]
        answer = client.get(f"{version}/calibration.svg")
        assert answer.headers["content-type"] == "image/svg+xml"
        assert f"differ by {found['expected_error']:.2%} on average" in answer.text
        assert (
            client.get(f"{version}/calibration.svg", headers={"If-None-Match": answer.headers["etag"]}).status_code
            == 304
        )
        assert found["expected_error"] < 0.02


def test_a_comparison(client: httpx.Client, service: Service) -> None:
    result = client.get("/compare?model=mnist-softmax/1&model=mnist-2-vs-3/latest&model=mnist-softmax/1").json()
    assert (result["n_images"], result["classes"]) == (2042, [2, 3])
    assert [(entry["model"], entry["version"]) for entry in result["models"]] == [
        ("mnist-softmax", 1),
        ("mnist-2-vs-3", 1),
        ("mnist-softmax", 1),
    ]
    assert result["models"][1]["accuracy"] == evaluate(service.catalogue.get("mnist-2-vs-3", 1)).accuracy
    other, same = result["comparisons"]
    assert (other["first"], other["other"]) == ("mnist-softmax/1", "mnist-2-vs-3/1")
    assert other["p_value"] < 1e-30 and other["sentence"].startswith("mnist-2-vs-3/1 is better")
    assert (same["accuracy_difference"], same["p_value"]) == (0, 1)
