"""Collections by HTTP: images come one by one, are corrected, and are frozen into data sets that can be trained on."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from benchmarks.accuracy import saved
from benchmarks.not_digits import KINDS
from service.bootstrap import Service
from service.datasets import Dataset
from service.jobs import collections
from service.registry import DIGIT_BELOW
from tests.web.serving import TINY, problem_of, wait_until_over

PATH = "/collections/mine"


@pytest.fixture
def mine(client: httpx.Client) -> Iterator[str]:
    answer = client.post("/collections", json={"name": "mine"})
    assert (answer.status_code, answer.headers["location"]) == (201, f"/api/v1{PATH}")
    yield PATH
    client.delete(PATH).raise_for_status()
    for dataset in client.get("/datasets").json()["datasets"]:
        if dataset["name"].startswith("mine-v"):
            client.delete(f"/datasets/{dataset['name']}").raise_for_status()


def add(client: httpx.Client, image: np.ndarray, label: int) -> dict[str, Any]:
    answer = client.post(f"{PATH}/images", params={"label": label}, content=image.tobytes())
    assert answer.status_code == 201, answer.text
    added: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/api/v1{PATH}/images/{added['id']}"
    return added


def png_of(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


@pytest.mark.slow
def test_an_image_is_kept_as_models_get_it_with_the_file_that_was_sent(
    client: httpx.Client, mine: str, mnist: Dataset
) -> None:
    picture = png_of(np.pad(mnist.test.images[0], 40).repeat(3, 0).repeat(3, 1))
    answer = client.post(f"{mine}/images?label=7", content=picture, headers={"Content-Type": "image/png"})
    image = f"{mine}/images/{answer.json()['id']}"
    shown = client.get(f"{image}.png")
    seen = client.post("/preprocess", content=picture, headers={"Content-Type": "image/png"}).content
    np.testing.assert_array_equal(*(np.array(Image.open(io.BytesIO(each))) for each in (shown.content, seen)))
    assert shown.headers["x-label"] == "7"
    original = client.get(f"{image}/original")
    assert (original.content, original.headers["content-type"]) == (picture, "image/png")


def test_without_a_file_there_is_no_original(client: httpx.Client, mine: str, mnist: Dataset) -> None:
    pixels = mnist.test.images[0].tolist()
    sent = client.post(f"{mine}/images?label=7", json={"pixels": pixels}).json()
    assert sent["has_original"] is False
    refused = client.get(f"{mine}/images/{sent['id']}/original")
    assert (refused.status_code, problem_of(refused)) == (409, "no-data-yet")


def test_labels_are_corrected_and_images_deleted(client: httpx.Client, mine: str, mnist: Dataset) -> None:
    added = [add(client, mnist.test.images[n], label) for n, label in enumerate((7, 2, 1))]
    assert client.patch(f"{mine}/images/{added[0]['id']}", json={"label": 3}).json()["label"] == 3
    client.delete(f"{mine}/images/{added[1]['id']}").raise_for_status()
    assert client.get(mine).json()["n_by_label"] == {"1": 1, "3": 1}
    page = client.get(f"{mine}/images?limit=1").json()
    assert [image["id"] for image in page["images"]] == [added[2]["id"]]
    rest = client.get(f"{mine}/images", params={"before": page["next"]}).json()
    assert ([image["id"] for image in rest["images"]], rest["next"]) == ([added[0]["id"]], None)
    assert [image["label"] for image in client.get(f"{mine}/images?label=3").json()["images"]] == [3]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/collections", {"json": {"name": "Mine"}}, 422),
        ("POST", "/collections", {"json": {"name": "mine"}}, 409),
        ("GET", "/collections/nobodys", {}, 404),
        ("POST", "/collections/nobodys/images?label=1", {"content": bytes(784)}, 404),
        ("POST", f"{PATH}/images?label=10", {"content": bytes(784)}, 422),
        ("POST", f"{PATH}/images", {"content": bytes(784)}, 422),
        ("POST", f"{PATH}/images?label=1", {"content": bytes(2 * 784)}, 422),
        ("PATCH", f"{PATH}/images/01ARZ3NDEKTSV4RRFFQ69G5FAV", {"json": {"label": 1}}, 404),
        ("DELETE", f"{PATH}/images/nothing", {}, 404),
        ("POST", f"{PATH}/versions", {}, 409),
    ],
)
def test_what_cannot_be(client: httpx.Client, mine: str, method: str, path: str, body: Any, status: int) -> None:
    answer = client.request(method, path, **body)
    assert (answer.status_code, bool(problem_of(answer))) == (status, True)


@pytest.mark.slow
def test_it_is_frozen_into_data_sets_that_never_change(client: httpx.Client, mine: str, mnist: Dataset) -> None:
    for n in range(70):
        last = add(client, mnist.test.images[n], int(mnist.test.labels[n]))
    frozen = client.post(f"{mine}/versions")
    assert (frozen.status_code, frozen.headers["location"]) == (201, "/api/v1/datasets/mine-v1")
    first = frozen.json()
    n_by_class = np.bincount(mnist.test.labels[:70], minlength=10)
    assert list(first["test"]["n_by_class"].values()) == [max(n // 6, 1) for n in n_by_class if n > 1]
    assert first["training"]["n_images"] + first["test"]["n_images"] == 70
    assert client.post(f"{mine}/versions").json() == first

    client.delete(f"{mine}/images/{last['id']}").raise_for_status()
    assert client.post(f"{mine}/versions").json()["name"] == "mine-v2" and client.get(mine).json()["version"] == 2
    assert client.get("/datasets/mine-v1").json() == first
    body = {**TINY, "dataset": "mine-v1", "train_size": None, "validation_size": 5, "batch_size": 8, "name": "of-mine"}
    assert wait_until_over(client, client.post("/jobs", json=body).json()["id"])["state"] == "succeeded"


def test_one_image_is_enough_and_other_data_sets_are_passed_over(
    client: httpx.Client, mine: str, mnist: Dataset
) -> None:
    file = io.BytesIO()
    x, y = mnist.test.images[:100], mnist.test.labels[:100]
    np.savez(file, x_train=x, y_train=y, x_test=x, y_test=y)
    client.post("/datasets", data={"name": "mine-v1"}, files={"file": file.getvalue()}).raise_for_status()
    add(client, mnist.test.images[0], 7)
    frozen = client.post(f"{mine}/versions").json()
    assert frozen["name"] == "mine-v2" and frozen["training"]["n_images"] == frozen["test"]["n_images"] == 1
    assert client.get("/datasets/mine-v2/contact-sheet.png").status_code == 200


@pytest.mark.slow
def test_a_champion_is_taught_by_a_collection(client: httpx.Client, mine: str, mnist: Dataset) -> None:
    """Many copies of an image that is labelled as another digit change the prediction of that image."""
    image = mnist.test.images[0]
    add(client, image, 3)
    teach = {
        "model": "softmax",
        "start_from": "mnist-softmax/1",
        "epochs": 2,
        "learning_rate": 0.05,
        "train_size": 2_000,
        "name": "taught",
    }
    dataset = [{"name": "mnist"}, {"name": "mine", "weight": 500}]
    submitted = client.post("/jobs", json={**teach, "dataset": dataset})
    assert submitted.status_code == 202, submitted.text
    job = wait_until_over(client, submitted.json()["id"])
    assert job["state"] == "succeeded", job["error"]
    mixture = client.get(f"/datasets/{job['config']['dataset']}").json()
    assert [(each["name"], each["weight"]) for each in mixture["made_of"]] == [("mnist", 1), ("mine-v1", 500)]
    assert (mixture["training"]["n_images"], mixture["test"]["n_images"]) == (60_500, 10_000)
    before, after = (
        client.post(f"/models/{name}/predict", content=image.tobytes()).json()["predictions"][0]["digit"]
        for name in ("mnist-softmax/versions/1", "taught")
    )
    assert (before, after) == (7, 3)
    manifest = client.get("/models/taught/versions/1").json()
    assert manifest["dataset"] == {"name": mixture["name"], "sha256": mixture["sha256"]}
    assert manifest["digit_below"] == DIGIT_BELOW, "the detector of digits is as sure of what was added as of any digit"
    letter = saved(KINDS["letters, printed"](np.random.default_rng(0)))
    for name in ("mnist-softmax", "taught"):
        (found,) = client.post(f"/models/{name}/predict", content=letter).json()["predictions"]
        assert found["verdict"] == "not-a-digit"

    compared = client.get("/compare", params={"model": ["mnist-softmax/1", "taught/1"]}).json()
    assert compared["n_images"] == 10_000  # both have the test images of the first data set

    verifying = client.post(f"/jobs/{job['id']}/verify").raise_for_status().json()
    assert wait_until_over(client, verifying["id"])["verification"]["outcome"]["identical"]
    again = client.post("/jobs", json={**teach, "dataset": [dataset[0], {"name": "mine", "version": 1, "weight": 500}]})
    assert wait_until_over(client, again.json()["id"])["config"]["dataset"] == mixture["name"]
    sweep = {"base": {**TINY, "train_size": 1_000}, "grid": {"seed": [0]}, "dataset": dataset, "name": "swept"}
    swept = client.post("/sweeps", json=sweep).raise_for_status().json()
    assert swept["dataset"] == mixture["name"]
    assert wait_until_over(client, swept["members"][0]["job"])["state"] == "succeeded"
    refused = client.delete("/datasets/mine-v1")
    assert (refused.status_code, mixture["name"] in refused.json()["detail"]) == (409, True)
    client.delete(f"/datasets/{mixture['name']}").raise_for_status()


@pytest.mark.parametrize(
    ("dataset", "pointer"),
    [
        ([], "#/dataset"),
        ([{"name": "nobodys"}], "#/dataset"),
        ([{"name": "mnist", "weight": 2}, {"name": "mnist"}], "#/dataset"),
        ([{"name": "mnist"}, {"name": "mnist", "weight": 3}], "#/dataset"),
        ([{"name": "mnist", "weight": 0}], "#/dataset/0/weight"),
        ([{"weight": 1}], "#/dataset/0/name"),
        (3, "#/dataset"),
    ],
)
def test_data_sets_that_cannot_be_trained_on_together(client: httpx.Client, dataset: Any, pointer: str) -> None:
    answer = client.post("/jobs", json={**TINY, "dataset": dataset})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def test_it_is_full_at_the_limit_and_takes_no_large_original(
    client: httpx.Client, service: Service, mine: str, mnist: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collections, "MAX_ORIGINAL_BYTES", 783)
    assert add(client, mnist.test.images[0], 7)["has_original"] is False
    monkeypatch.setattr(collections, "MAX_IMAGES", 1)
    answer = client.post(f"{mine}/images?label=7", content=mnist.test.images[0].tobytes())
    assert (answer.status_code, problem_of(answer)) == (507, "storage-full")


STROKES: list[dict[str, Any]] = [{"width": 40, "is_eraser": False, "points": [[100, 80], [300, 400]]}]


def test_a_drawing_is_kept_with_its_strokes(client: httpx.Client, mine: str, mnist: Dataset) -> None:
    files = {"file": ("seven.png", png_of(mnist.test.images[0]), "image/png")}
    form = {"strokes": json.dumps(STROKES)}
    answer = client.post(f"{mine}/images?label=7", data=form, files=files)
    assert (answer.status_code, answer.json()["n_strokes"]) == (201, 1), answer.text
    image = f"{mine}/images/{answer.json()['id']}"
    assert client.get(f"{image}/strokes").json() == STROKES
    assert client.get(f"{image}/original").content == files["file"][1]
    without = add(client, mnist.test.images[0], 7)
    refused = client.get(f"{mine}/images/{without['id']}/strokes")
    assert (without["n_strokes"], refused.status_code, problem_of(refused)) == (None, 409, "no-data-yet")


@pytest.mark.parametrize(
    ("strokes", "pointer"),
    [
        ("[]", "#/strokes"),
        ("not JSON", "#/strokes"),
        ("[" * 1000 + "]" * 1000, "#/strokes"),
        (json.dumps([{**STROKES[0], "points": [[0, 561]]}]), "#/strokes/0/points/0/1"),
        (json.dumps([{**STROKES[0], "points": []}]), "#/strokes/0/points"),
        (json.dumps([{**STROKES[0], "width": 1.5}]), "#/strokes/0/width"),
        (json.dumps(STROKES * 2000), ""),
    ],
)
def test_what_are_no_strokes(client: httpx.Client, mine: str, mnist: Dataset, strokes: str, pointer: str) -> None:
    files = {"file": png_of(mnist.test.images[0])}
    answer = client.post(f"{mine}/images?label=7", data={"strokes": strokes}, files=files)
    assert answer.status_code == (422 if pointer else 400)
    assert not pointer or answer.json()["errors"][0]["pointer"] == pointer
    assert client.get(mine).json()["n_images"] == 0


def test_everybodys_images_are_read_and_who_was_misread_is_listed(
    client: httpx.Client, mine: str, mnist: Dataset
) -> None:
    image_bytes = mnist.test.images[:40]
    labels = [int(mnist.test.labels[0]) ^ 1, *map(int, mnist.test.labels[1:40])]  # the first one's is wrong
    added = [add(client, image, label) for image, label in zip(image_bytes, labels, strict=True)]
    found = client.get(f"{mine}/readings?model=mnist-softmax/1").json()
    pixels = {"pixels": image_bytes.tolist()}
    predicted = client.post("/models/mnist-softmax/versions/1/predict", json=pixels).json()["predictions"][::-1]
    assert [image["id"] for image in found["images"]] == [each["id"] for each in added[::-1]]
    for image, prediction in zip(found["images"], predicted, strict=True):
        assert {name: image[name] for name in ("digit", "class_name", "verdict")}.items() <= prediction.items()
        assert image["probability"] == prediction["probabilities"][str(image["digit"])]
        assert image["is_misread"] is (image["digit"] != image["label"])
    misread = [image for image in found["images"] if image["is_misread"]]
    assert (found["n_images"], found["n_misread"]) == (40, len(misread)) and misread[-1]["id"] == added[0]["id"]
    asked: dict[str, Any] = {"model": "mnist-softmax/1", "misread": True, "limit": 1}
    pages = [client.get(f"{mine}/readings", params=asked).json()]
    while pages[-1]["next"]:
        pages.append(client.get(f"{mine}/readings", params={**asked, "before": pages[-1]["next"]}).json())
    assert [image for page in pages for image in page["images"]] == misread
    sevens = client.get(f"{mine}/readings?label=7").json()
    assert (sevens["model"], sevens["n_images"]) == ("mnist-digits", labels.count(7))
    assert client.get(f"{mine}/readings?model=nobodys").status_code == 404
