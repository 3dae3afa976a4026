"""A row of the table of bad inputs: what is sent, and how it must be answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NO_JOB = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
JSON = {"Content-Type": "application/json"}
OCTETS = {"Content-Type": "application/octet-stream"}
CANARY = "sesame"
"""Stands in whatever a case can put it into. No answer and no line of the log may repeat it."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One bad input.

    Parameters
    ----------
    number : in the list of bad inputs, at the head of `test_bad_inputs`.
    path : below ``/api/v1``, unless it begins with ``//``.
    request : what `httpx.Client.request` takes.
    raw : bytes for a socket, instead of a request.
    status : of the answer; None: the connection is closed instead, or it may be.
    problem : the last part of the problem's type; None where the answer is no error.
    place : the pointer, parameter or header that is named first.
    ours : why the answer is not the usual one.
    """

    number: int
    name: str
    method: str = "GET"
    path: str = "/jobs"
    request: Mapping[str, Any] = field(default_factory=dict)
    raw: bytes | None = None
    status: int | None
    or_closed: bool = False
    problem: str | None = None
    place: str | None = None
    ours: str = ""

    def __str__(self) -> str:
        return f"{self.number} {self.name}"


def get(number: int, path: str, status: int, problem: str | None, place: str | None = None, **more: Any) -> Case:
    name = more.pop("name", path if len(path) < 80 else f"{path[:60]}...")
    return Case(number=number, name=name, path=path, status=status, problem=problem, place=place, **more)


def post(
    number: int, name: str, content: Any, status: int, problem: str | None, place: str | None = None, **more: Any
) -> Case:
    """Post JSON, given as bytes or as a value."""
    encoded = content if isinstance(content, bytes) else json.dumps(content).encode()
    request = {"content": encoded, "headers": {**JSON, **more.pop("headers", {})}}
    return Case(
        number=number,
        name=name,
        method="POST",
        request=request,
        status=status,
        problem=problem,
        place=place,
        **more,
    )


def raw(number: int, name: str, content: bytes, status: int | None, problem: str | None = None, **more: Any) -> Case:
    return Case(number=number, name=name, raw=content, status=status, problem=problem, **more)
