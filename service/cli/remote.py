"""Inkling on a server: the methods and errors of `LocalBackend`, each a request of the client `inkling`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from inkling import InklingClient, InklingError, Job, Report, Sweep
from inkling.call import Call, delete, get, patch, read_bytes, read_record, submission
from inkling.images import File
from inkling.predictions import post_image
from service.errors import TooManyRequests, Unauthenticated, error_of_code
from service.inference import ImageFile

_KINDS = {"jobs": Job, "sweeps": Sweep, "reports": Report}


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


def _request(make: Callable[..., Call[Any]]) -> Callable[..., Any]:
    """Make a method that sends a request and returns the answer as it is, without the client's classes."""
    return _call(lambda client, *args, **options: client.connection.run(make(*args, **options)))


def _image(verb: str, read: Callable[[httpx.Response], Any], **fixed: Any) -> Callable[..., Any]:
    """Make a method that sends an image, and the options that it is given."""
    return _request(lambda image, **options: post_image(verb, read, _file(image).body, **fixed, **options))


def _path(noun: str, object_id: str) -> tuple[str, ...]:
    """Return where the API has one of a noun; a version is named as ``name/version``."""
    name, _, version = object_id.rpartition("/")
    return ("models", name, "versions", version) if noun == "versions" else (noun, object_id)


def _get_file(noun: str, object_id: str, name: str) -> Call[bytes]:
    stem, _, ending = name.rpartition(".")
    if ending == "csv":
        return replace(get(read_bytes, noun, object_id, stem), request={"headers": {"Accept": "text/csv"}})
    return get(read_bytes, *_path(noun, object_id), *name.split("/"))


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

    # Every noun

    one = _request(lambda noun, object_id, **how: get(read_record, noun, object_id, **how))
    page = _request(lambda noun, **search: get(read_record, noun, **search))
    file = _request(_get_file)
    submit = _request(lambda noun, request: submission(noun, **request))
    annotate = _request(lambda noun, object_id, changes: patch(*_path(noun, object_id), **changes))
    delete = _request(lambda noun, id_, keep_runs=None: delete(*_path(noun, id_), keep_runs=keep_runs or None))
    act = _call(
        lambda client, noun, object_id, verb, changes=None, **options: (
            getattr(_KINDS[noun](client.connection, {"id": object_id}), verb)(**(changes or options)).data
        )
    )
    metrics = _request(lambda job_id: get(read_record, "jobs", job_id, "metrics"))

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Any]:
        """See `LocalBackend.events`."""
        with _errors_of_the_service():
            yield from self.client.connection.events(job_id, after)

    # Models

    version = _call(InklingClient.version)
    import_weights = _call(InklingClient.import_weights)
    move_alias = _call(InklingClient.move_alias)
    alias_history = _call(InklingClient.alias_history)
    evaluation = _call(InklingClient.evaluate)
    comparison = _call(InklingClient.compare)

    # Images and data sets

    predict = _image("predict", read_record)
    read = _image("read", read_record)
    reading_picture = _image("read.png", read_bytes)
    explain = _image("explain", read_record)
    explanation_picture = _image("explain.png", read_bytes, upscale=8)
    preprocess = _image("preprocess", read_bytes)
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


def _file(image: ImageFile) -> File:
    return File(image.content, *([image.media_type] if image.media_type else []))
