"""A server elsewhere, by its HTTP API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

from service.client import Event, calls
from service.client.call import Call
from service.client.connection import Connection
from service.client.images import file_body

from .backend import Backend, ImageFile, Json, ModelReference, Picture, PictureFormat, SweepPicture
from .polling import poll_sweep

_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")


def _asks(call: Callable[_Given, Call[_Answer]]) -> Callable[Concatenate[RemoteBackend, _Given], _Answer]:
    """Return a method that makes a call: it takes what the call takes."""

    def method(self: RemoteBackend, /, *args: _Given.args, **options: _Given.kwargs) -> _Answer:
        return self.run(call(*args, **options))

    return method


class RemoteBackend(Backend):
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
        self.run = self._connection.run
        self.place = self._connection.place
        self.arguments = arguments

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    # Jobs

    def submit(self, request: Mapping[str, Any]) -> Json:
        return self.run(calls.submission("jobs", body=request))

    job = _asks(calls.job)
    jobs = _asks(calls.jobs)

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        return self._connection.events(job_id, after)

    def cancel(self, job_id: str) -> Json:
        return self.run(calls.cancel("jobs", job_id))

    def resume(self, job_id: str, changes: Mapping[str, Any]) -> Json:
        return self.run(calls.submission("jobs", job_id, "resume", body=changes))

    def verify(self, job_id: str) -> Json:
        return self.run(calls.submission("jobs", job_id, "verify", body={}))

    delete = _asks(calls.delete_job)
    metrics = _asks(calls.metrics)

    def job_picture(self, job_id: str, picture: Picture, picture_format: PictureFormat) -> bytes:
        return self.run(calls.file("jobs", job_id, f"{picture}.{picture_format}"))

    # Sweeps

    def submit_sweep(self, request: Mapping[str, Any]) -> Json:
        return self.run(calls.submission("sweeps", body=request))

    sweep = _asks(calls.sweep)
    sweeps = _asks(calls.sweeps)

    def watch_sweep(self, sweep_id: str, *, rank_by: str | None = None) -> Iterator[Json]:
        return poll_sweep(lambda: self.sweep(sweep_id, rank_by=rank_by))

    def cancel_sweep(self, sweep_id: str) -> Json:
        return self.run(calls.cancel("sweeps", sweep_id))

    def sweep_picture(self, sweep_id: str, picture: SweepPicture, picture_format: PictureFormat) -> bytes:
        return self.run(calls.file("sweeps", sweep_id, f"{picture}.{picture_format}"))

    # Reports

    def submit_report(self, request: Mapping[str, Any]) -> Json:
        return self.run(calls.submission("reports", body=request))

    report = _asks(calls.report)

    def cancel_report(self, report_id: str) -> Json:
        return self.run(calls.cancel("reports", report_id))

    def report_file(self, report_id: str, name: str) -> bytes:
        return self.run(calls.file("reports", report_id, *name.split("/")))

    # Models

    models = _asks(calls.models)
    model = _asks(calls.model)

    def version(self, name: str, reference: int | str | None = None) -> Json:
        if reference is None:
            default = self.model(name)["default"]
            reference = default["version"] if default else "champion"
        return self.run(calls.version(name, reference))

    def weights_file(self, name: str, version: int) -> bytes:
        return self.run(calls.file("models", name, "versions", version, "weights.npz"))

    def onnx_file(self, name: str, version: int) -> bytes:
        return self.run(calls.file("models", name, "versions", version, "weights.onnx"))

    def import_weights(self, name: str, content: bytes, *, classes: str, publish: str, dataset: str) -> Json:
        return self.run(calls.import_weights(name, content, classes=classes, publish=publish, dataset=dataset))

    def weights_picture(self, name: str, version: int) -> bytes:
        return self.run(calls.file("models", name, "versions", version, "weights.png"))

    move_alias = _asks(calls.move_alias)
    alias_history = _asks(calls.alias_history)
    evaluation = _asks(calls.evaluation)
    comparison = _asks(calls.comparison)

    # Images

    def predict(self, file: ImageFile, model: ModelReference) -> Json:
        body = file_body(file.data, file.media_type)
        return self.run(calls.ask("predict", body, model=model.name, version=model.version, alias=model.alias))

    def explain(self, file: ImageFile, model: ModelReference, *, digit: int | None, against: int | None) -> Json:
        return self.run(_question(file, model, digit, against))

    def explanation_picture(
        self, file: ImageFile, model: ModelReference, *, digit: int | None, against: int | None
    ) -> bytes:
        return self.run(calls.as_picture(_question(file, model, digit, against)))

    def preprocess(self, file: ImageFile) -> bytes:
        return self.run(calls.preprocess(file_body(file.data, file.media_type)))

    datasets = _asks(calls.datasets)
    add_dataset = _asks(calls.add_dataset)


def _question(file: ImageFile, model: ModelReference, digit: int | None, against: int | None) -> Call[Json]:
    body = file_body(file.data, file.media_type)
    who, version = {"model": model.name, "alias": model.alias}, model.version
    return calls.ask("explain", body, **who, version=version, digit=digit, against=against)
