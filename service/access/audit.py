"""The audit log: who changed what. Lines are added and never changed; bodies are not in them."""

from __future__ import annotations

from service.database import AuditRow, Database, NewAuditRow, audit_rows


class AuditLog:
    """The lines of a database.

    Parameters
    ----------
    database : already migrated.
    """

    def __init__(self, database: Database):
        self._database = database

    def append(self, new: NewAuditRow) -> None:
        """Add a line. It is durable once this returns."""
        with self._database.write() as connection:
            audit_rows.insert(connection, new)

    def page(self, *, limit: int, before: int | None = None) -> list[AuditRow]:
        """Return the newest lines first, those older than the one of id ``before``."""
        with self._database.read() as connection:
            return audit_rows.page(connection, limit=limit, before=before)
