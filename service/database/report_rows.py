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
    created_at: datetime


_SHOWN = tuple(reports.c[name] for name in ReportRow.__dataclass_fields__)


def insert(connection: Connection, report: NewReport) -> None:
    """Write a new report down."""
    connection.execute(reports.insert().values(**asdict(report), created_at=datetime.now(UTC)))


def get(connection: Connection, report_id: str) -> ReportRow | None:
    """Return one report."""
    row = connection.execute(select(*_SHOWN).where(reports.c.id == report_id)).first()
    return None if row is None else ReportRow(**row._mapping)


def page(connection: Connection, *, before: int | None, limit: int) -> list[ReportRow]:
    """Return the newest reports first, at most ``limit``, those older than number ``before``."""
    query = select(*_SHOWN).order_by(reports.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(reports.c.number < before)
    return [ReportRow(**row._mapping) for row in connection.execute(query)]
