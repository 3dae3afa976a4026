"""Server-Sent Events: lines of text in, messages out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a stream. ``retry_ms`` is how long to wait before reconnecting, if it says so."""

    id: str | None = None
    event: str = "message"
    data: str = ""
    retry_ms: int | None = None


def parse_messages(lines: Iterable[str]) -> Iterator[Message]:
    """Yield the messages of a ``text/event-stream``, as the WHATWG standard defines them; comments are left out.

    Messages without data are handed on too, unlike in a browser: ``event: end`` is one. What the end of the
    stream cuts off is dropped.
    """
    fields: dict[str, Any] = {}
    data: list[str] = []
    for line in lines:
        if not line:
            if fields or data:
                yield Message(**fields, data="\n".join(data))
            fields, data = {}, []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "id" | "event":
                fields[name] = value
            case "data":
                data.append(value)
            case "retry" if value.isdecimal():
                fields["retry_ms"] = int(value)
