"""Everything can be deleted by HTTP unless something else needs it, and then the answer names what does."""

from __future__ import annotations

import io
from typing import Any

import httpx
import numpy as np
import pytest

from service.datasets import Dataset
from tests.web.serving import TINY, long_job, problem_of, wait_for, wait_until_over


def refusal(answer: httpx.Response, status: int = 409) -> tuple[str, str]:
    assert answer.status_code == status, answer.text
    return problem_of(answer), answer.json()["detail"]


def train(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    job = client.post("/jobs", json={**TINY, **fields}).raise_for_status().json()
    return wait_until_over(client, job["id"])


def verify(client: httpx.Client, job: dict[str, Any]) -> httpx.Response:
    return client.post(f"/jobs/{job['id']}/verify")


def add_digits(client: httpx.Client, mnist: Dataset, *, first: int) -> str:
    file = io.BytesIO()
    x, y = mnist.training.images[first : first + 600], mnist.training.labels[first : first + 600]
    np.savez(file, x_train=x, y_train=y, x_test=x, y_test=y)
    answer = client.post("/datasets", data={"name": "passing"}, files={"file": file.getvalue()})
    assert answer.status_code == 201
    sha256: str = answer.json()["sha256"]
    return sha256


@pytest.mark.slow
def test_a_version_is_deleted_unless_an_alias_or_a_job_needs_it(client: httpx.Client) -> None:
    jobs = [train(client, name="passing", seed=seed) for seed in range(3)]
    client.put("/models/passing/aliases/champion", json={"version": 3}).raise_for_status()
    assert refusal(client.delete("/models/passing/versions/3")) == (
        "in-use",
        "The version has the alias champion; move or delete that first.",
    )
    with long_job(client, name="later", start_from="passing/2") as needs:
        code, detail = refusal(client.delete("/models/passing/versions/2"))
        assert (code, needs in detail) == ("in-use", True)
        assert needs in refusal(client.delete("/models/passing"))[1]
        assert client.delete("/models/passing/versions/1").status_code == 204
        wait_for(client, needs, "check")  # of a job without one, no model is kept
    assert refusal(client.delete("/models/passing/versions/1"), 404)[0] == "model-not-found"
    assert client.delete("/models/passing/versions/champion").status_code == 422
    assert client.get("/models/passing").json()["versions"][0]["version"] == 2
    assert client.get(f"/jobs/{jobs[0]['id']}").json()["model"] == {"name": "passing", "version": 1}
    assert "Version 1 of passing" in refusal(verify(client, jobs[0]))[1]
    later = client.get(f"/jobs/{needs}").json()
    client.delete("/models/passing/versions/2").raise_for_status()
    assert "Version 2 of passing" in refusal(verify(client, later))[1]

    client.delete("/models/passing").raise_for_status()
    assert refusal(client.get("/models/passing"), 404)[0] == "model-not-found"
    assert train(client, name="passing")["model"]["version"] == 4
    assert client.get("/models/passing").json()["aliases"] == {}


def test_a_version_that_predicted_predicts_no_more(client: httpx.Client) -> None:
    train(client, name="short-lived")
    image = {"pixels": [0] * 784}
    for _ in range(2):  # the second is answered from memory
        client.post("/models/short-lived/predict", json=image).raise_for_status()
    client.delete("/models/short-lived/versions/1").raise_for_status()
    assert refusal(client.post("/models/short-lived/predict", json=image), 404)[0] == "model-not-found"


def test_the_default_model_stays(client: httpx.Client) -> None:
    default = client.get("/models").json()["default"]
    assert refusal(client.delete(f"/models/{default}"))[0] == "in-use"


def test_a_data_set_is_deleted_unless_a_job_needs_it(client: httpx.Client, mnist: Dataset) -> None:
    assert refusal(client.delete("/datasets/mnist"))[0] == "in-use"
    first = add_digits(client, mnist, first=0)
    job = train(client, dataset="passing", name="of-passing", hidden_layers=[4])
    with long_job(client, dataset="passing", name="of-passing", train_size=500) as needs:
        code, detail = refusal(client.delete("/datasets/passing"))
        assert (code, needs in detail) == ("in-use", True)
    client.delete("/datasets/passing").raise_for_status()
    assert refusal(client.delete("/datasets/passing"), 404)[0] == "dataset-not-found"
    assert "data set passing" in refusal(verify(client, job))[1]
    assert "data set passing" in refusal(client.post(f"/jobs/{job['id']}/resume", json={"epochs": 9}))[1]
    for path in ("", "/weights.png", "/weights.npz"):
        client.get(f"/models/of-passing/versions/1{path}").raise_for_status()
    assert refusal(client.get("/models/of-passing/versions/1/evaluation"), 404)[0] == "dataset-not-found"

    assert add_digits(client, mnist, first=600) != first
    assert "not the one" in refusal(verify(client, job))[1]
    client.delete("/datasets/passing").raise_for_status()


def test_a_sweep_goes_with_its_members(client: httpx.Client) -> None:
    endless = {**TINY, "epochs": 10_000, "patience": None}
    sweep = client.post("/sweeps", json={"base": endless, "grid": {"seed": [0, 1]}}).raise_for_status().json()
    path, jobs = f"/sweeps/{sweep['id']}", [member["job"] for member in sweep["members"]]
    assert refusal(client.delete(path)) == (
        "invalid-job-transition",
        "2 members of the sweep are not over; cancel it first.",
    )
    client.post(f"{path}/cancel").raise_for_status()
    for job in jobs:
        wait_until_over(client, job)
    client.delete(path).raise_for_status()
    for gone in (path, *(f"/jobs/{job}" for job in jobs)):
        assert client.get(gone).status_code == 404


@pytest.mark.parametrize("keep_runs", [False, True])
def test_a_report_goes_with_its_runs_unless_they_are_to_stay(client: httpx.Client, keep_runs: bool) -> None:
    report = client.post("/reports", json={"quick": True, "l2_penalties": [1]}).raise_for_status().json()
    path = f"/reports/{report['id']}"
    assert refusal(client.delete(path))[0] == "invalid-job-transition"
    client.post(f"{path}/cancel").raise_for_status()
    for job in report["jobs"]:
        wait_until_over(client, job)
    assert refusal(client.delete(f"/sweeps/{report['sweep']}")) == (
        "in-use",
        f"Report {report['id']} needs this sweep; delete that first.",
    )
    client.delete(path, params={"keep_runs": keep_runs}).raise_for_status()
    assert refusal(client.get(path), 404)[0] == "job-not-found"
    for run in (f"/sweeps/{report['sweep']}", *(f"/jobs/{job}" for job in report["jobs"])):
        assert client.get(run).status_code == (200 if keep_runs else 404)


def test_deletions_are_audited(client: httpx.Client) -> None:
    train(client, name="audited")
    client.delete("/models/audited/versions/1").raise_for_status()
    client.delete("/models/audited/versions/1")
    lines = [
        (line["method"], line["object_id"], line["status"]) for line in client.get("/audit?limit=2").json()["entries"]
    ]
    assert lines == [("DELETE", "audited/1", 404), ("DELETE", "audited/1", 204)]
