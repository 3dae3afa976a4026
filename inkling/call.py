"""One request as a value: what is sent, and how the response is read. It is the same for both clients."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx

from .display import Picture, Record, Table
from .errors import NotFound

Json = dict[str, Any]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Result]):
    """A request that has not been made.

    Parameters
    ----------
    path : below ``/api/v1``, quoted.
    read : turns a successful response into the result, or into the call that comes next; ValueError, KeyError or
        TypeError if the response is none of Inkling's.
    request : further arguments of `httpx.Client.request`.
    repeatable : whether it may be sent again if its response is lost.
    pause_s : how long to wait before it is sent.
    n_repeats : how often it was sent already.
    retries : how often it may be repeated at least, even if the client has less.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], Result | Call[Result]]
    request: Mapping[str, Any] = field(default_factory=dict)
    repeatable: bool = False
    pause_s: float = 0.0
    n_repeats: int = 0
    retries: int = 0


def path_of(*parts: str | int) -> str:
    """Return a path, each part quoted; raise `NotFound` for ``.``, ``..`` and what is no Unicode: other addresses."""
    try:
        quoted = [quote(str(part), safe="") for part in parts]
    except UnicodeEncodeError:
        quoted = [".."]
    if not {".", ".."}.isdisjoint(quoted):
        raise NotFound("Nothing has this name.")
    return "".join(f"/{part}" for part in quoted)


def json_of(value: Any) -> str:
    """Return a value as JSON: arrays and numbers of NumPy as lists and numbers, sets, ranges and the like as lists.

    NaN and infinities are written, so that the server names the field that they stand in.
    """
    return json.dumps(value, default=_plain, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


def json_body(value: Any, headers: Mapping[str, str] | None = None) -> Json:
    """Return what sends a value as JSON, as arguments of `httpx.Client.request`."""
    return {"content": json_of(value).encode(), "headers": {"Content-Type": "application/json", **(headers or {})}}


def given(**values: Any) -> Json:
    """Return the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def read_record(response: httpx.Response) -> Record:
    """Read a JSON object."""
    answer = response.json()
    if not isinstance(answer, dict):
        raise ValueError("not an object")
    return Record(answer)


def read_list(response: httpx.Response) -> list[Json]:
    """Read a JSON list of objects."""
    answer = response.json()
    if not isinstance(answer, list):
        raise ValueError("not a list")
    return answer


def read_table(name: str) -> Callable[[httpx.Response], Table[Record]]:
    """Return what reads the list of this name in a JSON object, with its ``next``."""

    def read(response: httpx.Response) -> Table[Record]:
        answer = read_record(response)
        return Table(map(Record, answer[name]), next=answer.get("next"))

    return read


def read_picture(response: httpx.Response) -> Picture:
    """Read a picture."""
    return Picture(response.content)


def read_bytes(response: httpx.Response) -> bytes:
    """Read a file."""
    return response.content


def read_nothing(_: httpx.Response) -> None:
    """Read a response without a body."""


def get(read: Callable[[httpx.Response], Result | Call[Result]], *parts: str | int, **params: Any) -> Call[Result]:
    """Get something; parameters that are None are left out."""
    return Call(method="GET", path=path_of(*parts), read=read, request={"params": given(**params)}, repeatable=True)


def post(*parts: str | int, repeatable: bool = False, **request: Any) -> Call[Record]:
    """Request a change; ``request`` is further arguments of `httpx.Client.request`."""
    return Call(method="POST", path=path_of(*parts), read=read_record, request=request, repeatable=repeatable)


def patch(*parts: str | int, **changes: Any) -> Call[Record]:
    """Change some parts of something."""
    return Call(method="PATCH", path=path_of(*parts), read=read_record, request=json_body(changes), repeatable=True)


def delete(*parts: str | int, **params: Any) -> Call[None]:
    """Delete something; parameters that are None are left out."""
    return Call(method="DELETE", path=path_of(*parts), read=read_nothing, request={"params": given(**params)})


def submission(*parts: str | int, **body: Any) -> Call[Record]:
    """Submit something. With its Idempotency-Key it may be sent again without being done twice."""
    return post(*parts, repeatable=True, **json_body(body, {"Idempotency-Key": uuid4().hex}))
