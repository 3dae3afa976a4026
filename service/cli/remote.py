"""Inkling on a server: the methods and errors of `LocalBackend`, each by a request of the client `inkling`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inkling import InklingClient, InklingError, Job, Report, Sweep
from inkling.call import read_record
from inkling.images import File
from inkling.predictions import post_image
from service.core.tables import weights_csv
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


def _call(call: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method that calls the client."""

    def method(self: RemoteBackend, *args: Any, **options: Any) -> Any:
        with _errors_of_the_service():
            return call(self.client, *args, **options)

    return method


class RemoteBackend:
    """Inkling on a server. `LocalBackend` says what each method takes and does, for both.

    Its key stands in a file, or in INKLING_KEY. Raises `InvalidField` if the URL is not one, or the key cannot be one.
    """

    is_remote = True
    trains_here = False

    def __init__(self, url: str, key_file: Path | None = None, *, arguments: str = "", **of_client: Any) -> None:
        key = key_file.read_text(errors="replace").strip() if key_file else None
        with _errors_of_the_service():
            self.client = InklingClient(url, key, **of_client)
        self.place = self.client.connection.place
        self.arguments = arguments

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def start_training(self) -> None:
        """Do nothing: the server trains."""

    # Jobs, sweeps and reports

    one = _call(lambda client, noun, object_id, **how: getattr(client, noun[:-1])(object_id, **how).data)
    page = _call(lambda client, noun, **search: _page(noun, getattr(client, noun)(**search)))
    act = _call(
        lambda client, noun, object_id, verb, changes=None, **options: (
            getattr(_one(client, noun, object_id), verb)(**(changes or options)).data
        )
    )
    annotate = _call(lambda client, noun, object_id, changes: _change(client, "annotate", noun, object_id, **changes))
    delete = _call(lambda client, noun, object_id, **how: _change(client, "delete", noun, object_id, **how))
    picture = _call(
        lambda client, noun, object_id, what, form: _one(client, noun, object_id).picture(what, format=form)
    )
    submit = _call(lambda client, request: client.train(**request).data)
    metrics = _call(lambda client, job_id: _one(client, "jobs", job_id).history())
    numbers = _call(lambda client, job_id, what: _numbers(_one(client, "jobs", job_id).numbers(what)))
    submit_sweep = _call(lambda client, request: _submit_sweep(client, **request).data)
    submit_report = _call(lambda client, request: client.train_report(**request).data)
    report_file = _call(lambda client, report_id, name: _report_file(_one(client, "reports", report_id), name))

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Any]:
        """See `LocalBackend.events`."""
        with _errors_of_the_service():
            yield from self.client.connection.events(job_id, after)

    # Models

    model = _call(InklingClient.model)
    version = _call(InklingClient.version)
    weights_file = _call(InklingClient.weights_file)
    onnx_file = _call(lambda client, name, version: client.weights_file(name, version, format="onnx"))
    import_weights = _call(InklingClient.import_weights)
    weights_picture = _call(InklingClient.weights)
    move_alias = _call(InklingClient.move_alias)
    alias_history = _call(lambda client, name, alias: list(client.alias_history(name, alias)))
    evaluation = _call(InklingClient.evaluate)
    comparison = _call(InklingClient.compare)

    # Images and data sets

    predict = _call(lambda client, image, **options: _answer(client, "predict", image, {}, **options))
    read = _call(lambda client, image, expect=None, **of: _answer(client, "read", image, {"expect": expect}, **of))
    reading_picture = _call(lambda client, image, **options: client.draw_reading(_file(image), **options))
    explain = _call(lambda client, image, **question: client.explain(_file(image), **question).details)
    explanation_picture = _call(lambda client, image, **question: client.explain(_file(image), **question).picture)
    preprocess = _call(lambda client, image, step=None: client.preprocess(_file(image), step=step))
    read_collection = _call(InklingClient.read_collection)
    add_collection = _call(InklingClient.add_collection)
    collect = _call(lambda client, name, image, label: client.collect(name, _file(image), label))
    relabel = _call(InklingClient.relabel)
    delete_collected_image = _call(InklingClient.delete_collected_image)
    freeze_collection = _call(InklingClient.freeze_collection)
    add_dataset = _call(
        lambda client, fields, files: client.add_dataset(
            **fields, **{part: (file.name or part, file.content) for part, file in files.items()}
        )
    )


_KINDS = {"jobs": Job, "sweeps": Sweep, "reports": Report}


def _one(client: InklingClient, noun: str, object_id: str) -> Any:
    """Return a job, sweep or report without asking for it, for what needs its id alone."""
    return _KINDS[noun](client.connection, {"id": object_id})


def _change(client: InklingClient, verb: str, noun: str, object_id: str, **how: Any) -> None:
    """Annotate or delete one of a noun."""
    if noun in _KINDS:
        getattr(_one(client, noun, object_id), verb)(**how)
    else:
        name, _, version = object_id.partition("/")
        getattr(client, f"{verb}_{noun[:-1]}")(name, *([int(version)] if version else []), **how)


def _numbers(found: Json) -> str:
    return weights_csv(found["outputs"], found["values"])


def _page(noun: str, found: Any) -> Json:
    return {noun: [getattr(one, "data", one) for one in found], "next": found.next}


def _submit_sweep(client: InklingClient, *, base: Json, grid: Json, **about: Any) -> Sweep:
    return client.train_sweep(grid, **base, **about)


def _report_file(report: Report, name: str) -> bytes:
    stem, _, suffix = name.rpartition(".")
    form: Any = suffix
    return report.document(form) if stem == "report" else report.figure(stem.removeprefix("figures/"), format=form)


def _answer(client: InklingClient, verb: str, image: ImageFile, params: Json, **options: Any) -> Json:
    """Return the answer itself, which the client makes values of."""
    answer: Json = client.connection.run(post_image(verb, read_record, _file(image).body, params, **options))
    return answer


def _file(image: ImageFile) -> File:
    return File(image.content, *([image.media_type] if image.media_type else []))
