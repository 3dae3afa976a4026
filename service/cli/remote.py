"""A server elsewhere, by its HTTP API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

from inkling import Event, Explanation, InklingClient, InklingError, Job, Report, Sweep
from inkling.images import File
from service.errors import TooManyRequests, Unauthenticated, error_of_code

from .backend import Backend, ImageFile, Json, ModelReference, Picture, PictureFormat, SweepPicture
from .polling import poll_sweep

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


@contextmanager
def _errors_of_the_service() -> Iterator[None]:
    """Raise what the client raises as the errors that every backend raises."""
    try:
        yield
    except InklingError as error:
        kind = error_of_code(error.code)
        if kind is Unauthenticated:
            raise kind(f"{error.message} --key-file names a file that holds it.") from error
        if kind is TooManyRequests:
            raise TooManyRequests(error.message, retry_after_s=error.retry_after_s or 1.0) from error
        raise kind(error.message, field=error.field, allowed=error.allowed) from error


def _run(method: Callable[_Given, _Result], *args: _Given.args, **options: _Given.kwargs) -> _Result:
    with _errors_of_the_service():
        return method(*args, **options)


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
        self._client = _run(InklingClient, url, key)
        self.place = self._client.connection.place
        self.arguments = arguments

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    # Nouns that are known by their id alone

    def _job(self, job_id: str) -> Job:
        return Job(self._client.connection, {"id": job_id})

    def _sweep(self, sweep_id: str) -> Sweep:
        return Sweep(self._client.connection, {"id": sweep_id})

    def _report(self, report_id: str) -> Report:
        return Report(self._client.connection, {"id": report_id})

    # Jobs

    def submit(self, request: Mapping[str, Any]) -> Json:
        return _run(self._client.train, **request).data

    def job(self, job_id: str) -> Json:
        return _run(self._client.job, job_id).data

    def jobs(self, *, state: Any = None, limit: int = 50, before: str | None = None) -> Json:
        page = _run(self._client.jobs, state=state, limit=limit, before=before)
        return {"jobs": [job.data for job in page], "next": page.next}

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        with _errors_of_the_service():
            yield from self._client.connection.events(job_id, after)

    def cancel(self, job_id: str) -> Json:
        return _run(self._job(job_id).cancel).data

    def resume(self, job_id: str, changes: Mapping[str, Any]) -> Json:
        return _run(self._job(job_id).resume, **changes).data

    def verify(self, job_id: str) -> Json:
        return _run(self._job(job_id).verify).data

    def delete(self, job_id: str) -> None:
        _run(self._job(job_id).delete)

    def metrics(self, job_id: str) -> Json:
        return _run(self._job(job_id).history)

    def job_picture(self, job_id: str, picture: Picture, picture_format: PictureFormat) -> bytes:
        return _run(self._job(job_id).picture, picture, format=picture_format)

    # Sweeps

    def submit_sweep(self, request: Mapping[str, Any]) -> Json:
        others = {name: value for name, value in request.items() if name not in ("base", "grid")}
        return _run(self._client.train_sweep, request["grid"], **request["base"], **others).data

    def sweep(self, sweep_id: str, *, rank_by: Any = None) -> Json:
        return _run(self._client.sweep, sweep_id, rank_by=rank_by).data

    def sweeps(self, *, limit: int = 50, before: str | None = None) -> Json:
        page = _run(self._client.sweeps, limit=limit, before=before)
        return {"sweeps": [sweep.data for sweep in page], "next": page.next}

    def watch_sweep(self, sweep_id: str, *, rank_by: str | None = None) -> Iterator[Json]:
        return poll_sweep(lambda: self.sweep(sweep_id, rank_by=rank_by))

    def cancel_sweep(self, sweep_id: str) -> Json:
        return _run(self._sweep(sweep_id).cancel).data

    def sweep_picture(self, sweep_id: str, picture: SweepPicture, picture_format: PictureFormat) -> bytes:
        return _run(self._sweep(sweep_id).picture, picture, format=picture_format)

    # Reports

    def submit_report(self, request: Mapping[str, Any]) -> Json:
        return _run(self._client.train_report, **request).data

    def report(self, report_id: str) -> Json:
        return _run(self._client.report, report_id).data

    def cancel_report(self, report_id: str) -> Json:
        return _run(self._report(report_id).cancel).data

    def report_file(self, report_id: str, name: str) -> bytes:
        report = self._report(report_id)
        stem, _, form = name.rpartition(".")
        if stem == "report":
            return _run(report.document, cast("Any", form))
        return _run(report.figure, stem.removeprefix("figures/"), format=cast("Any", form))

    # Models

    def models(self) -> list[Json]:
        return list(_run(self._client.models))

    def model(self, name: str) -> Json:
        return _run(self._client.model, name)

    def version(self, name: str, reference: int | str | None = None) -> Json:
        return _run(self._client.version, name, reference)

    def weights_file(self, name: str, version: int) -> bytes:
        return _run(self._client.weights_file, name, version)

    def onnx_file(self, name: str, version: int) -> bytes:
        return _run(self._client.weights_file, name, version, format="onnx")

    def import_weights(self, name: str, content: bytes, *, classes: str, publish: Any, dataset: str) -> Json:
        labels = [int(label) for label in classes.split(",") if label]
        return _run(self._client.import_weights, name, content, classes=labels, publish=publish, dataset=dataset)

    def weights_picture(self, name: str, version: int) -> bytes:
        return _run(self._client.weights, name, version)

    def move_alias(self, name: str, alias: str, version: int, *, reason: str | None = None) -> Json:
        return _run(self._client.move_alias, name, alias, version, reason=reason)

    def alias_history(self, name: str, alias: str) -> list[Json]:
        return list(_run(self._client.alias_history, name, alias))

    def evaluation(self, name: str, version: int) -> Json:
        return _run(self._client.evaluate, name, version)

    def comparison(self, models: Any) -> Json:
        return _run(self._client.compare, models)

    # Images

    def predict(self, file: ImageFile, model: ModelReference) -> Json:
        asked = partial(self._client.predict_all, model=model.name, version=model.version, alias=model.alias)
        predictions = [asdict(one) for one in _run(asked, _sent(file))]
        for one in predictions:
            one["probabilities"] = {str(label): value for label, value in one["probabilities"].items()}
            one |= {name: list(one[name]) for name in ("preprocessing", "warnings")}
            answer = {name: one.pop(name) for name in ("model", "version")}
        return {**answer, "predictions": predictions}

    def explain(self, file: ImageFile, model: ModelReference, *, digit: int | None, against: int | None) -> Json:
        return self._explanation(file, model, digit, against).details

    def explanation_picture(
        self, file: ImageFile, model: ModelReference, *, digit: int | None, against: int | None
    ) -> bytes:
        return self._explanation(file, model, digit, against).picture

    def _explanation(
        self, file: ImageFile, model: ModelReference, digit: int | None, against: int | None
    ) -> Explanation:
        asked = partial(self._client.explain, model=model.name, version=model.version, alias=model.alias)
        return _run(asked, _sent(file), digit=digit, against=against)

    def preprocess(self, file: ImageFile) -> bytes:
        return _run(self._client.preprocess, _sent(file))

    def datasets(self) -> list[Json]:
        return list(_run(self._client.datasets))

    def add_dataset(self, words: Mapping[str, str], files: Mapping[str, bytes]) -> Json:
        named: dict[str, Any] = {**words, **files}
        if "class_names" in words:
            named["class_names"] = json.loads(words["class_names"])
        return _run(self._client.add_dataset, **named)


def _sent(file: ImageFile) -> File:
    return File(file.data, *([file.media_type] if file.media_type else []))
