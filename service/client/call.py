"""One request to the service as a value: what is sent, and how the answer is read. It is the same for both clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx

from .picture import Picture

Json = dict[str, Any]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Result]):
    """A request that has not been made.

    Parameters
    ----------
    path : below ``/api/v1``, quoted.
    read : turns a successful answer into what the caller gets; ValueError if it is none of the service.
    request : further arguments of `httpx.Client.request`.
    repeatable : whether it may be sent again if its answer is lost.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], Result]
    request: Mapping[str, Any] = field(default_factory=dict)
    repeatable: bool = False


def path_of(*parts: str | int) -> str:
    """Return the path of an address, each part quoted."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


def given(**values: Any) -> dict[str, Any]:
    """Return the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def read_object(response: httpx.Response) -> Json:
    """Read a JSON object."""
    answer = response.json()
    if not isinstance(answer, dict):
        raise ValueError("not an object")
    return answer


def read_picture(response: httpx.Response) -> Picture:
    """Read a picture."""
    return Picture(response.content)


def read_bytes(response: httpx.Response) -> bytes:
    """Read a file."""
    return response.content


def read_nothing(_: httpx.Response) -> None:
    """Read an answer without a body."""


def read_list(name: str) -> Callable[[httpx.Response], list[Json]]:
    """Return what reads the list of this name in a JSON object."""

    def read(response: httpx.Response) -> list[Json]:
        found: list[Json] = read_object(response).get(name, [])
        return found

    return read
