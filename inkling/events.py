"""The events of a job, as Server-Sent Events: lines of text in, events out, over as many connections as it takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .call import Json, path_of
from .errors import ServiceUnreachable

_RETRY_S = 1.0
_MAX_UNANSWERED = 30
"""Connections in a row without a message, before following is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a job.

    ``id`` grows; ``kind`` is ``state`` or ``check``. ``data`` is the check with its ``progress``, or the
    ``state``, when it was entered (``at``) and why (``reason``).
    """

    id: int
    kind: str
    data: Json


class EventCursor:
    """How far the events of a job were read, over all connections; lines as the WHATWG standard defines them.

    Parameters
    ----------
    job_id : whose events.
    after : the id of the last event that is known already; 0 for none.
    """

    def __init__(self, job_id: str, after: int = 0) -> None:
        self.path = path_of("jobs", job_id, "events")
        self.is_over = False
        self.retry_s = _RETRY_S
        self._after = after
        self._unanswered = 0
        self._fields: dict[str, str] = {}

    @contextmanager
    def connection(self) -> Iterator[dict[str, str]]:
        """Suppress the loss of a connection, but not for ever; yield the headers of the request."""
        self._fields = {}  # what the end of a connection has cut off
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(self._after)} if self._after else {})
        try:
            yield headers
        except ServiceUnreachable:
            if self._unanswered >= _MAX_UNANSWERED:
                raise
        self._unanswered += 1

    def feed(self, line: str) -> Event | None:
        """Parse a line; return the event that it completes. Comments and unknown fields are left out."""
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            self._fields[name] = f"{self._fields['data']}\n{value}" if name == "data" in self._fields else value
            return None
        fields, self._fields = self._fields, {}
        self._unanswered = 0
        if fields.get("retry", "").isdecimal():
            self.retry_s = int(fields["retry"]) / 1000
        self.is_over = fields.get("event") == "end"
        if self.is_over or not {"id", "event", "data"} <= fields.keys():
            return None
        self._after = int(fields["id"])
        return Event(id=self._after, kind=fields["event"], data=json.loads(fields["data"]))
