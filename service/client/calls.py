"""Every request that the service answers, as values. See ``docs/api.md`` for what each does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from .call import Call, Json, given, path_of, read_bytes, read_list, read_nothing, read_object, read_picture
from .images import file_body
from .picture import Picture


def _get(*parts: str | int, **params: Any) -> Call[Json]:
    return Call(method="GET", path=path_of(*parts), read=read_object, request={"params": given(**params)})


def _list(name: str, *parts: str | int) -> Call[list[Json]]:
    return Call(method="GET", path=path_of(*parts), read=read_list(name))


def _post(*parts: str | int) -> Call[Json]:
    return Call(method="POST", path=path_of(*parts), read=read_object)


def submission(*parts: str | int, body: Mapping[str, Any]) -> Call[Json]:
    """Hand something in. If the answer is lost, asking again with the same key makes no second one."""
    request = {"json": dict(body), "headers": {"Idempotency-Key": uuid4().hex}}
    return Call(method="POST", path=path_of(*parts), read=read_object, request=request, repeatable=True)


def file(*parts: str | int) -> Call[bytes]:
    """Return a file."""
    return Call(method="GET", path=path_of(*parts), read=read_bytes)


def picture(*parts: str | int, **params: Any) -> Call[Picture]:
    """Return a picture."""
    return Call(method="GET", path=path_of(*parts), read=read_picture, request={"params": given(**params)})


# Jobs


def job(job_id: str) -> Call[Json]:
    """Return a job."""
    return _get("jobs", job_id)


def jobs(*, state: str | None = None, limit: int = 50, before: str | None = None) -> Call[Json]:
    """Return a page of jobs."""
    return _get("jobs", state=state, limit=limit, before=before)


def cancel(noun: str, id_: str) -> Call[Json]:
    """Cancel one of the ``jobs``, ``sweeps`` or ``reports``."""
    return _post(noun, id_, "cancel")


def delete_job(job_id: str) -> Call[None]:
    """Delete a job."""
    return Call(method="DELETE", path=path_of("jobs", job_id), read=read_nothing)


def metrics(job_id: str) -> Call[Json]:
    """Return the metric history of a job."""
    return _get("jobs", job_id, "metrics")


# Sweeps and reports


def sweep(sweep_id: str, *, rank_by: str | None = None) -> Call[Json]:
    """Return a sweep."""
    return _get("sweeps", sweep_id, rank_by=rank_by)


def sweeps(*, limit: int = 50, before: str | None = None) -> Call[Json]:
    """Return a page of sweeps."""
    return _get("sweeps", limit=limit, before=before)


def report(report_id: str) -> Call[Json]:
    """Return a report."""
    return _get("reports", report_id)


# Models


def models() -> Call[list[Json]]:
    """Return a summary of every model."""
    return _list("models", "models")


def model(name: str) -> Call[Json]:
    """Return a model with all its versions."""
    return _get("models", name)


def version(name: str, reference: int | str) -> Call[Json]:
    """Return the manifest of a version."""
    return _get("models", name, "versions", reference)


def evaluation(name: str, version: int | str) -> Call[Json]:
    """Return how a version does on the test images."""
    return _get("models", name, "versions", version, "evaluation")


def import_weights(name: str, content: bytes, **params: str) -> Call[Json]:
    """Make the next version of a model of a ``.npz`` file."""
    request = {**file_body(content, None), "params": params}
    return Call(method="POST", path=path_of("models", name, "versions"), read=read_object, request=request)


def comparison(models: Sequence[str]) -> Call[Json]:
    """Hold versions, each as ``name/version``, against the first of them."""
    return _get("compare", model=list(models))


def move_alias(name: str, alias: str, version: int, *, reason: str | None = None) -> Call[Json]:
    """Let an alias name a version."""
    body = {"json": {"version": version, "reason": reason}}
    return Call(method="PUT", path=path_of("models", name, "aliases", alias), read=read_object, request=body)


def alias_history(name: str, alias: str) -> Call[list[Json]]:
    """Return every move of an alias."""
    return _list("history", "models", name, "aliases", alias, "history")


# Images


def ask(
    verb: str,
    body: Mapping[str, Any],
    *,
    model: str | None = None,
    version: int | str | None = None,
    alias: str | None = None,
    **params: Any,
) -> Call[Json]:
    """Let a model ``predict`` or ``explain``."""
    of_version = () if version is None else ("versions", version)
    path = path_of(verb) if model is None else path_of("models", model, *of_version, verb)
    request = {**body, "params": given(alias=alias, **params)}
    return Call(method="POST", path=path, read=read_object, request=request, repeatable=True)


def as_picture(call: Call[Json], **params: Any) -> Call[Picture]:
    """Turn a question into the one for its picture."""
    request = {**call.request, "params": {**call.request["params"], **params}}
    return Call(method=call.method, path=f"{call.path}.png", read=read_picture, request=request, repeatable=True)


def preprocess(body: Mapping[str, Any]) -> Call[Picture]:
    """Return the 28x28 picture that a model would see."""
    return Call(method="POST", path="/preprocess", read=read_picture, request=body, repeatable=True)


def datasets() -> Call[list[Json]]:
    """Describe every data set."""
    return _list("datasets", "datasets")


def add_dataset(words: Mapping[str, str], files: Mapping[str, bytes]) -> Call[Json]:
    """Add a data set."""
    request = {"data": dict(words), "files": {name: (name, data) for name, data in files.items()}}
    return Call(method="POST", path=path_of("datasets"), read=read_object, request=request, repeatable=True)
