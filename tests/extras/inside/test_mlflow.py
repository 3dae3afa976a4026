"""Jobs arrive in an MLflow server with parameters, curves and pictures, once each, also those of before the start."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import numpy as np
import pytest
import yaml
from mlflow import MlflowClient

from service import deliveries, tracking
from service.bootstrap import Service
from service.core import TrainingConfig
from service.datasets import Dataset
from service.inference import predict
from service.jobs import Job, JobRequest, job_picture
from service.settings import Settings
from tests.free_port import free_port

DEADLINE_S = 60.0
PICTURES: tuple[Literal["loss", "accuracy", "weights"], ...] = ("loss", "accuracy", "weights")


class MlflowServer:
    """`mlflow server` on SQLite, in a folder of its own; it can be stopped, suspended and started again."""

    def __init__(self, folder: Path):
        self._address = f"127.0.0.1:{free_port()}"
        self.uri = f"http://{self._address}"
        self._folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        host, port = self._address.split(":")
        where = ["--backend-store-uri", f"sqlite:///{self._folder}/runs.db"]
        where += ["--artifacts-destination", str(self._folder)]
        # By itself it serves with packages that nothing else here needs.
        how = ["--host", host, "--port", port, "--workers", "1", "--gunicorn-opts", "--no-control-socket"]
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *where, *how],
                cwd=self._folder,
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers)

    def signal(self, what: signal.Signals) -> None:
        """Send a signal to the server and to its workers."""
        assert self.process is not None
        os.killpg(self.process.pid, what)

    def kill(self) -> None:
        if self.process is not None:
            self.signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, (self._folder / "log").read_text()
        try:
            return httpx.get(f"{self.uri}/health", timeout=DEADLINE_S).is_success
        except httpx.TransportError:
            return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return those of a service that logs nowhere, with an experiment of its own."""
    for name in ("RETRY_S", "MAX_RETRY_S", "_MAX_PAUSE_S"):
        monkeypatch.setattr(deliveries, name, 0.5)
    return Settings(data_dir=tmp_path / "data", executor="inline", workers=1, mlflow_experiment=tmp_path.name)


def logging_to(uri: str, settings: Settings) -> Settings:
    return settings.model_copy(update={"mlflow_url": uri})


def until(condition: Callable[[], Any]) -> Any:
    tick = threading.Event()
    for _ in range(int(DEADLINE_S / 0.3)):  # each question keeps the server of MLflow busy
        if found := condition():
            return found
        tick.wait(0.3)
    raise AssertionError("it did not come about")


def trained(service: Service, *, name: str = "tracked", **fields: Any) -> Job:
    config = TrainingConfig(epochs=2, train_size=512, validation_size=500, **fields)
    job = service.jobs.submit(JobRequest(config=config, name=name))
    until(lambda: service.jobs.get(job.id).state.final)
    return service.jobs.get(job.id)


def runs(server: MlflowServer, settings: Settings) -> list[Any]:
    client = MlflowClient(tracking_uri=server.uri)
    experiment = client.get_experiment_by_name(settings.mlflow_experiment)
    found = client.search_runs([experiment.experiment_id]) if experiment else []
    return [run for run in found if run.info.status != "RUNNING"]


def test_jobs_become_runs(tmp_path: Path, server: MlflowServer, settings: Settings) -> None:
    with Service(settings) as service:
        before = trained(service, learning_rate=0.05)
    with Service(logging_to(server.uri, settings)) as service:
        until(lambda: len(runs(server, settings)) == 1)
        job = trained(service)
        until(lambda: len(runs(server, settings)) == 2)
        history = service.jobs.metrics(job.id)
        drawn = {f"pictures/{what}.png": job_picture(service.jobs, job.id, what) for what in PICTURES}
    with Service(logging_to(server.uri, settings)) as service:
        third = trained(service, seed=7)
        until(lambda: len(runs(server, settings)) == 3)

    by_job = {run.data.tags["inkling.job_id"]: run for run in runs(server, settings)}
    assert by_job.keys() == {before.id, job.id, third.id}
    run = by_job[job.id]
    assert (run.info.run_name, run.info.status) == ("tracked", "FINISHED")
    assert run.data.params == {name: str(value) for name, value in {**job.config.to_dict(), "dataset": "mnist"}.items()}
    assert by_job[before.id].data.params["learning_rate"] == "0.05"
    (logged,) = run.inputs.dataset_inputs
    sha256 = service.jobs.provenance(job.id)["dataset_sha256"]
    assert (logged.dataset.name, logged.dataset.digest, logged.tags[0].value) == ("mnist", sha256[:36], "training")
    assert (run.data.tags["inkling.model"], run.data.tags["inkling.version"]) == ("tracked", "2")
    client = MlflowClient(tracking_uri=server.uri)
    for name in ("validation_loss", "validation_accuracy", "train_accuracy"):
        points = sorted(client.get_metric_history(run.info.run_id, name), key=lambda point: point.step)
        assert [(point.step, point.value) for point in points] == [
            (check.step, getattr(check, name)) for check in history.checks
        ]
    assert run.info.start_time <= points[0].timestamp <= points[-1].timestamp <= run.info.end_time
    losses = {point.step: point.value for point in client.get_metric_history(run.info.run_id, "train_loss")}
    assert losses == dict(zip(history.loss_steps.tolist(), history.loss_values.tolist(), strict=True))
    assert {file.path for file in client.list_artifacts(run.info.run_id, "pictures")} == drawn.keys()
    for path, picture in drawn.items():
        assert Path(client.download_artifacts(run.info.run_id, path, str(tmp_path))).read_bytes() == picture


