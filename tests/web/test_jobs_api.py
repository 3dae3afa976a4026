"""Jobs by HTTP: submitted, listed, cancelled, deleted, their metrics read."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from service.bootstrap import Service
from service.settings import Settings
from tests.web.serving import LONG, TINY, long_job, problem_of, serving, wait_for, wait_until_over


def submit(client: httpx.Client, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = client.post("/jobs", json=body, headers=headers)
    assert answer.status_code == 202
    job: dict[str, Any] = answer.json()
    return job


def test_a_job_is_accepted_with_its_address(client: httpx.Client) -> None:
    answer = client.post("/jobs", json={**TINY, "name": "address"})
    assert answer.status_code == 202
    job = client.get(answer.headers["location"].removeprefix("/api/v1")).json()
    assert job["id"] == answer.json()["id"]
    assert job["config"]["epochs"] == 2
    assert job["config"]["learning_rate"] == 0.01
    assert wait_until_over(client, job["id"])["model"] == {"name": "address", "version": 1}


def test_a_finished_job_says_everything(finished_job: dict[str, Any]) -> None:
    assert finished_job["state"] == "succeeded"
    assert finished_job["stop_reason"] == "max_epochs"
    assert finished_job["progress"]["fraction"] == 1
    assert [move["state"] for move in finished_job["history"]] == ["queued", "running", "succeeded"]
    assert all(finished_job[moment].endswith("Z") for moment in ("created_at", "started_at", "finished_at"))


def test_the_same_key_gives_the_same_job(client: httpx.Client) -> None:
    first = submit(client, TINY, **{"Idempotency-Key": "once only"})
    again = submit(client, TINY, **{"Idempotency-Key": "once only"})
    other = submit(client, TINY, **{"Idempotency-Key": "another"})
    assert first["id"] == again["id"] != other["id"]
    refused = client.post("/jobs", json={**TINY, "epochs": 1}, headers={"Idempotency-Key": "once only"})
    assert (refused.status_code, problem_of(refused)) == (422, "idempotency-mismatch")


@pytest.mark.slow
def test_pages_follow_each_other(client: httpx.Client) -> None:
    submitted = [submit(client, {**TINY, "seed": seed, "tags": ["in-pages"]})["id"] for seed in range(5)]
    pages, parameters = [], {"limit": "2"}
    while len(pages) < 3:
        page = client.get("/jobs", params=parameters).json()
        pages.append([job["id"] for job in page["jobs"]])
        parameters["before"] = page["next"]
    assert [job_id for page in pages for job_id in page][:5] == submitted[::-1]
    for job_id in submitted:
        wait_until_over(client, job_id)
    succeeded = client.get("/jobs", params={"state": "succeeded", "tag": "in-pages"}).json()
    assert ([job["id"] for job in succeeded["jobs"]], succeeded["next"]) == (submitted[::-1], None)
    failed = client.get("/jobs", params={"state": "failed", "tag": "in-pages"}).json()
    assert failed == {"jobs": [], "next": None}


def test_a_running_job_is_cancelled_and_keeps_its_best_weights(client: httpx.Client) -> None:
    with long_job(client, name="cancelled") as job_id:
        wait_for(client, job_id, "check")
        answer = client.post(f"/jobs/{job_id}/cancel")
        assert answer.status_code == 202
        assert answer.json()["state"] in ("cancelling", "cancelled")
        assert client.post(f"/jobs/{job_id}/cancel").status_code in (202, 409)
        job = wait_until_over(client, job_id)
    assert job["state"] == "cancelled"
    assert job["model"] == {"name": "cancelled", "version": 1}
    refused = client.post(f"/jobs/{job_id}/cancel")
    assert (refused.status_code, problem_of(refused)) == (409, "invalid-job-transition")


def test_a_job_is_trained_step_by_step(client: httpx.Client) -> None:
    def continue_to(step: int, **by: int) -> None:
        answer = client.post(f"/jobs/{job['id']}/continue", json=by)
        assert (answer.status_code, answer.json()["pause_at_step"]) == (202, step)
        assert answer.json()["state"] in ("queued", "running"), "a worker may have taken it already"
        with client.stream("GET", f"/jobs/{job['id']}/events") as events:
            assert any(f"Before step {step}." in line for line in events.iter_lines())

    job = submit(client, {**TINY, "paused": True})
    assert (job["state"], job["pause_at_step"], job["started_at"]) == ("paused", 0, None)
    assert [each["id"] for each in client.get("/jobs", params={"state": "paused"}).json()["jobs"]] == [job["id"]]
    first = client.get(f"/jobs/{job['id']}/gradient.png", params={"upscale": 1})
    assert first.headers["content-type"] == "image/png"
    numbers = client.get(f"/jobs/{job['id']}/gradient").json()
    assert numbers["step"] == 0 and np.shape(numbers["values"]) == (785, len(numbers["outputs"]))
    continue_to(1, steps=1)
    after = client.get(f"/jobs/{job['id']}/weights", params={"weights": "last"}).json()
    step = -job["config"]["learning_rate"] * np.array(numbers["values"])  # from the weights 0
    np.testing.assert_allclose(after["values"], step, rtol=1e-6, atol=1e-9)
    header, *lines = client.get(f"/jobs/{job['id']}/weights?weights=last", headers={"Accept": "text/csv"}).text.split()
    assert header.split(",") == ["input", *after["outputs"]] and lines[-1].startswith("bias,")
    assert [[float(number) for number in line.split(",")[1:]] for line in lines] == after["values"]
    assert problem_of(client.get(f"/jobs/{job['id']}/gradient?layer=2")) == "invalid-field"
    continue_to(4, epochs=1)
    continue_to(7, steps=3, epochs=1)
    assert client.get(f"/jobs/{job['id']}/gradient.png", params={"upscale": 1}).content != first.content
    assert client.get(f"/jobs/{job['id']}/metrics").json()["train_loss"]["steps"] == list(range(7))
    assert client.post(f"/jobs/{job['id']}/pause").json()["state"] == "paused"
    assert client.post(f"/jobs/{job['id']}/continue", json={}).status_code == 202
    assert wait_until_over(client, job["id"])["pause_at_step"] is None
    for refused in (client.post(f"/jobs/{job['id']}/{act}", json={}) for act in ("pause", "continue")):
        assert (refused.status_code, problem_of(refused)) == (409, "invalid-job-transition")


@pytest.mark.parametrize("body", [{"steps": 0}, {"epochs": 1.5}, {"steps": 1_000_001}, {"batches": 1}])
def test_how_far_a_job_may_be_continued_is_stated(
    client: httpx.Client, finished_job: dict[str, Any], body: Any
) -> None:
    refused = client.post(f"/jobs/{finished_job['id']}/continue", json=body)
    assert (refused.status_code, problem_of(refused)) == (422, "invalid-field")


def test_a_queued_job_is_cancelled_at_once(client: httpx.Client) -> None:
    with long_job(client) as blocking, long_job(client) as queued:
        assert client.post(f"/jobs/{queued}/cancel").json()["state"] == "cancelled"
        refused = client.delete(f"/jobs/{blocking}")
        assert (refused.status_code, problem_of(refused)) == (409, "invalid-job-transition")


def test_a_deleted_job_is_gone_and_its_model_stays(client: httpx.Client) -> None:
    job = wait_until_over(client, submit(client, {**TINY, "name": "kept"})["id"])
    answer = client.delete(f"/jobs/{job['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert problem_of(client.get(f"/jobs/{job['id']}")) == "job-not-found"
    assert client.get("/models/kept/versions/1").status_code == 200


def test_a_resumed_job_names_what_it_continues(client: httpx.Client, finished_job: dict[str, Any]) -> None:
    answer = client.post(f"/jobs/{finished_job['id']}/resume", json={"epochs": 3})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/v1/jobs/{answer.json()['id']}"
    job = wait_until_over(client, answer.json()["id"])
    assert job["continues"] == {"job": finished_job["id"], "step": 8}
    assert job["config"] == {**finished_job["config"], "epochs": 3}
    metrics = client.get(f"/jobs/{job['id']}/metrics").json()
    assert metrics["train_loss"]["steps"] == list(range(12))


@pytest.mark.parametrize("body", [{"epochs": 2}, {"epochs": None}, {"learning_rate": 1}, {"epochs": 5, "patience": 1}])
def test_what_cannot_be_resumed_is_refused_with_a_reason(
    client: httpx.Client, finished_job: dict[str, Any], body: Any
) -> None:
    refused = client.post(f"/jobs/{finished_job['id']}/resume", json=body)
    assert (refused.status_code, problem_of(refused)) == (422, "invalid-field")


def test_a_verified_job_is_the_same(client: httpx.Client, finished_job: dict[str, Any]) -> None:
    answer = client.post(f"/jobs/{finished_job['id']}/verify")
    assert answer.status_code == 202
    job = wait_until_over(client, answer.json()["id"])
    assert job["verification"]["model"] == finished_job["model"]
    assert job["verification"]["outcome"]["identical"]


def test_a_full_queue_says_when_to_come_back(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, executor="inline", workers=1, max_queue_length=1)
    with Service(settings) as service, serving(service) as url, httpx.Client(base_url=f"{url}/api/v1") as client:
        running = submit(client, LONG)["id"]
        wait_for(client, running, "check")
        submit(client, LONG)
        answer = client.post("/jobs", json=LONG)
    assert (answer.status_code, problem_of(answer)) == (429, "queue-full")
    assert int(answer.headers["retry-after"]) > 0


def test_a_diverging_job_fails_with_a_problem(client: httpx.Client) -> None:
    body = {**TINY, "learning_rate": 10, "l2_penalty": 100, "epochs": 50, "patience": None}
    job = wait_until_over(client, submit(client, body)["id"])
    assert (job["state"], job["stop_reason"], job["model"]) == ("failed", "non_finite_loss", None)
    assert job["error"]["type"] == "/problems/non-finite-loss"


def test_metrics_as_json(client: httpx.Client, finished_job: dict[str, Any]) -> None:
    metrics = client.get(f"/jobs/{finished_job['id']}/metrics").json()
    assert metrics["checks"][-1] == finished_job["metrics"]["latest"]
    assert metrics["train_loss"]["steps"] == list(range(8))
    assert not metrics["thinned"]


def test_metrics_since_a_check(client: httpx.Client, finished_job: dict[str, Any]) -> None:
    path = f"/jobs/{finished_job['id']}/metrics"
    checks = client.get(path).json()["checks"]
    later = client.get(path, params={"since": checks[2]["id"]}).json()
    assert later["checks"] == checks[3:]


def test_metrics_thinned(client: httpx.Client, finished_job: dict[str, Any]) -> None:
    metrics = client.get(f"/jobs/{finished_job['id']}/metrics", params={"max_points": 4}).json()
    assert metrics["thinned"]
    assert len(metrics["checks"]) <= 10  # the ends, and of one bucket both extremes of four metrics
    assert len(metrics["train_loss"]["values"]) <= 4


@pytest.mark.parametrize("request_", [{"params": {"format": "csv"}}, {"headers": {"Accept": "text/csv"}}])
def test_metrics_as_csv(client: httpx.Client, finished_job: dict[str, Any], request_: dict[str, Any]) -> None:
    path = f"/jobs/{finished_job['id']}/metrics"
    answer = client.get(path, **request_)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.startswith("id,epoch,step,train_loss,train_accuracy,validation_loss,validation_accuracy\n")
    rows = list(csv.DictReader(StringIO(answer.text)))
    checks = client.get(path).json()["checks"]
    assert [{name: float(value) for name, value in row.items()} for row in rows] == checks


def test_hyperparameters_are_the_table(client: httpx.Client) -> None:
    table = client.get("/hyperparameters").json()
    rows = {row["name"]: row for row in table["hyperparameters"]}
    assert (rows["learning_rate"]["minimum"], rows["learning_rate"]["maximum"]) == (1e-6, 10)
    assert rows["l2_penalty"]["formulas"]["squared"].startswith("J = C + lambda * ||W||^2")
