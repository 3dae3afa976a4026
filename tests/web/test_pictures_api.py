"""Pictures by HTTP: the right kind of file, with its provenance inside, sent once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any
from xml.etree import ElementTree

import httpx
import numpy as np
import pytest
from PIL import Image

from service.bootstrap import Service
from service.charts import TileGrid
from service.datasets import Dataset
from tests.web.serving import long_job, problem_of, wait_for, wait_until_over


def picture(answer: httpx.Response) -> Image.Image:
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    image = Image.open(BytesIO(answer.content))
    image.load()
    return image


@pytest.fixture
def job(finished_job: dict[str, Any]) -> str:
    return f"/jobs/{finished_job['id']}"


@pytest.mark.parametrize("chart", ["loss", "accuracy"])
def test_a_chart_says_where_it_comes_from(
    client: httpx.Client, finished_job: dict[str, Any], job: str, chart: str
) -> None:
    image = picture(client.get(f"{job}/{chart}.png", params={"width_px": 640, "height_px": 400}))
    assert image.size == (640, 400)
    assert image.info["job"] == finished_job["id"]
    assert image.info["learning_rate"] == "0.01"
    assert len(image.info["dataset_sha256"]) == 64


@pytest.mark.parametrize("chart", ["loss", "accuracy"])
def test_a_chart_as_svg(client: httpx.Client, finished_job: dict[str, Any], job: str, chart: str) -> None:
    answer = client.get(f"{job}/{chart}.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert ElementTree.fromstring(answer.text).tag.endswith("svg")
    assert finished_job["id"] in answer.text


def test_weights_of_a_job(client: httpx.Client, service: Service, finished_job: dict[str, Any], job: str) -> None:
    image = picture(client.get(f"{job}/weights.png", params={"upscale": 2, "weights": "last"}))
    assert (image.info["job"], image.info["weights"]) == (finished_job["id"], "last")
    weights = service.jobs.weights(finished_job["id"], "last").pictures()["tiles"][3]
    grid = TileGrid(n_rows=1, n_columns=10, upscale=2, column_captions=[str(digit) for digit in range(10)])
    tile = np.asarray(image.crop(grid.box(0, 3))).astype(int)
    assert (tile[::2, ::2] == tile[1::2, 1::2]).all()  # each weight is one solid block
    redness = tile[::2, ::2, 0] - tile[::2, ::2, 2]
    assert (redness[weights > 0] >= 0).all()
    assert (redness[weights < 0] <= 0).all()


def test_a_logistic_job_has_one_tile(client: httpx.Client) -> None:
    body = {"model": "logistic", "epochs": 1, "train_size": 1000, "validation_size": 500}
    finished = wait_until_over(client, client.post("/jobs", json=body).json()["id"])
    image = picture(client.get(f"/jobs/{finished['id']}/weights.png", params={"upscale": 1, "scale": "per_tile"}))
    assert image.width == 28 + 2 * 2
    assert picture(client.get("/models/mnist-logistic/versions/1/weights.png")).info["version"] == "1"


@pytest.mark.slow
def test_a_running_job_has_pictures(client: httpx.Client) -> None:
    with long_job(client) as job_id:
        wait_for(client, job_id, "check")
        answers = [client.get(f"/jobs/{job_id}/{chart}.png") for chart in ("loss", "accuracy")]
    assert [picture(answer).info["state"] for answer in answers] == ["running"] * 2
    assert len({answer.headers["etag"] for answer in answers}) == 2


def test_a_queued_job_has_nothing_to_show(client: httpx.Client) -> None:
    with long_job(client), long_job(client) as queued:
        for name in ("loss.png", "accuracy.svg", "weights.png"):
            answer = client.get(f"/jobs/{queued}/{name}")
            assert (answer.status_code, problem_of(answer)) == (409, "no-data-yet")


PATHS = [
    "{job}/loss.png",
    "{job}/loss.svg",
    "{job}/weights.png",
    "/models/mnist-softmax/versions/1/weights.png",
    "/models/mnist-softmax/versions/1/weights.npz",
    "/datasets/mnist/images/7.png",
    "/datasets/mnist/contact-sheet.png",
]


@pytest.mark.parametrize("path", PATHS)
def test_what_the_client_has_is_not_sent_again(client: httpx.Client, job: str, path: str) -> None:
    first = client.get(path.format(job=job))
    tag = first.headers["etag"]
    assert tag.startswith('"')
    assert first.headers["cache-control"] == "no-cache"
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = client.get(path.format(job=job), headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    changed = client.get(path.format(job=job), headers={"If-None-Match": '"other"'})
    assert (changed.status_code, changed.content) == (200, first.content)


def test_another_style_is_another_picture(client: httpx.Client, job: str) -> None:
    styles: list[dict[str, Any]] = [{}, {"scale": "per_tile"}, {"colours": "grey"}, {"upscale": 3}, {"weights": "last"}]
    tags = {client.get(f"{job}/weights.png", params=style).headers["etag"] for style in styles}
    assert len(tags) == len(styles)


@pytest.mark.slow
def test_many_at_once(client: httpx.Client, job: str) -> None:
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: client.get(f"{job}/loss.png"), range(16)))
    assert {answer.content for answer in answers} == {answers[0].content}
    assert picture(answers[0])


def test_images_are_listed_by_class_and_page(client: httpx.Client, mnist: Dataset) -> None:
    asked: dict[str, Any] = {"part": "test", "label": 7, "limit": 600}
    first = client.get("/datasets/mnist/images", params=asked).json()
    second = client.get("/datasets/mnist/images", params={**asked, "after": first["next"]}).json()
    assert second["next"] is None
    shown = [(each["index"], each["label"]) for each in first["images"] + second["images"]]
    assert shown == [(index, 7) for index in np.flatnonzero(mnist.test.labels == 7)]
    everything = client.get("/datasets/mnist/images?limit=3&after=59996").json()
    assert everything == {
        "images": [{"index": i, "label": int(mnist.training.labels[i])} for i in (59997, 59998, 59999)],
        "next": None,
    }


def test_an_image_of_the_data_set(client: httpx.Client, mnist: Dataset) -> None:
    answer = client.get("/datasets/mnist/images/7.png", params={"part": "test"})
    assert answer.headers["x-label"] == str(mnist.test.labels[7])
    assert (np.asarray(picture(answer).convert("L")) == mnist.test.images[7]).all()
    assert picture(client.get("/datasets/mnist/images/7.png", params={"upscale": 8})).size == (224, 224)


def test_a_contact_sheet(client: httpx.Client) -> None:
    small, large = (
        picture(client.get("/datasets/mnist/contact-sheet.png", params={"per_class": n, "part": "test"}))
        for n in (1, 5)
    )
    assert small.height == large.height
    assert small.width < large.width


def test_a_contact_sheet_of_augmented_images(client: httpx.Client) -> None:
    """The same seed gives the same distortions; strokes stay strokes: about as much ink, elsewhere."""

    def sheet(**params: Any) -> np.ndarray:
        answer = client.get("/datasets/mnist/contact-sheet.png", params={"per_class": 3, **params})
        return np.asarray(picture(answer).convert("L")).astype(float)

    plain, soft = sheet(), sheet(augmentation="soft")
    assert (soft == sheet(augmentation="soft", seed=0)).all()
    assert (soft != sheet(augmentation="soft", seed=1)).any() and (soft != sheet(augmentation="strong")).any()
    assert plain.shape == soft.shape and (plain != soft).mean() > 0.02
    assert abs(soft.mean() / plain.mean() - 1) < 0.2
    refused = client.get("/datasets/mnist/contact-sheet.png", params={"augmentation": "hard"})
    assert refused.status_code == 422