def test_a_network_is_an_artifact_and_a_registered_model(
    tmp_path: Path, server: MlflowServer, settings: Settings, mnist: Dataset
) -> None:
    with Service(logging_to(server.uri, settings)) as service:
        job = trained(service, hidden_layers=(8, 4), activation="relu", input_scaling="standard", name="net")
        (run,) = until(lambda: runs(server, settings))
        model = service.catalogue.get("net")
        expected = predict(model, mnist.test.images[:20])[1]
    assert run.data.params["hidden_layers"] == "[8, 4]"
    client = MlflowClient(tracking_uri=server.uri)
    assert {"pictures/weights.png"} <= {file.path for file in client.list_artifacts(run.info.run_id, "pictures")}
    (version,) = client.search_model_versions("name = 'net'")
    assert (version.run_id, version.tags["inkling.job_id"], version.tags["inkling.version"]) == (
        run.info.run_id,
        job.id,
        "1",
    )
    folder = Path(client.download_artifacts(run.info.run_id, "model", str(tmp_path)))
    about = yaml.safe_load((folder / "MLmodel").read_text())["flavors"]["python_function"]
    assert about["loader_module"] == "service.tracking"
    loaded = tracking._load_pyfunc(str(folder / about["data"]))
    for images in (mnist.test.images[:20], mnist.test.images[:20].reshape(-1, 784).astype(np.float64)):
        np.testing.assert_array_equal(loaded.predict(images), expected)


def test_what_was_cut_off_is_logged_anew(server: MlflowServer, settings: Settings) -> None:
    with Service(settings) as service:
        job = trained(service)
    client = MlflowClient(tracking_uri=server.uri)
    experiment = client.create_experiment(settings.mlflow_experiment)
    half = client.create_run(experiment, tags={"inkling.job_id": job.id}).info.run_id
    with Service(logging_to(server.uri, settings)):
        (run,) = until(lambda: runs(server, settings))
    assert run.info.run_id != half
    assert client.get_run(half).info.lifecycle_stage == "deleted"


def test_a_server_that_goes_away_holds_nothing_up_and_misses_nothing(server: MlflowServer, settings: Settings) -> None:
    with Service(logging_to(server.uri, settings)) as service:
        first = trained(service)
        until(lambda: len(runs(server, settings)) == 1)
        server.kill()
        jobs = [first, *(trained(service, seed=seed) for seed in (1, 2))]
        server.start()
        until(lambda: len(runs(server, settings)) == 3)
        server.signal(signal.SIGSTOP)  # it takes connections, and says nothing
        jobs.append(trained(service, seed=3))
    server.signal(signal.SIGCONT)
    with Service(logging_to(server.uri, settings)):
        until(lambda: len(runs(server, settings)) == 4)
    assert [job.state for job in jobs] == 4 * ["succeeded"]
    assert sorted(run.data.tags["inkling.job_id"] for run in runs(server, settings)) == [job.id for job in jobs]


def test_a_deleted_experiment_is_named_once_and_written_to_when_it_is_restored(
    server: MlflowServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    client = MlflowClient(tracking_uri=server.uri)
    experiment = client.create_experiment(settings.mlflow_experiment)
    client.delete_experiment(experiment)
    refused = 'inkling_deliveries_total{outcome="failed",target="mlflow"} 1.0'
    with Service(logging_to(server.uri, settings)) as service:
        for seed in range(2):
            trained(service, seed=seed)
        until(lambda: refused in service.metrics.exposition({}).decode())
        assert service.deliveries_waiting() == {"mlflow": 4}, "two jobs, and their versions"
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert f"The experiment {settings.mlflow_experiment} was deleted in MLflow" in warning
    client.restore_experiment(experiment)
    with Service(logging_to(server.uri, settings)):
        until(lambda: len(runs(server, settings)) == 2)


def test_nothing_is_printed_and_nothing_is_reported_to_others() -> None:
    program = """if True:
        from service.tracking import MlflowLog
        MlflowLog("http://127.0.0.1:9", "digits", None, None)
        from mlflow.environment_variables import MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT
        from mlflow.telemetry import get_telemetry_client
        assert get_telemetry_client() is None and MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.get()
    """
    clean = {name: os.environ[name] for name in ("PATH", "PYTHONPATH")}
    run = subprocess.run([sys.executable, "-c", program], env=clean, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_a_server_that_never_was_holds_nothing_up(settings: Settings) -> None:
    with Service(logging_to("http://127.0.0.1:9", settings)) as service:
        assert trained(service).state == "succeeded"
