"""What the desks of jobs, sweeps and reports have in common: accepting once, keeping the queue short, cancelling."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from service.core import StopReason
from service.database import job_rows, submitter
from service.errors import IdempotencyMismatch, InvalidField, QueueFull

from .states import JobState, sources


def fingerprint(request: Mapping[str, Any]) -> str:
    """Return what tells whether two requests are the same."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def check_same_request(known_sha256: str, request_sha256: str) -> None:
    """Raise `IdempotencyMismatch` unless what was accepted under a key is what is asked for now."""
    if known_sha256 != request_sha256:
        raise IdempotencyMismatch("This idempotency key was used before, with another request.")


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


def parse_cursor(cursor: str | None) -> int | None:
    """Return the number that a cursor stands for; refuse what no answer gave."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise InvalidField("The cursor must be one that an earlier answer gave.", field="before")
    return int(cursor)
