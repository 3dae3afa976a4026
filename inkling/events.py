"""The events of a job, as Server-Sent Events: lines of text in, events out, over as many connections as it takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .call import Json, path_of
from .errors import ServiceUnreachable

_RETRY_S = 1.0
_MAX_UNANSWERED = 30
"""Connections in a row without a line, before following is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a job.

    ``id`` grows; ``kind`` is ``state`` or ``check``. ``data`` is the check with its ``progress``, or the
    ``state``, when it was entered (``at``) and why (``reason``).
    """

    id: int
    kind: str
    data: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a stream. ``retry_ms`` is how long to wait before reconnecting, if it says so."""

    id: str | None = None
    event: str = "message"
    data: str = ""
    retry_ms: int | None = None


class MessageParser:
    """Parses the lines of a ``text/event-stream``, as the WHATWG standard defines it; comments are left out.

    Messages without data are returned too, unlike in a browser: ``event: end`` is one. What the end of the
    stream cuts off is dropped.
    """

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}
        self._data: list[str] = []

    def feed(self, line: str) -> Message | None:
        """Parse a line; return the message that it completes."""
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


class EventCursor:
    """How far the events of a job were read, over all connections.

    Parameters
    ----------
    job_id : whose events.
    after : the id of the last event that is known already; 0 for none.
    """

    def __init__(self, job_id: str, after: int) -> None:
        self.path = path_of("jobs", job_id, "events")
        self.is_over = False
        self.retry_s = _RETRY_S
        self._after = after
        self._unanswered = 0
        self._parser = MessageParser()

    @contextmanager
    def connection(self) -> Iterator[dict[str, str]]:
        """Suppress the loss of a connection, but not for ever; yield the headers of the request."""
        self._parser = MessageParser()
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(self._after)} if self._after else {})
        try:
            yield headers
        except ServiceUnreachable:
            if self._unanswered >= _MAX_UNANSWERED:
                raise
        self._unanswered += 1

    def feed(self, line: str) -> Event | None:
        """Parse a line; return the event that it completes."""
        message = self._parser.feed(line)
        if message is None:
            return None
        self._unanswered = 0
        if message.retry_ms is not None:
            self.retry_s = message.retry_ms / 1000
        if message.event == "end":
            self.is_over = True
        elif message.id is not None:
            self._after = int(message.id)
            return Event(id=self._after, kind=message.event, data=json.loads(message.data))
        return None
