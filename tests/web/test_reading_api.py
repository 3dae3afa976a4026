"""Whole numbers by HTTP."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Event
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.datasets import Dataset
from service.inference import read
from tests.web.serving import problem_of

TEN = "/models/mnist-digits/versions/1"


@pytest.fixture(scope="module")
def number(mnist: Dataset) -> bytes:
    """Return a PNG of the first three test digits, 7, 2 and 1, three times as large and side by side."""
    file = BytesIO()
    strip = np.hstack(list(mnist.test.images[:3])).repeat(3, axis=0).repeat(3, axis=1)
    Image.fromarray(strip).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("path", ["/read", "/models/mnist-digits/read", f"{TEN}/read"])
def test_every_digit_has_its_box(client: httpx.Client, number: bytes, path: str) -> None:
    answer = client.post(path, content=number, headers={"Content-Type": "image/png"}).json()
    assert (answer["model"], answer["version"], answer["warnings"]) == ("mnist-digits", 1, [])
    (line,) = answer["lines"]
    assert line["text"] == "721" and line["marks"] == []
    for place, digit in enumerate(line["digits"]):
        x, _, width, _ = digit["box"]
        assert 84 * place <= x and x + width <= 84 * (place + 1)
        assert digit["probability"] > 0.9
    assert client.post(path, files={"file": number}).json() == answer


def test_another_number_than_expected_is_a_warning(client: httpx.Client, number: bytes) -> None:
    answer = client.post("/read?expect=9", files={"file": number})
    assert (answer.status_code, answer.json()["lines"][0]["text"]) == (200, "721")
    assert answer.json()["warnings"] == ["9 digits were expected, and 3 found."]


@pytest.mark.parametrize("path", ["/read.png", "/models/mnist-digits/read.png", f"{TEN}/read.png?expect=3"])
def test_what_was_read_is_drawn_into_the_picture(client: httpx.Client, number: bytes, path: str) -> None:
    answer = client.post(path, files={"file": number})
    assert answer.headers["content-type"] == "image/png"
    drawn = Image.open(BytesIO(answer.content))
    assert drawn.size == (504, 168)
    channels = np.asarray(drawn, np.int16)
    assert ((channels[..., 2] - channels[..., 0]) > 100).sum() > 500  # blue frames


@pytest.mark.parametrize(
    ("path", "content", "status", "problem"),
    [
        ("/read?expect=0", None, 422, "invalid-field"),
        ("/read?expect=301", None, 422, "invalid-field"),
        (f"{TEN}/read?alias=latest", None, 422, "invalid-field"),
        ("/models/nobody/read", None, 404, "model-not-found"),
        ("/models/nobody/read.png", None, 404, "model-not-found"),
        ("/read", bytes(784), 415, "unsupported-media"),
        ("/read", b"\x89PNG\r\n\x1a\n", 422, "invalid-image"),
    ],
)
def test_bad_questions(
    client: httpx.Client, number: bytes, path: str, content: bytes | None, status: int, problem: str
) -> None:
    answer = client.post(path, content=number if content is None else content)
    assert (answer.status_code, problem_of(answer)) == (status, problem)


def test_one_picture_at_a_time_is_read(client: httpx.Client, number: bytes) -> None:
    files: Any = [("file", number), ("file", number)]
    assert problem_of(client.post("/read", files=files)) == "invalid-input"


def test_what_is_refused_names_what_would_be_read(client: httpx.Client) -> None:
    """Pixels without a picture are predicted, and cannot be read: there is nothing to find in them."""
    refusals = [client.post(path, content=b"no picture").text for path in ("/read", "/predict")]
    assert [".npy" in refusal for refusal in refusals] == [False, True]
    assert all("PNG, JPEG or WebP" in refusal for refusal in refusals)


def test_predictions_do_not_wait_for_readings(
    client: httpx.Client, number: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = Event()
    monkeypatch.setattr("service.web.routes.reading.read", lambda *of, **more: may_end.wait() and read(*of, **more))
    n_readings = 2 * (os.cpu_count() or 1) + 4
    with ThreadPoolExecutor(n_readings) as threads:
        try:
            readings = [threads.submit(client.post, "/read", files={"file": number}) for _ in range(n_readings)]
            predicted = client.post("/predict", files={"file": number}, timeout=5)
        finally:
            may_end.set()
        assert predicted.status_code == 200
        assert {reading.result().status_code for reading in readings} == {200}
