"""Inkling on a server: the methods and errors of `LocalBackend`, each by a request of the client `inkling`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from inkling import InklingClient, InklingError, Job, Prediction, Report, Sweep
from inkling.images import File
from service.errors import TooManyRequests, Unauthenticated, error_of_code
from service.inference import ImageFile

from .backend import Json


@contextmanager
def _errors_of_the_service() -> Iterator[None]:
    """Raise the client's errors as those of `service.errors`."""
    try:
        yield
    except InklingError as error:
        kind = error_of_code(error.code)
        if kind is Unauthenticated:
            raise kind(f"{error.message} --key-file names a file that holds it.") from error
        if kind is TooManyRequests:
            raise TooManyRequests(error.message, retry_after_s=error.retry_after_s or 1.0) from error
        raise kind(error.message, field=error.field, allowed=error.allowed) from error


def _asks(ask: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method of what asks the client."""

    def method(self: RemoteBackend, *args: Any, **options: Any) -> Any:
        with _errors_of_the_service():
            return ask(self.client, *args, **options)

    return method


class RemoteBackend:
    """Inkling on a server. `LocalBackend` says what each method takes and does, for both.

    Raises
    ------
    InvalidField : the URL is not one, or the key cannot be one.
    """

    is_remote = True
    trains_here = False

    def __init__(self, url: str, key: str = "", *, arguments: str = "", **of_client: Any) -> None:
        with _errors_of_the_service():
            self.client = InklingClient(url, key, **of_client)
        self.place = self.client.connection.place
        self.arguments = arguments

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def start_training(self) -> None:
        """Do nothing: the server trains."""

    # Jobs

    submit = _asks(lambda client, request: client.train(**request).data)
    job = _asks(lambda client, job_id: client.job(job_id).data)
    jobs = _asks(lambda client, **page: _page("jobs", client.jobs(**page)))
    cancel = _asks(lambda client, job_id: _job(client, job_id).cancel().data)
    pause = _asks(lambda client, job_id: _job(client, job_id).pause().data)
    proceed = _asks(lambda client, job_id, **by: _job(client, job_id).proceed(**by).data)
    resume = _asks(lambda client, job_id, changes: _job(client, job_id).resume(**changes).data)
    verify = _asks(lambda client, job_id: _job(client, job_id).verify().data)
    delete = _asks(lambda client, job_id: _job(client, job_id).delete())
    metrics = _asks(lambda client, job_id: _job(client, job_id).history())
    job_picture = _asks(lambda client, job_id, picture, form: _job(client, job_id).picture(picture, format=form))

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Any]:
        """See `LocalBackend.events`."""
        with _errors_of_the_service():
            yield from self.client.connection.events(job_id, after)

    # Sweeps and reports

    submit_sweep = _asks(lambda client, request: _submit_sweep(client, **request).data)
    sweep = _asks(lambda client, sweep_id, **options: client.sweep(sweep_id, **options).data)
    sweeps = _asks(lambda client, **page: _page("sweeps", client.sweeps(**page)))
    cancel_sweep = _asks(lambda client, sweep_id: _sweep(client, sweep_id).cancel().data)
    delete_sweep = _asks(lambda client, sweep_id: _sweep(client, sweep_id).delete())
    sweep_picture = _asks(
        lambda client, sweep_id, picture, form: _sweep(client, sweep_id).picture(picture, format=form)
    )
    reports = _asks(lambda client, **page: _page("reports", client.reports(**page)))
    delete_report = _asks(
        lambda client, report_id, keep_runs=False: _report(client, report_id).delete(keep_runs=keep_runs)
    )
    submit_report = _asks(lambda client, request: client.train_report(**request).data)
    report = _asks(lambda client, report_id: client.report(report_id).data)
    cancel_report = _asks(lambda client, report_id: _report(client, report_id).cancel().data)
    report_file = _asks(lambda client, report_id, name: _report_file(_report(client, report_id), name))

    # Models

    models = _asks(lambda client, **page: _page("models", client.models(**page)))
    model = _asks(lambda client, name: client.model(name))
    version = _asks(lambda client, name, reference=None: client.version(name, reference))
    weights_file = _asks(lambda client, name, version: client.weights_file(name, version))
    onnx_file = _asks(lambda client, name, version: client.weights_file(name, version, format="onnx"))
    import_weights = _asks(lambda client, name, content, **options: client.import_weights(name, content, **options))
    weights_picture = _asks(lambda client, name, version: client.weights(name, version))
    delete_version = _asks(lambda client, name, version: client.delete_version(name, version))
    delete_model = _asks(lambda client, name: client.delete_model(name))
    move_alias = _asks(lambda client, *args, **options: client.move_alias(*args, **options))
    alias_history = _asks(lambda client, name, alias: list(client.alias_history(name, alias)))
    evaluation = _asks(lambda client, name, version: client.evaluate(name, version))
    comparison = _asks(lambda client, models: client.compare(models))

    # Images and data sets

    predict = _asks(lambda client, image, **asked: _answer(client.predict_all(_file(image), **asked)))
    read = _asks(lambda client, image, **asked: _plain(client.read(_file(image), **asked)))
    reading_picture = _asks(lambda client, image, **asked: client.draw_reading(_file(image), **asked))
    explain = _asks(lambda client, image, **question: client.explain(_file(image), **question).details)
    explanation_picture = _asks(lambda client, image, **question: client.explain(_file(image), **question).picture)
    preprocess = _asks(lambda client, image, step=None: client.preprocess(_file(image), step=step))
    collections = _asks(lambda client, **page: _page("collections", client.collections(**page)))
    read_collection = _asks(lambda client, name, **asked: client.read_collection(name, **asked))
    add_collection = _asks(lambda client, name: client.add_collection(name))
    collect = _asks(lambda client, name, image, label: client.collect(name, _file(image), label))
    relabel = _asks(lambda client, name, image_id, label: client.relabel(name, image_id, label))
    delete_collected_image = _asks(lambda client, name, image_id: client.delete_collected_image(name, image_id))
    delete_collection = _asks(lambda client, name: client.delete_collection(name))
    freeze_collection = _asks(lambda client, name: client.freeze_collection(name))
    datasets = _asks(lambda client, **page: _page("datasets", client.datasets(**page)))
    delete_dataset = _asks(lambda client, name: client.delete_dataset(name))
    add_dataset = _asks(
        lambda client, fields, files: client.add_dataset(
            **fields, **{part: (file.name or part, file.content) for part, file in files.items()}
        )
    )
    annotate = _asks(lambda client, kind, object_id, changes: _ANNOTATE[kind](client, object_id, **changes))


def _job(client: InklingClient, job_id: str) -> Job:
    return Job(client.connection, {"id": job_id})


def _sweep(client: InklingClient, sweep_id: str) -> Sweep:
    return Sweep(client.connection, {"id": sweep_id})


def _report(client: InklingClient, report_id: str) -> Report:
    return Report(client.connection, {"id": report_id})


_ANNOTATE: dict[str, Callable[..., Any]] = {
    "jobs": lambda client, job_id, **changes: _job(client, job_id).annotate(**changes),
    "sweeps": lambda client, sweep_id, **changes: _sweep(client, sweep_id).annotate(**changes),
    "reports": lambda client, report_id, **changes: _report(client, report_id).annotate(**changes),
    "versions": lambda client, version, **changes: client.annotate_version(*version.split("/"), **changes),
    "datasets": lambda client, name, **changes: client.annotate_dataset(name, **changes),
    "collections": lambda client, name, **changes: client.annotate_collection(name, **changes),
}


def _page(noun: str, found: Any) -> Json:
    return {noun: [getattr(one, "data", one) for one in found], "next": found.next}


def _submit_sweep(client: InklingClient, *, base: Json, grid: Json, **about: Any) -> Sweep:
    return client.train_sweep(grid, **base, **about)


def _report_file(report: Report, name: str) -> bytes:
    stem, _, suffix = name.rpartition(".")
    form: Any = suffix
    return report.document(form) if stem == "report" else report.figure(stem.removeprefix("figures/"), format=form)


def _answer(predictions: list[Prediction]) -> Json:
    """Return predictions as the API does: model and version once, since they are those of all."""
    shown = [_plain(one) for one in predictions]
    for one in shown:
        del one["name"]  # that of the command line stands for it
        source = {name: one.pop(name) for name in ("model", "version")}
    return {**source, "predictions": shown}


def _plain(answer: Any) -> Json:
    shown: Json = json.loads(json.dumps(asdict(answer)))
    return shown


def _file(image: ImageFile) -> File:
    return File(image.content, *([image.media_type] if image.media_type else []))
