"""Weights come in as an .npz file: strictly read, measured, and a version like any other."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest

from service.bootstrap import Service
from service.core.npz import write_npz
from service.inference import evaluate
from tests.web.serving import problem_of

W = np.zeros((785, 10), np.float32)


def post(client: httpx.Client, content: bytes, name: str = "imported", **params: str) -> httpx.Response:
    return client.post(f"/models/{name}/versions", content=content, params=params)


def npz(**arrays: Any) -> bytes:
    return write_npz(arrays)


def saved(**arrays: Any) -> bytes:
    """As a user of NumPy would write it."""
    file = BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize("name", ["mnist-softmax", "mnist-2-vs-3"])
def test_what_was_exported_comes_back(client: httpx.Client, service: Service, name: str) -> None:
    original = client.get(f"/models/{name}/versions/1").json()
    content = client.get(f"/models/{name}/versions/1/weights.npz").content
    classes = ",".join(map(str, original["classes"]))
    answer = post(client, content, f"copy-of-{name}", classes=classes, publish=original["published"])
    assert answer.status_code == 201
    made = answer.json()
    assert client.get(answer.headers["location"].removeprefix("/api/v1")).json() == made
    assert made["weights_sha256"] == original["weights_sha256"]
    for field in ("model", "classes", "class_names", "dtype", "published"):
        assert made[field] == original[field], field
    assert (made["stop_reason"], made["job_id"]) == ("imported", None)
    model = service.catalogue.get(f"copy-of-{name}", made["version"])
    metrics, evaluation = made["metrics"]["published"], evaluate(model)
    assert metrics["validation_accuracy"] == pytest.approx(evaluation.accuracy)
    assert metrics["validation_loss"] == pytest.approx(evaluation.loss.mean(), rel=1e-5)


def test_a_file_of_numpy_itself(client: httpx.Client) -> None:
    made = post(client, saved(best=W.astype(np.float64), last=W.astype(np.float64))).json()
    assert (made["model"], made["dtype"]) == ("softmax", "float64")
    assert made["metrics"]["best"]["validation_loss"] == pytest.approx(np.log(10))


BAD: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "nothing": (b"", {}, 400, "malformed-input"),
    "no zip": (b"hello", {}, 400, "malformed-input"),
    "one array": (npz(best=W), {}, 400, "malformed-input"),
    "one more": (npz(best=W, last=W, more=W), {}, 400, "malformed-input"),
    "another shape": (npz(best=W[:784], last=W[:784]), {}, 400, "malformed-input"),
    "two shapes": (npz(best=W, last=W[:, :2]), {}, 400, "malformed-input"),
    "two types": (npz(best=W, last=W.astype(np.float64)), {}, 400, "malformed-input"),
    "no outputs": (npz(best=W[:, :0], last=W[:, :0]), {}, 400, "malformed-input"),
    "whole numbers": (npz(best=W.astype(np.int64), last=W.astype(np.int64)), {}, 400, "malformed-input"),
    "not finite": (npz(best=W, last=np.full_like(W, np.nan)), {}, 400, "malformed-input"),
    "objects": (saved(best=np.array([None]), last=np.array([None])), {}, 400, "malformed-input"),
    "cut short": (npz(best=W, last=W)[:-1], {}, 400, "malformed-input"),
    "too few classes": (npz(best=W, last=W), {"classes": "1,2"}, 422, "invalid-field"),
    "a class twice": (npz(best=W[:, :2], last=W[:, :2]), {"classes": "1,1"}, 422, "invalid-field"),
    "classes of a pair unnamed": (npz(best=W[:, :1], last=W[:, :1]), {}, 422, "invalid-field"),
    "classes in words": (npz(best=W, last=W), {"classes": "one"}, 422, "invalid-field"),
    "another publish": (npz(best=W, last=W), {"publish": "worst"}, 422, "invalid-field"),
    "another data set": (npz(best=W, last=W), {"dataset": "nothing"}, 404, "dataset-not-found"),
}


@pytest.mark.parametrize(("content", "params", "status", "problem"), BAD.values(), ids=BAD)
def test_what_cannot_be_imported(
    client: httpx.Client, content: bytes, params: dict[str, str], status: int, problem: str
) -> None:
    answer = post(client, content, "never", **params)
    assert (answer.status_code, problem_of(answer)) == (status, problem)
    assert client.get("/models/never").status_code == 404


def test_a_name_that_is_none(client: httpx.Client) -> None:
    answer = post(client, npz(best=W, last=W), "No Name")
    assert (answer.status_code, problem_of(answer)) == (422, "invalid-field")


def test_onnx_says_which_package_is_missing(client: httpx.Client) -> None:
    answer = client.get("/models/mnist-softmax/versions/1/weights.onnx")
    assert (answer.status_code, problem_of(answer)) == (501, "extra-missing")
    assert "inkling-digits[onnx]" in answer.json()["detail"]
