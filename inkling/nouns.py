"""What jobs, sweeps and reports have in common: an id, a state, an end to wait for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, TextIO, TypedDict, Unpack

import httpx

from .call import Call, Json, delete, get, patch, post, read_record
from .display import Record, html_of
from .methods import request, request_of_noun

_FINAL = ("succeeded", "failed", "cancelled", "finished")
_RESTING = (*_FINAL, "paused")
_MIN_POLL_S, _MAX_POLL_S = 0.05, 1.0
_PATIENT = 30
"""How often waiting repeats a request that a server does not answer: it may restart meanwhile."""
_BAR_CHARS = 20


class Annotation(TypedDict, total=False):
    """What people write about something; nothing that is trained depends on it."""

    title: str
    """One line of at most 200 characters."""
    tags: Sequence[str]
    """At most 20, each of 1 to 40 characters without commas."""
    notes: str
    """At most 5,000 characters."""


class Search(TypedDict, total=False):
    """What is looked for in a list, and which page of it."""

    q: str | None
    """Words that must all be in the name, the title, the tags or the notes, or begin the id, in any case."""
    tag: str | Sequence[str] | None
    """Only those with this tag, or with all of these."""
    limit: int | None
    """How many at most; 50 jobs, sweeps or reports by default, all collections, 200 models or data sets."""
    before: str | None
    """The ``next`` of an earlier page."""


class GroupSearch(Search, total=False):
    """The same of what has many jobs."""

    state: Literal["running", "finished"] | None


class Noun:
    """Something that a server trains: ``data`` as the API returned it last."""

    path: ClassVar[str]
    """Where the API has its kind."""

    def __init__(self, connection: Any, data: Json) -> None:
        self.connection = connection
        self.data = Record(data)

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.data["id"])

    @property
    def state(self) -> str:
        """Its state, as in docs/api.md."""
        return str(self.data["state"])

    @property
    def is_over(self) -> bool:
        """Whether its state is final."""
        return self.state in _FINAL

    @property
    def summary(self) -> Json:
        """What a table shows of it."""
        shown = {
            "id": self.id,
            "name": _name(self.data),
            "state": self.state,
            "progress": f"{_fraction(self.data):.0%}",
        }
        return {**shown, "title": self.data["title"]} if self.data.get("title") else shown

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(str(value) for value in self.summary.values() if value)}>"

    def _repr_html_(self) -> str | None:
        return html_of(self)

    def _received(self, data: Json) -> Any:
        """Take what the API returned: about this one, or about another that was made of it."""
        if data["id"] != self.id:
            return type(self)(self.connection, data)
        self.data = Record(data)
        return self

    @request_of_noun
    def refresh(self) -> Call[Record]:
        """Get its present state."""
        return get(read_record, self.path, self.id)

    @request_of_noun
    def wait(self, *, progress: bool = False, timeout_s: float | None = None) -> Call[Record]:
        """Wait until it is over, whatever its end, or paused: see ``state``.

        With ``progress`` standard error shows how far it is. Raise TimeoutError if it is not over then; it continues.
        """
        show = ProgressLine().show if progress else lambda _: None
        deadline_s = time.monotonic() + (float("inf") if timeout_s is None else timeout_s)
        call = get(read_record, self.path, self.id)

        def poll(pause_s: float) -> Callable[[httpx.Response], Record | Call[Record]]:
            def read(response: httpx.Response) -> Record | Call[Record]:
                data = read_record(response)
                show(data)
                if data["state"] in _RESTING:
                    return data
                if time.monotonic() > deadline_s:
                    raise TimeoutError(f"It is not over after {timeout_s:g} s; it continues.")
                next_s = min(1.5 * pause_s, _MAX_POLL_S)
                return replace(call, read=poll(next_s), pause_s=pause_s, retries=_PATIENT)

            return read

        return replace(call, read=poll(_MIN_POLL_S), retries=_PATIENT)

    @request_of_noun
    def annotate(self, **changes: Unpack[Annotation]) -> Call[Record]:
        """Change its title, its tags as a whole, or its notes; what is not given stays."""
        return patch(self.path, self.id, **changes)

    @request_of_noun
    def cancel(self) -> Call[Record]:
        """Cancel it; the best weights so far become a model."""
        return post(self.path, self.id, "cancel")

    @request
    def delete(self) -> Call[None]:
        """Delete it, with its jobs; it must be over. Models that they made stay."""
        return delete(self.path, self.id)


def _name(data: Json) -> str:
    return str(data.get("name") or data.get("config", {}).get("name", "report"))


def _fraction(data: Json) -> float:
    fraction: float = data.get("progress", data).get("fraction", 1.0)
    return fraction


class ProgressLine:
    """A line of a terminal or below a notebook's cell, written over and over: on standard error, or ``stream``."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._length = 0

    def show(self, data: Json) -> None:
        """Write how far a job, sweep or report is, and at its end the state in which it ended."""
        done = round(_BAR_CHARS * _fraction(data))
        line = f"{_name(data)} [{'#' * done}{'.' * (_BAR_CHARS - done)}]"
        if check := data.get("metrics", {}).get("latest"):
            line += f" epoch {check['epoch']}  validation loss {check['validation_loss']:.4f}"
            line += f"  accuracy {check['validation_accuracy']:.2%}"
        self._stream.write("\r" + line.ljust(self._length))
        self._length = len(line)
        if data["state"] in _RESTING:
            self._stream.write(f"  {data['state']}\n")
        self._stream.flush()
