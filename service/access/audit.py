"""The audit log: who changed what. Lines are added and never changed; bodies are not in them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from service.database import AuditRow, Database, NewAuditRow, audit_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """A call that changes something, and how it was answered. ``key_id`` is None where none was needed."""

    id: int
    at: datetime
    key_id: str | None
    method: str
    route: str
    object_id: str | None
    status: int
    request_id: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "at": self.at.isoformat()}


class AuditLog:
    """The lines of a database.

    Parameters
    ----------
    database : already migrated.
    """

    def __init__(self, database: Database):
        self._database = database

    def append(self, new: NewAuditRow) -> None:
        """Write a line down. It is durable once this returns."""
        with self._database.write() as connection:
            audit_rows.insert(connection, new)

    def page(self, *, limit: int, before: int | None = None) -> list[AuditEntry]:
        """Return the newest lines first, those older than the one of id ``before``."""
        with self._database.read() as connection:
            return [_entry(row) for row in audit_rows.page(connection, limit=limit, before=before)]


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(**asdict(row))
