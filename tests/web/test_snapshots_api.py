"""The past of a job by HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest

from tests.web.serving import problem_of


@pytest.mark.slow
def test_the_weights_of_every_check_in_one_file(client: httpx.Client, finished_job: dict[str, Any]) -> None:
    path = f"/jobs/{finished_job['id']}/snapshots"
    listed = client.get(path).json()
    steps = [snapshot["step"] for snapshot in listed["snapshots"]]
    answer = client.get(f"{path}/weights.f32")
    assert answer.headers["snapshot-steps"] == ",".join(map(str, steps))
    weights = np.frombuffer(answer.content, "<f4").reshape(len(steps), *listed["shape"])
    assert np.isfinite(weights).all() and weights[0].any()
    later = client.get(f"{path}/weights.f32", params={"since": steps[2]})
    assert later.content == weights[3:].tobytes()
    known = client.get(f"{path}/weights.f32", headers={"If-None-Match": answer.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


def test_pictures_and_confusion_of_a_check(client: httpx.Client, finished_job: dict[str, Any]) -> None:
    path = f"/jobs/{finished_job['id']}/snapshots"
    step = client.get(path).json()["snapshots"][-1]["step"]
    confusion = client.get(f"{path}/{step}/confusion").json()
    assert confusion["accuracy"] == finished_job["metrics"]["latest"]["validation_accuracy"]
    assert sum(map(sum, confusion["confusion"])) == confusion["n_images"] == 500
    weights = client.get(f"{path}/{step}/weights.png", params={"upscale": 1})
    of_job = client.get(f"/jobs/{finished_job['id']}/weights.png", params={"upscale": 1, "weights": "last"})
    assert weights.content.startswith(b"\x89PNG") and of_job.content.startswith(b"\x89PNG")
    assert client.get(f"{path}/{step}/confusion.svg").headers["content-type"] == "image/svg+xml"


def test_a_step_without_a_snapshot(client: httpx.Client, finished_job: dict[str, Any]) -> None:
    for what in ("confusion", "confusion.png", "weights.png"):
        answer = client.get(f"/jobs/{finished_job['id']}/snapshots/999/{what}")
        assert (answer.status_code, problem_of(answer)) == (404, "not-found")
