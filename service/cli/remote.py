"""A server elsewhere, by its HTTP API."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import httpx

from service import __version__
from service.errors import InvalidField, ServiceError, ServiceUnreachable

from .backend import Event, ImageFile, Json, ModelReference, Picture, PictureFormat, SweepPicture
from .event_stream import Message, parse_messages
from .polling import poll_sweep
from .problem import raise_for_problem

_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_RETRY_S = 1.0
_MAX_UNANSWERED = 30
"""Attempts in a row to take a stream up again, before following is given up."""


class RemoteBackend:
    """A `Backend` that is a running server.

    Parameters
    ----------
    url : of the server, as in ``http://127.0.0.1:8000``.
    arguments : see `Backend.arguments`.

    Raises
    ------
    InvalidField
        The URL is not one.
    """

    is_remote = True
    trains_here = False

    def __init__(self, url: str, *, arguments: str = "") -> None:
        url = url.rstrip("/")
        if not re.match(r"https?://[^/]", url):
            raise InvalidField("The URL must name a server.", field="url", allowed="http://HOST:PORT or https://HOST")
        self.place = f"at {url}"
        self.arguments = arguments
        self._http = httpx.Client(
            base_url=f"{url}/api/v1",
            headers={"User-Agent": f"inkling/{__version__}"},
            timeout=_TIMEOUT,
        )

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
        self._http.close()

    # Jobs

    def submit(self, request: Mapping[str, Any]) -> Json:
        """See `Backend.submit`."""
        return self._submit("/jobs", request)

    def job(self, job_id: str) -> Json:
        """See `Backend.job`."""
        return self._json("GET", _path("jobs", job_id))

    def jobs(self, *, state: str | None = None, limit: int = 50, before: str | None = None) -> Json:
        """See `Backend.jobs`."""
        return self._json("GET", "/jobs", params=_given(state=state, limit=limit, before=before))

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """See `Backend.events`. A stream that breaks is taken up again after the last event that came."""
        unanswered, retry_s = 0, _RETRY_S
        while True:
            try:
                for message in self._messages(job_id, after):
                    unanswered = 0
                    if message.retry_ms is not None:
                        retry_s = message.retry_ms / 1000
                    if message.event == "end":
                        return
                    if message.id is not None:
                        after = int(message.id)
                        yield Event(id=after, kind=message.event, data=json.loads(message.data))
            except ServiceUnreachable:
                if unanswered >= _MAX_UNANSWERED:
                    raise
            unanswered += 1
            time.sleep(retry_s)

    def cancel(self, job_id: str) -> Json:
        """See `Backend.cancel`."""
        return self._json("POST", _path("jobs", job_id, "cancel"))

    def resume(self, job_id: str, changes: Mapping[str, Any]) -> Json:
        """See `Backend.resume`."""
        return self._submit(_path("jobs", job_id, "resume"), changes)

    def verify(self, job_id: str) -> Json:
        """See `Backend.verify`."""
        return self._submit(_path("jobs", job_id, "verify"), {})

    def delete(self, job_id: str) -> None:
        """See `Backend.delete`."""
        self._request("DELETE", _path("jobs", job_id))

    def metrics(self, job_id: str) -> Json:
        """See `Backend.metrics`."""
        return self._json("GET", _path("jobs", job_id, "metrics"))

    def job_picture(self, job_id: str, picture: Picture, picture_format: PictureFormat) -> bytes:
        """See `Backend.job_picture`."""
        return self._request("GET", _path("jobs", job_id, f"{picture}.{picture_format}")).content

    # Sweeps

    def submit_sweep(self, request: Mapping[str, Any]) -> Json:
        """See `Backend.submit_sweep`."""
        return self._submit("/sweeps", request)

    def sweep(self, sweep_id: str, *, rank_by: str | None = None) -> Json:
        """See `Backend.sweep`."""
        return self._json("GET", _path("sweeps", sweep_id), params=_given(rank_by=rank_by))

    def sweeps(self, *, limit: int = 50, before: str | None = None) -> Json:
        """See `Backend.sweeps`."""
        return self._json("GET", "/sweeps", params=_given(limit=limit, before=before))

    def watch_sweep(self, sweep_id: str, *, rank_by: str | None = None) -> Iterator[Json]:
        """See `Backend.watch_sweep`. A server that is away is asked again."""
        return poll_sweep(lambda: self.sweep(sweep_id, rank_by=rank_by))

    def cancel_sweep(self, sweep_id: str) -> Json:
        """See `Backend.cancel_sweep`."""
        return self._json("POST", _path("sweeps", sweep_id, "cancel"))

    def sweep_picture(self, sweep_id: str, picture: SweepPicture, picture_format: PictureFormat) -> bytes:
        """See `Backend.sweep_picture`."""
        return self._request("GET", _path("sweeps", sweep_id, f"{picture}.{picture_format}")).content

    # Reports

    def submit_report(self, request: Mapping[str, Any]) -> Json:
        """See `Backend.submit_report`."""
        return self._submit("/reports", request)

    def report(self, report_id: str) -> Json:
        """See `Backend.report`."""
        return self._json("GET", _path("reports", report_id))

    def cancel_report(self, report_id: str) -> Json:
        """See `Backend.cancel_report`."""
        return self._json("POST", _path("reports", report_id, "cancel"))

    def report_file(self, report_id: str, name: str) -> bytes:
        """See `Backend.report_file`."""
        return self._request("GET", _path("reports", report_id, *name.split("/"))).content

    # Models

    def models(self) -> list[Json]:
        """See `Backend.models`."""
        models: list[Json] = self._json("GET", "/models")["models"]
        return models

    def model(self, name: str) -> Json:
        """See `Backend.model`."""
        return self._json("GET", _path("models", name))

    def version(self, name: str, reference: int | str | None = None) -> Json:
        """See `Backend.version`."""
        if reference is None:
            default = self.model(name)["default"]
            reference = default["version"] if default else "champion"
        return self._json("GET", _path("models", name, "versions", reference))

    def weights_file(self, name: str, version: int) -> bytes:
        """See `Backend.weights_file`."""
        return self._request("GET", _path("models", name, "versions", version, "weights.npz")).content

    def weights_picture(self, name: str, version: int) -> bytes:
        """See `Backend.weights_picture`."""
        return self._request("GET", _path("models", name, "versions", version, "weights.png")).content

    def move_alias(self, name: str, alias: str, version: int, *, reason: str | None = None) -> Json:
        """See `Backend.move_alias`."""
        body = {"version": version, "reason": reason}
        return self._json("PUT", _path("models", name, "aliases", alias), json=body)

    def alias_history(self, name: str, alias: str) -> list[Json]:
        """See `Backend.alias_history`."""
        history: list[Json] = self._json("GET", _path("models", name, "aliases", alias, "history"))["history"]
        return history

    # Images

    def predict(self, file: ImageFile, model: ModelReference) -> Json:
        """See `Backend.predict`."""
        version = () if model.version is None else ("versions", model.version)
        path = _path("predict") if model.name is None else _path("models", model.name, *version, "predict")
        return self._json("POST", path, params=_given(alias=model.alias), **_body(file))

    def preprocess(self, file: ImageFile) -> bytes:
        """See `Backend.preprocess`."""
        return self._request("POST", "/preprocess", **_body(file)).content

    def datasets(self) -> list[Json]:
        """See `Backend.datasets`."""
        datasets: list[Json] = self._json("GET", "/datasets")["datasets"]
        return datasets

    # Requests

    def _submit(self, path: str, request: Mapping[str, Any]) -> Json:
        """Hand something in. If the answer is lost, asking again with the same key makes no second one."""
        headers = {"Idempotency-Key": uuid4().hex}
        try:
            return self._json("POST", path, json=dict(request), headers=headers)
        except ServiceUnreachable:
            return self._json("POST", path, json=dict(request), headers=headers)

    def _messages(self, job_id: str, after: int) -> Iterator[Message]:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(after)} if after else {})
        with (
            _transport_errors(self.place),
            self._http.stream("GET", _path("jobs", job_id, "events"), headers=headers) as response,
        ):
            if not response.is_success:
                response.read()
                raise_for_problem(response)
            yield from parse_messages(response.iter_lines())

    def _json(self, method: str, path: str, **request: Any) -> Json:
        try:
            answer = self._request(method, path, **request).json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ServiceError(f"What answers {self.place} is not Inkling.")
        return answer

    def _request(self, method: str, path: str, **request: Any) -> httpx.Response:
        with _transport_errors(self.place):
            response = self._http.request(method, path, **request)
        raise_for_problem(response)
        return response


@contextmanager
def _transport_errors(place: str) -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException as error:
        raise ServiceUnreachable(f"The server {place} did not answer in time.") from error
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise ServiceUnreachable(f"No server answers {place}; start one with: inkling serve") from error


def _path(*parts: str | int) -> str:
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


def _given(**values: str | int | None) -> dict[str, str | int]:
    return {name: value for name, value in values.items() if value is not None}


def _body(file: ImageFile) -> dict[str, Any]:
    return {"content": file.data, "headers": {"Content-Type": file.media_type or "application/octet-stream"}}
