"""Rows of ``api_keys`` and ``audit``, and who makes the current call: key, limit, and its line of the audit log.

Keys are never removed, so that the audit log can name the holder of each. Lines of the audit log are only added.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from .tables import Rows, api_keys, audit


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key: never the key itself."""

    id: str
    name: str
    sha256: str
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class _KeyRows(Rows[KeyRow]):
    def all_rows(self, connection: Connection) -> list[KeyRow]:
        """Return every key, the oldest first."""
        return [KeyRow(**row._mapping) for row in connection.execute(self._select.order_by(self._number))]

    def revoke(self, connection: Connection, key_id: str, *, at: datetime) -> None:
        """Set when a key was revoked, unless it has been already."""
        unrevoked = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
        connection.execute(update(api_keys).where(unrevoked).values(revoked_at=at))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """A line of the audit log. ``key_id`` is None where no key was needed."""

    key_id: str | None
    method: str
    route: str
    object_id: str | None
    status: int
    request_id: str
    id: int
    at: datetime


key_rows = _KeyRows(api_keys, KeyRow)
audit_rows = Rows(audit, AuditRow)


class AuditedCall:
    """A call that changes something, while it is answered. ``recorded_status`` is None until its line is written."""

    def __init__(self, *, key_id: str | None, method: str, route: str, request_id: str) -> None:
        self._columns = {"key_id": key_id, "method": method, "route": route, "request_id": request_id}
        self.recorded_status: int | None = None

    def line(self, status: int, object_id: str | None) -> dict[str, Any]:
        """Return the columns of its line of the audit log, once the status of the answer is known."""
        return {**self._columns, "status": status, "object_id": object_id}


@dataclass(frozen=True, slots=True)
class Submitter:
    """The id of a key, and how many of its jobs may wait or run at a time."""

    key_id: str
    max_jobs: int


audited_call: ContextVar[AuditedCall | None] = ContextVar("audited_call", default=None)
"""The current call; None outside of one, as on the command line, and where it changes nothing."""

submitter: ContextVar[Submitter | None] = ContextVar("submitter", default=None)
"""The key of the current call; None where no key is needed."""
