"""What was accepted under an idempotency key, be it a job, a sweep or a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sqlalchemy import Connection, bindparam, select

from .tables import jobs, reports, sweeps

AcceptedKind: TypeAlias = Literal["jobs", "sweeps", "reports"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """Its id, and what tells whether another request is the same."""

    id: str
    request_sha256: str


_BY_KEY = {
    table.name: select(table.c.id, table.c.request_sha256).where(table.c.idempotency_key == bindparam("key"))
    for table in (jobs, sweeps, reports)
}


def accepted(connection: Connection, kind: AcceptedKind, key: str) -> Accepted | None:
    """Return what was accepted under a key, of one kind."""
    row = connection.execute(_BY_KEY[kind], {"key": key}).first()
    return None if row is None else Accepted(*row)
