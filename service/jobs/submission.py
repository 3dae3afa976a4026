"""What jobs, sweeps and reports have in common: accepting a request once, limiting the queue, cancelling."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Connection

from service.database import AUDIT_LINES, AdvisoryLock, Database, JobState, Rows, audited_call, job_rows, submitter
from service.datasets import PACKAGED, Datasets
from service.errors import IdempotencyMismatch, QueueFull
from service.registry import Registry

_ACCEPTED = 202
"""The status in the audit log of an accepted request."""


def fingerprint(request: Mapping[str, Any]) -> str:
    """Return the SHA-256 by which equal requests are recognised."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


T = TypeVar("T", bound=Any)
"""What is accepted; it has an ``id``."""


class SubmissionService:
    """Base of the services that accept jobs, alone or many together.

    At most ``max_queue_length`` jobs wait at a time. ``wake_engine`` is called after a change that an engine in this
    process should act on. The ``registry`` has the models that training may start from; None where it cannot.
    """

    def __init__(
        self,
        database: Database,
        *,
        max_queue_length: int,
        wake_engine: Callable[[], None],
        datasets: Datasets = PACKAGED,
        registry: Registry | None = None,
    ):
        self._database = database
        self._datasets = datasets
        self._registry = registry
        self._max_queue_length = max_queue_length
        self._wake_engine = wake_engine

    def _accept(
        self,
        rows: Rows[Any],
        idempotency_key: str | None,
        request_sha256: str,
        insert: Callable[[Connection], T],
        show: Callable[[Connection, str], T],
    ) -> T:
        """Insert something new, or return what was accepted under the key before, as it is now.

        One transaction writes it and the call's line of the audit log: neither exists without the other, for one
        synchronisation.
        """
        call = audited_call.get()
        with self._database.write() as connection:
            AdvisoryLock.SUBMISSION.acquire(connection)
            known = rows.accepted(connection, idempotency_key) if idempotency_key else None
            if known is not None and known[1] != request_sha256:
                raise IdempotencyMismatch("This idempotency key was used before, with another request.")
            shown = insert(connection) if known is None else show(connection, known[0])
            if call is not None:
                AUDIT_LINES.insert(connection, **call.line(_ACCEPTED, shown.id))
        if call is not None:
            call.recorded = (_ACCEPTED, shown.id)
        self._wake_engine()
        return shown


def check_capacity(connection: Connection, n_jobs: int, max_queue_length: int) -> None:
    """Raise `QueueFull` if so many more jobs would exceed the limit of the queue or of the current key."""
    who = submitter.get()
    if who is not None and job_rows.count_unfinished(connection, who.key_id) + n_jobs > who.max_jobs:
        raise QueueFull(f"At most {who.max_jobs:,} jobs of one key may wait or run at a time; try again later.")
    if job_rows.count(connection, JobState.QUEUED) + n_jobs > max_queue_length:
        raise QueueFull(f"At most {max_queue_length:,} jobs may wait at a time; try again later.")
