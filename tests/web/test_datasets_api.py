"""A user's own data by HTTP: sent, looked at, trained on, and told by its own names."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.bootstrap import Service
from service.datasets import PART_NAMES, Dataset
from service.settings import Settings
from tests.web.serving import problem_of, serving, wait_until_over

NAMES = ["shirt", "trouser", "coat"]


@pytest.fixture(scope="module")
def arrays(mnist: Dataset) -> dict[str, np.ndarray]:
    """Return digits on their side, of three classes: 28x28 images that are not MNIST."""
    found: dict[str, np.ndarray] = {}
    for part, suffix in ((mnist.training, "train"), (mnist.test, "test")):
        chosen = np.flatnonzero(part.labels < 3)[:1000]
        found |= {f"x_{suffix}": part.images[chosen].transpose(0, 2, 1), f"y_{suffix}": part.labels[chosen]}
    return found


@pytest.fixture(scope="module")
def npz(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


@pytest.fixture(scope="module")
def clothes(client: httpx.Client, npz: bytes) -> dict[str, Any]:
    words = {"name": "clothes", "title": "Clothes", "licence": "MIT", "class_names": json.dumps(NAMES)}
    answer = client.post("/datasets", data=words, files={"file": npz})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == "/api/v1/datasets/clothes"
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="module")
def job(client: httpx.Client, clothes: dict[str, Any]) -> dict[str, Any]:
    request = {"model": "softmax", "dataset": "clothes", "epochs": 5, "learning_rate": 0.05}
    request |= {"train_size": 1000, "validation_size": 1000}
    job = wait_until_over(client, client.post("/jobs", json=request).raise_for_status().json()["id"])
    assert job["state"] == "succeeded" and job["metrics"]["best"]["validation_accuracy"] > 0.95
    return job


def test_it_is_described_and_listed(client: httpx.Client, clothes: dict[str, Any]) -> None:
    assert (clothes["classes"], clothes["class_names"]) == ([0, 1, 2], NAMES)
    assert clothes["training"]["n_images"] == clothes["test"]["n_images"] == 1000
    assert client.get("/datasets/clothes").json() == clothes
    listed = [each["name"] for each in client.get("/datasets").json()["datasets"]]
    assert {"clothes", "mnist"} <= set(listed) and listed == sorted(listed)


def test_it_can_be_looked_at(client: httpx.Client, clothes: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    answer = client.get("/datasets/clothes/images/7.png?part=test")
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(answer.content))), arrays["x_test"][7])
    assert answer.headers["x-label"] == str(arrays["y_test"][7])
    assert client.get("/datasets/clothes/contact-sheet.png").status_code == 200


def test_models_of_it_name_its_classes(
    client: httpx.Client, job: dict[str, Any], arrays: dict[str, np.ndarray]
) -> None:
    assert job["model"] == {"name": "clothes-softmax", "version": 1}
    version = client.get("/models/clothes-softmax/versions/1").json()
    assert (version["classes"], version["class_names"]) == ([0, 1, 2], NAMES)
    for picture in (f"/jobs/{job['id']}/weights.png", "/models/clothes-softmax/versions/1/confusion.svg"):
        assert client.get(picture).status_code == 200
    assert "trouser" in client.get("/models/clothes-softmax/versions/1/confusion.svg").text
    said = client.post("/models/clothes-softmax/predict", content=arrays["x_test"].tobytes()).json()["predictions"]
    assert all(one["class_name"] == NAMES[one["digit"]] for one in said)
    right = np.array([one["digit"] for one in said]) == arrays["y_test"]
    assert right.mean() == client.get("/models/clothes-softmax/versions/1/evaluation").json()["accuracy"]


def test_sweeps_and_comparisons_know_it(client: httpx.Client, job: dict[str, Any]) -> None:
    base = {key: job["config"][key] for key in ("model", "train_size", "validation_size")}
    sweep = {"base": {**base, "epochs": 2}, "grid": {"l2_penalty": [0, 1]}, "dataset": "clothes"}
    made = client.post("/sweeps", json=sweep).raise_for_status().json()
    for member in made["members"]:
        wait_until_over(client, member["job"])
    assert client.get(f"/sweeps/{made['id']}/weights.png").status_code == 200
    models = [f"{name}/latest" for name in ("clothes-softmax", "clothes-softmax-sweep")]
    assert client.get("/compare", params={"model": models}).json()["dataset"] == "clothes"
    crossed = client.get("/compare", params={"model": [models[0], "mnist-softmax/1"]})
    assert problem_of(crossed) == "invalid-input"


def test_sending_it_again_is_harmless_and_other_data_is_refused(
    client: httpx.Client, clothes: dict[str, Any], npz: bytes
) -> None:
    words = {"name": "clothes", "class_names": json.dumps(NAMES)}
    assert client.post("/datasets", data=words, files={"file": npz}).json() == clothes
    taken = client.post("/datasets", data={"name": "clothes"}, files={"file": npz})
    assert (taken.status_code, problem_of(taken)) == (409, "name-taken")


def test_four_idx_files_do_as_well(client: httpx.Client, arrays: dict[str, np.ndarray]) -> None:
    files = {}
    for part, array in zip(PART_NAMES, arrays.values(), strict=True):
        shape = b"".join(length.to_bytes(4, "big") for length in array.shape)
        files[part] = bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()
    made = client.post("/datasets", data={"name": "sideways"}, files=files)
    assert (made.status_code, made.json()["class_names"]) == (201, ["0", "1", "2"])


def test_a_folder_of_pictures_is_sent_file_by_file(client: httpx.Client, mnist: Dataset) -> None:
    def png(image: np.ndarray) -> bytes:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        return file.getvalue()

    pictures = {f"digits/{mnist.test.labels[n]}/{n}.png": png(mnist.test.images[n]) for n in range(30)}
    files = [("file", each) for each in pictures.items()]
    made = client.post("/datasets", data={"name": "folder"}, files=files)
    assert made.status_code == 201, made.text
    assert made.json()["training"]["n_images"] + made.json()["test"]["n_images"] == 30
    wrong = client.post("/datasets", data={"name": "no"}, files=[*files, ("file", ("3/note.txt.png", b"no picture"))])
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "#/file")
    assert wrong.json()["detail"].startswith("3/note.txt.png: ")


def test_it_may_be_larger_than_sixteen_images(npz: bytes, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, executor="inline", workers=1, max_body_bytes=1024)
    assert len(npz) > 16 * settings.max_body_bytes
    with Service(settings) as service, serving(service) as url:
        answer = httpx.post(f"{url}/api/v1/datasets", data={"name": "clothes"}, files={"file": npz})
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("words", "status", "problem", "field"),
    [
        ({}, 422, "invalid-field", "#/name"),
        ({"name": "../x"}, 422, "invalid-field", "#/name"),
        ({"name": "x", "class_names": "shirt"}, 422, "invalid-field", "#/class_names"),
        ({"name": "x", "class_names": "[" * 1000}, 422, "invalid-field", "#/class_names"),
        ({"name": "x", "class_names": "[" * 1000 + "]" * 1000}, 422, "invalid-field", "#/class_names"),
        ({"name": "x", "class_names": '["a"]'}, 422, "invalid-field", "#/class_names"),
        ({"name": "x", "colour": "red"}, 422, "invalid-field", "#/colour"),
        ({"name": "x", "title": "a\nb"}, 422, "invalid-field", "#/title"),
        ({"name": "x", "source": "a" * 201}, 422, "invalid-field", "#/source"),
        ({"name": "mnist"}, 409, "name-taken", "#/name"),
    ],
)
def test_words_that_cannot_be_used(
    client: httpx.Client, npz: bytes, words: dict[str, str], status: int, problem: str, field: str
) -> None:
    answer = client.post("/datasets", data=words, files={"file": npz})
    assert (answer.status_code, problem_of(answer)) == (status, problem)
    assert answer.json()["errors"][0]["pointer"] == field


def test_files_that_cannot_be_used(client: httpx.Client, npz: bytes, service: Service) -> None:
    def send(**files: bytes) -> httpx.Response:
        return client.post("/datasets", data={"name": "no"}, files=files)

    broken = send(file=npz[:-100])
    assert (problem_of(broken), broken.json()["errors"][0]["pointer"]) == ("invalid-dataset", "#/file")
    assert problem_of(send(file=b"\x93NUMPY")) == "invalid-dataset"
    assert problem_of(send(train_images=npz)) == "invalid-field"
    assert problem_of(client.post("/datasets", json={"name": "no"})) == "unsupported-media"
    too_large = send(file=bytes(service.settings.max_dataset_bytes))
    assert (too_large.status_code, problem_of(too_large)) == (413, "input-too-large")
    assert problem_of(client.get("/datasets/no")) == "dataset-not-found"
