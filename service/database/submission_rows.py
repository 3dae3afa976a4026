"""Rows of ``sweeps`` and ``reports``, and what an idempotency key has been used for.

Both tables keep requests; the progress of a sweep or report is that of its jobs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, bindparam, select

from .tables import Rows, jobs, reports, sweeps

AcceptedKind: TypeAlias = Literal["jobs", "sweeps", "reports"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRow:
    """A sweep as it was requested."""

    number: int
    id: str
    name: str
    dataset: str
    base: Mapping[str, Any]
    grid: Mapping[str, Sequence[Any]]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """A report as it was requested. The id of a job that has been deleted since is None."""

    number: int
    id: str
    options: Mapping[str, Any]
    in_order_job_id: str | None
    shuffled_job_id: str | None
    sweep_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """Something that was accepted, and the fingerprint of its request."""

    id: str
    request_sha256: str


sweep_rows = Rows(sweeps, SweepRow)
report_rows = Rows(reports, ReportRow)

_BY_KEY = {
    table.name: select(table.c.id, table.c.request_sha256).where(table.c.idempotency_key == bindparam("key"))
    for table in (jobs, sweeps, reports)
}


def accepted(connection: Connection, kind: AcceptedKind, key: str) -> Accepted | None:
    """Return what was accepted under an idempotency key, of one kind."""
    row = connection.execute(_BY_KEY[kind], {"key": key}).first()
    return None if row is None else Accepted(*row)
