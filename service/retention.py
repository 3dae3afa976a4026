"""Retention: what is older than the operator wants is deleted, as by a request, and its space returned."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from service.access import AuditLog
from service.database import (
    JOBS,
    AdvisoryLock,
    AuditedCall,
    Database,
    ExpiredRow,
    job_rows,
    retention_rows,
    weight_rows,
)
from service.deliveries import Record, give_up_removed
from service.errors import Conflict, Corrupted, NotFound
from service.jobs import MAX_OF_MEMBER
from service.registry import Registry
from service.worker import snapshot_stride

logger = logging.getLogger(__name__)

EVERY_S = 3600.0
_ROUTES = {
    "report": "/api/v1/reports/{report_id}",
    "sweep": "/api/v1/sweeps/{sweep_id}",
    "job": "/api/v1/jobs/{job_id}",
    "snapshots": "/api/v1/jobs/{job_id}/snapshots",
    "version": "/api/v1/models/{name}/versions/{version}",
}
"""What the audit log says that was deleted; its ``request_id`` is ``retention``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """What is kept; None keeps everything.

    Parameters
    ----------
    jobs_days : of jobs, sweeps and reports after their end.
    snapshots_days : of more than `MAX_OF_MEMBER` snapshots of a job after its end.
    versions : the newest of each model, beside those that something needs.
    """

    jobs_days: int | None = None
    snapshots_days: int | None = None
    versions: int | None = None


class Retention:
    """Finds what is not to be kept, and deletes it by the calls behind the API, each with its line in the audit log.

    What is in use stays: jobs that are not over, sweeps of a report, versions that have an alias, that an unfinished
    job needs or that are a model's newest. What another process has deleted meanwhile is passed over.

    ``deletes`` has the calls, each with an id: of a ``report``, ``sweep``, ``job`` and ``version``.
    """

    def __init__(
        self, database: Database, registry: Registry, audit_log: AuditLog, deletes: Mapping[str, Callable[[str], None]]
    ):
        self._database = database
        self._registry = registry
        self._audit_log = audit_log
        self._deletes = {**deletes, "snapshots": self._thin}

    def expired(self, keep: Keep) -> list[ExpiredRow]:
        """Return what is to be deleted, with the bytes that are stored of it."""
        found: list[ExpiredRow] = []
        now = datetime.now(UTC)
        with self._database.read() as connection:
            if keep.jobs_days is not None:
                found += retention_rows.ended_before(connection, now - timedelta(days=keep.jobs_days))
            if keep.snapshots_days is not None:
                before = now - timedelta(days=keep.snapshots_days)
                ids = {row.id for row in found}
                long = retention_rows.snapshots_before(connection, before, above=MAX_OF_MEMBER)
                found += (row for row in long if row.id not in ids)
        if keep.versions is not None:
            found += self._versions(keep.versions)
        return found

    def delete(self, item: ExpiredRow) -> bool:
        """Delete one; False if something needs it by now, or it is gone."""
        call = AuditedCall(key_id=None, method="DELETE", route=_ROUTES[item.kind], request_id="retention")
        line_id = self._audit_log.append(call.line(204, item.id))
        try:
            self._deletes[item.kind](item.id)
        except (Conflict, Corrupted, NotFound) as error:
            status = 404 if isinstance(error, NotFound) else 409
            self._audit_log.correct(line_id, status=status, object_id=item.id)
            return False
        return True

    def _versions(self, n_kept: int) -> Iterator[ExpiredRow]:
        for name in self._registry.names():
            try:
                named = {*self._registry.aliases(name).values()}
                candidates = [version for version in self._registry.versions(name)[:-n_kept] if version not in named]
            except (Corrupted, NotFound):  # nothing is deleted of a model that cannot be read
                continue
            for version in candidates:
                with self._database.read() as connection:
                    needed_by = job_rows.unfinished(connection, job_rows.needs_version(name, version))
                if not needed_by:
                    yield ExpiredRow(kind="version", id=f"{name}/{version}", n_bytes=self._n_bytes(name, version))

    def _n_bytes(self, name: str, version: int) -> int:
        try:
            return self._registry.manifest(name, version).size_bytes
        except (Corrupted, NotFound):
            return 0

    def _thin(self, job_id: str) -> None:
        with self._database.write() as connection:
            AdvisoryLock.SUBMISSION.acquire(connection)  # nobody may resume from it meanwhile, and share its bytes
            JOBS.get(connection, job_id)
            last = weight_rows.list_snapshots(connection, job_id)[-1]
            weight_rows.thin_snapshots(connection, job_id, snapshot_stride(last.number + 1, MAX_OF_MEMBER))


class Upkeep:
    """Retention in a running service, at its start and once an hour, one deletion at a time.

    Deliveries that are given up are counted by ``record``.
    """

    def __init__(self, retention: Retention, keep: Keep, database: Database, record: Record):
        self._retention = retention
        self._keep = keep
        self._database = database
        self._record = record
        self._waiting: deque[ExpiredRow] | None = None

    def step(self) -> float:
        """Delete one; return the seconds to wait then."""
        if self._waiting is None:
            give_up_removed(self._database, self._record)
            self._waiting = deque(self._retention.expired(self._keep))
            if self._waiting:
                n_bytes = sum(item.n_bytes for item in self._waiting)
                logger.info("retention deletes what has expired: %d, %.1f MB", len(self._waiting), n_bytes / 1e6)
        if self._waiting:
            self._retention.delete(self._waiting.popleft())
            return 0.0
        self._waiting = None
        self._database.shrink()
        return EVERY_S
