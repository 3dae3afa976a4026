"""Server-Sent Events: lines of text in, messages out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a stream. ``retry_ms`` is how long to wait before reconnecting, if it says so."""

    id: str | None = None
    event: str = "message"
    data: str = ""
    retry_ms: int | None = None


class MessageParser:
    """Takes the lines of a ``text/event-stream``, as the WHATWG standard defines it; comments are left out.

    Messages without data are handed on too, unlike in a browser: ``event: end`` is one. What the end of the
    stream cuts off is dropped.
    """

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}
        self._data: list[str] = []

    def feed(self, line: str) -> Message | None:
        """Take a line; return the message that it completes."""
        if not line:
            is_message = bool(self._fields or self._data)
            message = Message(**self._fields, data="\n".join(self._data)) if is_message else None
            self._fields, self._data = {}, []
            return message
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "id" | "event":
                self._fields[name] = value
            case "data":
                self._data.append(value)
            case "retry" if value.isdecimal():
                self._fields["retry_ms"] = int(value)
        return None
