"""What the desks of jobs, sweeps and reports have in common: accepting once, keeping the queue short, cancelling."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from service.core import StopReason
from service.database import (
    AcceptedKind,
    AdvisoryLock,
    Database,
    JobRow,
    accepted,
    audit_rows,
    audited_call,
    job_rows,
    submitter,
)
from service.datasets import PACKAGED, Datasets
from service.errors import IdempotencyMismatch, InvalidField, JobNotFound, QueueFull

from .states import JobState, sources

_ACCEPTED = 202
"""The status that the audit log has of what is accepted."""


def fingerprint(request: Mapping[str, Any]) -> str:
    """Return what tells whether two requests are the same."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


class _Shown(Protocol):
    """What an answer shows."""

    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_Shown)


class Desk:
    """What a desk needs at which jobs are handed in, alone or many together.

    Parameters
    ----------
    database : where they are written down; what was accepted is durable before `submit` returns.
    max_queue_length : jobs that may wait at a time.
    wake_engine : called after something happened that an engine in this process would like to know at once.
    datasets : that can be trained on.
    """

    def __init__(
        self,
        database: Database,
        *,
        max_queue_length: int,
        wake_engine: Callable[[], None],
        datasets: Datasets = PACKAGED,
    ):
        self._database = database
        self._datasets = datasets
        self._max_queue_length = max_queue_length
        self._wake_engine = wake_engine

    def _accept(
        self,
        kind: AcceptedKind,
        idempotency_key: str | None,
        request_sha256: str,
        insert: Callable[[Connection], T],
        show: Callable[[Connection, str], T],
    ) -> T:
        """Write something new down, or find what was accepted under the key before and show it as it is by now.

        One commit has what was accepted and the audit log's line of the call: neither is without the other, and
        the disk is waited for once.
        """
        call = audited_call.get()
        with self._database.write() as connection:
            AdvisoryLock.SUBMISSION.acquire(connection)
            known = accepted(connection, kind, idempotency_key) if idempotency_key else None
            if known is not None and known.request_sha256 != request_sha256:
                raise IdempotencyMismatch("This idempotency key was used before, with another request.")
            shown = insert(connection) if known is None else show(connection, known.id)
            if call is not None:
                audit_rows.insert(connection, call.line(_ACCEPTED, shown.id))
        if call is not None:
            call.recorded_status = _ACCEPTED
        self._wake_engine()
        return shown


def make_room(connection: Connection, n_jobs: int, max_queue_length: int) -> None:
    """Raise `QueueFull` if so many more jobs may not wait, or may not be of the key that they come with."""
    who = submitter.get()
    if who is not None and job_rows.count_unfinished(connection, who.key_id) + n_jobs > who.max_jobs:
        raise QueueFull(f"At most {who.max_jobs:,} jobs of one key may wait or run at a time; try again later.")
    if job_rows.count(connection, JobState.QUEUED) + n_jobs > max_queue_length:
        raise QueueFull(f"At most {max_queue_length:,} jobs may wait at a time; try again later.")


def cancel_row(connection: Connection, job_id: str) -> bool:
    """Move a job towards its cancellation; False when it is on its way there already, or over."""
    return job_rows.move(
        connection,
        job_id,
        to=JobState.CANCELLED,
        allowed_from=[JobState.QUEUED],
        final=True,
        stop_reason=StopReason.CANCELLED.value,
    ) or job_rows.move(connection, job_id, to=JobState.CANCELLING, allowed_from=sources(JobState.CANCELLING))


def job_row(connection: Connection, job_id: str) -> JobRow:
    """Return a job; raise `JobNotFound`."""
    row = job_rows.get(connection, job_id)
    if row is None:
        raise JobNotFound("There is no job of that id.")
    return row


def parse_cursor(cursor: str | None) -> int | None:
    """Return the number that a cursor stands for; refuse what no answer gave."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise InvalidField("The cursor must be one that an earlier answer gave.", field="before")
    return int(cursor)
