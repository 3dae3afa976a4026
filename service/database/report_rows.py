"""Rows of ``reports``: what was asked for, and which runs answer it. How those fare stands in their own rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from .tables import reports


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReport:
    """What is written down when a report is accepted; its runs are inserted before it."""

    id: str
    options: Mapping[str, Any]
    in_order_job_id: str
    shuffled_job_id: str
    sweep_id: str
    idempotency_key: str | None
    request_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """A report as it was asked for. A run that was deleted since is None."""

    number: int
    id: str
    options: Mapping[str, Any]
    in_order_job_id: str | None
    shuffled_job_id: str | None
    sweep_id: str
    request_sha256: str
    created_at: datetime


_SHOWN = tuple(reports.c[name] for name in ReportRow.__dataclass_fields__)


def insert(connection: Connection, report: NewReport) -> None:
    """Write a new report down."""
    connection.execute(reports.insert().values(**asdict(report), created_at=datetime.now(UTC)))


def get(connection: Connection, report_id: str) -> ReportRow | None:
    """Return one report."""
    return _first(connection, reports.c.id == report_id)


def by_idempotency_key(connection: Connection, key: str) -> ReportRow | None:
    """Return the report that was accepted under a key."""
    return _first(connection, reports.c.idempotency_key == key)


def page(connection: Connection, *, before: int | None, limit: int) -> list[ReportRow]:
    """Return the newest reports first, at most ``limit``, those older than number ``before``."""
    query = select(*_SHOWN).order_by(reports.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(reports.c.number < before)
    return [ReportRow(**row._mapping) for row in connection.execute(query)]


def _first(connection: Connection, condition: Any) -> ReportRow | None:
    row = connection.execute(select(*_SHOWN).where(condition)).first()
    return None if row is None else ReportRow(**row._mapping)
