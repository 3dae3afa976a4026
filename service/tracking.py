"""Finished jobs in MLflow: the runs that are made of them."""

import json
import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from service.core import METRICS, Floats
from service.database import DeliveryRow
from service.errors import ExtraMissing, InvalidInput, JobNotFound, ModelNotFound
from service.inference import decode_pixels, predict
from service.jobs import Job, Jobs, JobState, job_picture
from service.registry import Manifest, Registry
from service.stores import LocalStore

logger = logging.getLogger(__name__)

CATCH_UP = 100
"""At the start, this many of the newest jobs are looked up in the log, and added if they are missing."""

_MODEL, _STORE = "model", "store"
_JOB, _WHOLE = "inkling.job_id", "inkling.logged"
_MAX_POINTS = 2000
_MAX_BATCH = 1000
"""Metrics in one request: MLflow's limit."""
_STATUS = {JobState.SUCCEEDED: "FINISHED", JobState.FAILED: "FAILED", JobState.CANCELLED: "KILLED"}
_BY_DEFAULT = {
    # By default it retries for minutes and blocks; `Deliverer` retries instead.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # It would also send usage data to its makers, and print addresses between our log lines.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_NOT_FOR_US = {"ENDPOINT_NOT_FOUND", "FEATURE_DISABLED", "PERMISSION_DENIED"}
"""What a server answers that has no such thing as a model registry, or none for this client."""
_PICTURES: tuple[Literal["loss", "accuracy", "weights"], ...] = ("loss", "accuracy", "weights")


class MlflowLog:
    """Logs jobs to an MLflow server: parameters, curves, pictures, and the model that a job made.

    The experiment is created if there is none of its name. Raises `ExtraMissing` if MLflow is not installed.
    """

    def __init__(self, uri: str, experiment: str, jobs: Jobs, registry: Registry):
        for name, value in _BY_DEFAULT.items():
            os.environ.setdefault(name, value)
        try:
            from mlflow import MlflowClient  # noqa: PLC0415 - an extra, and slow to import
        except ImportError:
            raise ExtraMissing("MLflow needs the extra mlflow: pip install 'inkling-digits[mlflow]'.") from None
        self._client = MlflowClient(tracking_uri=uri)
        self._experiment = experiment
        self._jobs = jobs
        self._registry = registry

    def send(self, row: DeliveryRow) -> None:
        """Log a job that ended, unless it is logged or deleted; raise `InvalidInput` if the experiment was deleted."""
        with suppress(JobNotFound):
            if row.event == "job.ended" and not self._has(row.object_id):
                self._add(self._jobs.get(row.object_id))

    def _has(self, job_id: str) -> bool:
        """Whether a job was logged completely. Incomplete runs of earlier attempts are deleted."""
        runs = self._client.search_runs([self._experiment_id()], f"tags.`{_JOB}` = '{job_id}'")
        for run in runs:
            if run.data.tags.get(_WHOLE) != "true":
                self._client.delete_run(run.info.run_id)
        return any(run.data.tags.get(_WHOLE) == "true" for run in runs)

    def _add(self, job: Job) -> None:
        started_ms, ended_ms = _ms(job.started_at or job.created_at), _ms(job.finished_at or job.created_at)
        tags = {_JOB: job.id, "inkling.state": job.state.value, "inkling.stop_reason": job.stop_reason or ""}
        if job.model:
            tags |= {"inkling.model": str(job.model["name"]), "inkling.version": str(job.model["version"])}
        run_id = self._client.create_run(self._experiment_id(), started_ms, tags, job.config.name).info.run_id
        values = self._metrics(job, started_ms, ended_ms)
        self._client.log_batch(run_id, params=_params(job))
        self._log_dataset(run_id, job)
        for start in range(0, len(values), _MAX_BATCH):
            self._client.log_batch(run_id, metrics=values[start : start + _MAX_BATCH])
        if job.latest is not None:
            self._log_pictures(run_id, job)
        if job.model:
            with suppress(ModelNotFound):  # it was deleted
                self._log_model(run_id, self._registry.manifest(job.model["name"], job.model["version"]))
        self._client.set_tag(run_id, _WHOLE, "true")
        self._client.set_terminated(run_id, _STATUS[job.state], ended_ms)

    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        if found and found.lifecycle_stage == "deleted":
            raise InvalidInput(
                f"The experiment {self._experiment} was deleted in MLflow, so no job is logged: restore it there, or "
                "name another with --mlflow-experiment."
            )
        return str(found.experiment_id if found else self._client.create_experiment(self._experiment))

    def _metrics(self, job: Job, started_ms: int, ended_ms: int) -> list[Any]:
        """Return the curves. MLflow needs a time for each point; steps are evenly spaced in time."""
        from mlflow.entities import Metric  # noqa: PLC0415 - see above

        history = self._jobs.metrics(job.id, max_points=_MAX_POINTS)
        steps, losses = history.loss_steps.tolist(), history.loss_values.tolist()
        points = [("train_loss", step, value) for step, value in zip(steps, losses, strict=True)]
        for check in history.checks:
            points += [
                (name, check.step, getattr(check, name))
                for name in METRICS
                if name != "train_loss"  # which is there for every step
            ]
        last = max((step for _, step, _ in points), default=0) or 1
        return [
            Metric(name, value, started_ms + (ended_ms - started_ms) * step // last, step)
            for name, step, value in points
        ]

    def _log_dataset(self, run_id: str, job: Job) -> None:
        """Log the data set as the input of a run, as `mlflow.log_input` does; a digest has at most 36 characters."""
        from mlflow.entities import Dataset, DatasetInput, InputTag  # noqa: PLC0415 - see above

        if sha256 := self._jobs.provenance(job.id)["dataset_sha256"]:
            source = json.dumps({"dataset": job.config.dataset, "sha256": sha256})
            dataset = Dataset(job.config.dataset, sha256[:36], source_type="inkling", source=source)
            with _unless_unsupported("records no inputs"):
                tags = [InputTag("mlflow.data.context", "training")]
                self._client.log_inputs(run_id, [DatasetInput(dataset, tags)])

    def _log_pictures(self, run_id: str, job: Job) -> None:
        with TemporaryDirectory() as folder:
            for what in _PICTURES:
                path = Path(folder) / f"{what}.png"
                path.write_bytes(job_picture(self._jobs, job.id, what))
                self._client.log_artifact(run_id, str(path), "pictures")

    def _log_model(self, run_id: str, manifest: Manifest) -> None:
        """Log a version as an artifact that MLflow loads as a Python function, and register it under its name."""
        from mlflow.models import Model  # noqa: PLC0415

        with TemporaryDirectory() as folder:
            weights = self._registry.weights_bytes(manifest.name, manifest.version)
            Registry(LocalStore(Path(folder) / _STORE)).put(manifest, weights)
            described = Model(artifact_path=_MODEL, run_id=run_id)
            python = platform.python_version()
            described.add_flavor("python_function", loader_module=__name__, data=_STORE, python_version=python)
            described.save(str(Path(folder) / "MLmodel"))
            self._client.log_artifacts(run_id, folder, _MODEL)
        tags = {"inkling.version": str(manifest.version), _JOB: str(manifest.job_id)}
        with _unless_unsupported("registers no models"):
            if not self._client.search_registered_models(f"name = '{manifest.name}'"):
                self._client.create_registered_model(manifest.name)
            for earlier in self._client.search_model_versions(f"name = '{manifest.name}'"):
                if earlier.tags.items() >= tags.items():  # of an attempt that was cut off
                    self._client.delete_model_version(manifest.name, earlier.version)
            source = f"runs:/{run_id}/{_MODEL}"
            self._client.create_model_version(manifest.name, source, run_id, tags, await_creation_for=None)


class PythonFunction:
    """A version as MLflow loads it, the only one in a ``store``, the folder of a registry."""

    def __init__(self, store: Path) -> None:
        registry = Registry(LocalStore(store))
        (name,) = registry.names()
        self._model = registry.load(name, registry.latest(name))

    def predict(self, images: Any, params: Any = None) -> Floats:
        """Return the probability of each class, (n_images, n_classes), for images as `decode_pixels` takes arrays."""
        return predict(self._model, decode_pixels(np.asarray(images)).images)[1]


def _load_pyfunc(path: str) -> PythonFunction:
    """Load a logged model: MLflow calls it by this name."""
    return PythonFunction(Path(path))


@contextmanager
def _unless_unsupported(what: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - see above

    try:
        yield
    except MlflowException as error:
        if error.error_code not in _NOT_FOR_US:
            raise
        logger.warning("the MLflow server %s (%s)", what, error.error_code)


def _params(job: Job) -> list[Any]:
    from mlflow.entities import Param  # noqa: PLC0415 - see above

    return [Param(name, str(value)) for name, value in {**job.hyperparameters(), "dataset": job.config.dataset}.items()]


def _ms(time: datetime) -> int:
    return int(1000 * time.timestamp())
