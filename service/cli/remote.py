"""A server elsewhere, by its HTTP API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from service.client import Event, calls
from service.client.call import Call
from service.client.connection import Connection
from service.client.images import file_body

from .backend import ImageFile, Json, ModelReference, Picture, PictureFormat, SweepPicture
from .polling import poll_sweep


class RemoteBackend:
    """A `Backend` that is a running server.

    Parameters
    ----------
    url : of the server, as in ``http://127.0.0.1:8000``.
    key : for that server, if it needs one.
    arguments : see `Backend.arguments`.

    Raises
    ------
    InvalidField
        The URL is not one, or the key cannot be one.
    """

    is_remote = True
    trains_here = False

    def __init__(self, url: str, key: str = "", *, arguments: str = "") -> None:
        self._connection = Connection(url, key)
        self._run = self._connection.run
        self.place = self._connection.place
        self.arguments = arguments

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    # Jobs

    def submit(self, request: Mapping[str, Any]) -> Json:
        """See `Backend.submit`."""
        return self._run(calls.submission("jobs", body=request))

    def job(self, job_id: str) -> Json:
        """See `Backend.job`."""
        return self._run(calls.job(job_id))

    def jobs(self, *, state: str | None = None, limit: int = 50, before: str | None = None) -> Json:
        """See `Backend.jobs`."""
        return self._run(calls.jobs(state=state, limit=limit, before=before))

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """See `Backend.events`."""
        return self._connection.events(job_id, after)

    def cancel(self, job_id: str) -> Json:
        """See `Backend.cancel`."""
        return self._run(calls.cancel("jobs", job_id))

    def resume(self, job_id: str, changes: Mapping[str, Any]) -> Json:
        """See `Backend.resume`."""
        return self._run(calls.submission("jobs", job_id, "resume", body=changes))

    def verify(self, job_id: str) -> Json:
        """See `Backend.verify`."""
        return self._run(calls.submission("jobs", job_id, "verify", body={}))

    def delete(self, job_id: str) -> None:
        """See `Backend.delete`."""
        self._run(calls.delete_job(job_id))

    def metrics(self, job_id: str) -> Json:
        """See `Backend.metrics`."""
        return self._run(calls.metrics(job_id))

    def job_picture(self, job_id: str, picture: Picture, picture_format: PictureFormat) -> bytes:
        """See `Backend.job_picture`."""
        return self._run(calls.file("jobs", job_id, f"{picture}.{picture_format}"))

    # Sweeps

    def submit_sweep(self, request: Mapping[str, Any]) -> Json:
        """See `Backend.submit_sweep`."""
        return self._run(calls.submission("sweeps", body=request))

    def sweep(self, sweep_id: str, *, rank_by: str | None = None) -> Json:
        """See `Backend.sweep`."""
        return self._run(calls.sweep(sweep_id, rank_by=rank_by))

    def sweeps(self, *, limit: int = 50, before: str | None = None) -> Json:
        """See `Backend.sweeps`."""
        return self._run(calls.sweeps(limit=limit, before=before))

    def watch_sweep(self, sweep_id: str, *, rank_by: str | None = None) -> Iterator[Json]:
        """See `Backend.watch_sweep`. A server that is away is asked again."""
        return poll_sweep(lambda: self.sweep(sweep_id, rank_by=rank_by))

    def cancel_sweep(self, sweep_id: str) -> Json:
        """See `Backend.cancel_sweep`."""
        return self._run(calls.cancel("sweeps", sweep_id))

    def sweep_picture(self, sweep_id: str, picture: SweepPicture, picture_format: PictureFormat) -> bytes:
        """See `Backend.sweep_picture`."""
        return self._run(calls.file("sweeps", sweep_id, f"{picture}.{picture_format}"))

    # Reports

    def submit_report(self, request: Mapping[str, Any]) -> Json:
        """See `Backend.submit_report`."""
        return self._run(calls.submission("reports", body=request))

    def report(self, report_id: str) -> Json:
        """See `Backend.report`."""
        return self._run(calls.report(report_id))

    def cancel_report(self, report_id: str) -> Json:
        """See `Backend.cancel_report`."""
        return self._run(calls.cancel("reports", report_id))

    def report_file(self, report_id: str, name: str) -> bytes:
        """See `Backend.report_file`."""
        return self._run(calls.file("reports", report_id, *name.split("/")))

    # Models

    def models(self) -> list[Json]:
        """See `Backend.models`."""
        return self._run(calls.models())

    def model(self, name: str) -> Json:
        """See `Backend.model`."""
        return self._run(calls.model(name))

    def version(self, name: str, reference: int | str | None = None) -> Json:
        """See `Backend.version`."""
        if reference is None:
            default = self.model(name)["default"]
            reference = default["version"] if default else "champion"
        return self._run(calls.version(name, reference))

    def weights_file(self, name: str, version: int) -> bytes:
        """See `Backend.weights_file`."""
        return self._run(calls.file("models", name, "versions", version, "weights.npz"))

    def onnx_file(self, name: str, version: int) -> bytes:
        """See `Backend.onnx_file`."""
        return self._run(calls.file("models", name, "versions", version, "weights.onnx"))

    def import_weights(self, name: str, content: bytes, *, classes: str, publish: str, dataset: str) -> Json:
        """See `Backend.import_weights`."""
        return self._run(calls.import_weights(name, content, classes=classes, publish=publish, dataset=dataset))

    def weights_picture(self, name: str, version: int) -> bytes:
        """See `Backend.weights_picture`."""
        return self._run(calls.file("models", name, "versions", version, "weights.png"))

    def move_alias(self, name: str, alias: str, version: int, *, reason: str | None = None) -> Json:
        """See `Backend.move_alias`."""
        return self._run(calls.move_alias(name, alias, version, reason=reason))

    def alias_history(self, name: str, alias: str) -> list[Json]:
        """See `Backend.alias_history`."""
        return self._run(calls.alias_history(name, alias))

    def evaluation(self, name: str, version: int) -> Json:
        """See `Backend.evaluation`."""
        return self._run(calls.evaluation(name, version))

    def comparison(self, models: Sequence[str]) -> Json:
        """See `Backend.comparison`."""
        return self._run(calls.comparison(models))

    # Images

    def predict(self, file: ImageFile, model: ModelReference) -> Json:
        """See `Backend.predict`."""
        body = file_body(file.data, file.media_type)
        return self._run(calls.ask("predict", body, model=model.name, version=model.version, alias=model.alias))

    def explain(self, file: ImageFile, model: ModelReference, *, digit: int | None, against: int | None) -> Json:
        """See `Backend.explain`."""
        return self._run(_question(file, model, digit, against))

    def explanation_picture(
        self, file: ImageFile, model: ModelReference, *, digit: int | None, against: int | None
    ) -> bytes:
        """See `Backend.explanation_picture`."""
        return self._run(calls.as_picture(_question(file, model, digit, against)))

    def preprocess(self, file: ImageFile) -> bytes:
        """See `Backend.preprocess`."""
        return self._run(calls.preprocess(file_body(file.data, file.media_type)))

    def datasets(self) -> list[Json]:
        """See `Backend.datasets`."""
        return self._run(calls.datasets())

    def add_dataset(self, words: Mapping[str, str], files: Mapping[str, bytes]) -> Json:
        """See `Backend.add_dataset`."""
        return self._run(calls.add_dataset(words, files))


def _question(file: ImageFile, model: ModelReference, digit: int | None, against: int | None) -> Call[Json]:
    body = file_body(file.data, file.media_type)
    who, version = {"model": model.name, "alias": model.alias}, model.version
    return calls.ask("explain", body, **who, version=version, digit=digit, against=against)
