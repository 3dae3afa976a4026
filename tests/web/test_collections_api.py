"""Collections by HTTP: images come one by one, are corrected, and are frozen into data sets that can be trained on."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.bootstrap import Service
from service.datasets import Dataset
from service.jobs import collections
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


def test_it_is_full_at_the_limit_and_takes_no_large_original(
    client: httpx.Client, service: Service, mine: str, mnist: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collections, "MAX_ORIGINAL_BYTES", 783)
    assert add(client, mnist.test.images[0], 7)["has_original"] is False
    monkeypatch.setattr(collections, "MAX_IMAGES", 1)
    answer = client.post(f"{mine}/images?label=7", content=mnist.test.images[0].tobytes())
    assert (answer.status_code, problem_of(answer)) == (507, "storage-full")
