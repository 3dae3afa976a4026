"""Jobs as runs of an experiment in MLflow: parameters, curves, pictures, and which model came of it."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from service.errors import ExtraMissing
from service.jobs import Job, Jobs, JobState, job_picture

_JOB, _WHOLE = "inkling.job_id", "inkling.logged"
_MAX_POINTS = 2000
_MAX_BATCH = 1000
"""Metrics in one request: what MLflow takes."""
_STATUS = {JobState.SUCCEEDED: "FINISHED", JobState.FAILED: "FAILED", JobState.CANCELLED: "KILLED"}
_BY_DEFAULT = {
    # By itself it would retry for minutes; our caller does so with more patience and less hurry.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # It would also report its use to its makers, and print addresses between our log lines.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_PICTURES: tuple[Literal["loss", "accuracy", "weights"], ...] = ("loss", "accuracy", "weights")


class MlflowLog:
    """A `Log` in an MLflow server.

    Parameters
    ----------
    uri : the tracking server, as in ``http://127.0.0.1:5000``.
    experiment : its name; made if there is none.

    Raises
    ------
    ExtraMissing : MLflow is not installed.
    """

    def __init__(self, uri: str, experiment: str):
        for name, value in _BY_DEFAULT.items():
            os.environ.setdefault(name, value)
        try:
            from mlflow import MlflowClient  # noqa: PLC0415 - an extra, and slow to import
        except ImportError:
            raise ExtraMissing("MLflow needs the extra mlflow: pip install 'inkling-digits[mlflow]'.") from None
        self._client = MlflowClient(tracking_uri=uri)
        self._experiment = experiment

    def has(self, job_id: str) -> bool:
        """See `Log.has`. What an earlier attempt left unfinished is deleted."""
        runs = self._client.search_runs([self._experiment_id()], f"tags.`{_JOB}` = '{job_id}'")
        for run in runs:
            if run.data.tags.get(_WHOLE) != "true":
                self._client.delete_run(run.info.run_id)
        return any(run.data.tags.get(_WHOLE) == "true" for run in runs)

    def add(self, job: Job, jobs: Jobs) -> None:
        """See `Log.add`."""
        begun, over = _ms(job.started_at or job.created_at), _ms(job.finished_at or job.created_at)
        tags = {_JOB: job.id, "inkling.state": job.state.value, "inkling.stop_reason": job.stop_reason or ""}
        if job.model:
            tags |= {"inkling.model": str(job.model["name"]), "inkling.version": str(job.model["version"])}
        run_id = self._client.create_run(self._experiment_id(), begun, tags, job.name).info.run_id
        values = self._metrics(job, jobs, begun, over)
        self._client.log_batch(run_id, params=_params(job))
        for start in range(0, len(values), _MAX_BATCH):
            self._client.log_batch(run_id, metrics=values[start : start + _MAX_BATCH])
        if job.latest is not None:
            self._log_pictures(run_id, job, jobs)
        self._client.set_tag(run_id, _WHOLE, "true")
        self._client.set_terminated(run_id, _STATUS[job.state], over)

    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        return str(found.experiment_id if found else self._client.create_experiment(self._experiment))

    def _metrics(self, job: Job, jobs: Jobs, begun_ms: int, over_ms: int) -> list[Any]:
        """Return the curves; MLflow wants a time for each point, and steps pass evenly enough."""
        from mlflow.entities import Metric  # noqa: PLC0415 - see above

        history = jobs.metrics(job.id, max_points=_MAX_POINTS)
        steps, losses = history.loss_steps.tolist(), history.loss_values.tolist()
        points = [("train_loss", step, value) for step, value in zip(steps, losses, strict=True)]
        for check in history.checks:
            points += [
                (name, check.step, getattr(check, name))
                for name in ("train_accuracy", "validation_loss", "validation_accuracy")
            ]
        last = max((step for _, step, _ in points), default=0) or 1
        return [
            Metric(name, value, begun_ms + (over_ms - begun_ms) * step // last, step) for name, step, value in points
        ]

    def _log_pictures(self, run_id: str, job: Job, jobs: Jobs) -> None:
        with TemporaryDirectory() as folder:
            for what in _PICTURES:
                path = Path(folder) / f"{what}.png"
                path.write_bytes(job_picture(jobs, job.id, what))
                self._client.log_artifact(run_id, str(path), "pictures")


def _params(job: Job) -> list[Any]:
    from mlflow.entities import Param  # noqa: PLC0415 - see above

    return [Param(name, str(value)) for name, value in {**job.config.to_dict(), "dataset": job.dataset}.items()]


def _ms(time: datetime) -> int:
    return int(1000 * time.timestamp())
