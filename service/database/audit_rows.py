"""Rows of ``audit``, which are added and read, and neither changed nor removed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, select

from .tables import audit


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAuditRow:
    """What is written down of a call that changes something. ``key_id`` is None where no key was needed."""

    key_id: str | None
    method: str
    route: str
    object_id: str | None
    status: int
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow(NewAuditRow):
    """A line of the log."""

    id: int
    at: datetime


_SHOWN = tuple(audit.c[name] for name in AuditRow.__dataclass_fields__)
_INSERT = audit.insert()


def insert(connection: Connection, new: NewAuditRow) -> None:
    """Add a line."""
    connection.execute(_INSERT, {**asdict(new), "at": datetime.now(UTC)})


def page(connection: Connection, *, limit: int, before: int | None) -> list[AuditRow]:
    """Return the newest lines first, at most ``limit``, those older than the one of id ``before``."""
    query = select(*_SHOWN).order_by(audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.id < before)
    return [AuditRow(**row._mapping) for row in connection.execute(query)]
