"""Jobs arrive in MLflow with parameters, curves and pictures, once each, also those of before the start."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from service.bootstrap import Service, build
from service.core import TrainingConfig
from service.jobs import Job, JobRequest
from service.settings import Settings

DEADLINE_S = 60.0


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "runs").as_uri()


def settings(folder: Path, uri: str | None) -> Settings:
    return Settings(data_dir=folder, executor="inline", workers=1, mlflow_url=uri, mlflow_experiment="digits")


def until(condition: Callable[[], Any]) -> Any:
    tick = threading.Event()
    for _ in range(int(DEADLINE_S / 0.1)):
        if found := condition():
            return found
        tick.wait(0.1)
    raise AssertionError("it did not come about")


def trained(service: Service, **fields: Any) -> Job:
    config = TrainingConfig(epochs=2, train_size=512, validation_size=500, **fields)
    job = service.jobs.submit(JobRequest(config=config, name="tracked"))
    until(lambda: service.jobs.get(job.id).state.final)
    return service.jobs.get(job.id)


def runs(uri: str) -> list[Any]:
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("digits")
    found = client.search_runs([experiment.experiment_id]) if experiment else []
    return [run for run in found if run.info.status != "RUNNING"]


def test_jobs_become_runs(tmp_path: Path, uri: str) -> None:
    with build(settings(tmp_path, None)) as service:
        before = trained(service, learning_rate=0.05)
    with build(settings(tmp_path, uri)) as service:
        until(lambda: len(runs(uri)) == 1)
        job = trained(service)
        until(lambda: len(runs(uri)) == 2)
        history = service.jobs.metrics(job.id)
    with build(settings(tmp_path, uri)) as service:
        third = trained(service, seed=7)
        until(lambda: len(runs(uri)) == 3)

    by_job = {run.data.tags["inkling.job_id"]: run for run in runs(uri)}
    assert by_job.keys() == {before.id, job.id, third.id}
    run = by_job[job.id]
    assert (run.info.run_name, run.info.status) == ("tracked", "FINISHED")
    assert run.data.params["learning_rate"] == "0.01"
    assert by_job[before.id].data.params["learning_rate"] == "0.05"
    assert (run.data.tags["inkling.model"], run.data.tags["inkling.version"]) == ("tracked", "2")
    client = MlflowClient(tracking_uri=uri)
    losses = client.get_metric_history(run.info.run_id, "validation_loss")
    assert [(point.step, point.value) for point in sorted(losses, key=lambda point: point.step)] == [
        (check.step, check.validation_loss) for check in history.checks
    ]
    assert len(client.get_metric_history(run.info.run_id, "train_loss")) == 8
    assert run.info.start_time <= losses[0].timestamp <= losses[-1].timestamp <= run.info.end_time
    pictures = {file.path for file in client.list_artifacts(run.info.run_id, "pictures")}
    assert pictures == {f"pictures/{what}.png" for what in ("loss", "accuracy", "weights")}


def test_what_was_cut_off_is_logged_anew(tmp_path: Path, uri: str) -> None:
    with build(settings(tmp_path, None)) as service:
        job = trained(service)
    client = MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment("digits")
    half = client.create_run(experiment, tags={"inkling.job_id": job.id}).info.run_id
    with build(settings(tmp_path, uri)):
        (run,) = until(lambda: runs(uri))
    assert run.info.run_id != half
    assert client.get_run(half).info.lifecycle_stage == "deleted"


def test_a_server_that_is_away_holds_nothing_up(tmp_path: Path, uri: str) -> None:
    with build(settings(tmp_path, "http://127.0.0.1:9")) as service:
        assert trained(service).state == "succeeded"
