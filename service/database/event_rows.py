"""Rows of ``events``: everything that happened to a job, in one order, so that a stream can go on after any id."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, bindparam, func, select

from . import check_rows
from .check_rows import CheckRow
from .tables import events


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRow:
    """A move to a state, and why, where there is something to say."""

    id: int
    job_id: str
    state: str
    at: datetime
    reason: str | None


EventRow: TypeAlias = CheckRow | StateRow


_CHECK = tuple(events.c[name] for name in CheckRow.__dataclass_fields__)
_EVENT = (*_CHECK, events.c.job_id, events.c.kind, events.c.state, events.c.at)

# Statements of every turn of the engine and of every follower are built once: that takes longer than running them.
_INSERT = events.insert()
_AFTER = (
    select(*_EVENT)
    .where(events.c.job_id == bindparam("job_id"), events.c.id > bindparam("after"))
    .order_by(events.c.id)
    .limit(bindparam("limit"))
)
_SINCE = select(events.c.id, events.c.job_id).where(events.c.id > bindparam("after")).order_by(events.c.id)


def append_state(connection: Connection, job_id: str, state: str, *, at: datetime, reason: str | None = None) -> None:
    """Write a move down."""
    detail = {"reason": reason} if reason else None
    row = {"job_id": job_id, "kind": "state", "at": at, "state": state, "detail": detail}
    connection.execute(_INSERT, row)


def append_states(connection: Connection, job_ids: Collection[str], state: str, *, at: datetime) -> None:
    """Write the same move of several jobs down."""
    rows = [{"job_id": job_id, "kind": "state", "at": at, "state": state} for job_id in job_ids]
    if rows:
        connection.execute(_INSERT, rows)


def after(connection: Connection, job_id: str, event_id: int, limit: int) -> list[EventRow]:
    """Return what happened to a job after an event, oldest first."""
    rows = connection.execute(_AFTER, {"job_id": job_id, "after": event_id, "limit": limit})
    packed = check_rows.packed_after(connection, job_id, event_id, limit)
    return sorted([*packed, *map(_event, rows)], key=lambda event: event.id)[:limit]


def states(connection: Connection, job_ids: Collection[str]) -> list[StateRow]:
    """Return the histories of jobs, oldest first."""
    rows = connection.execute(
        select(*_EVENT).where(events.c.job_id.in_(job_ids), events.c.kind == "state").order_by(events.c.id)
    )
    return [row for row in map(_event, rows) if isinstance(row, StateRow)]


def newest_id(connection: Connection) -> int:
    """Return the id of the newest event of all jobs, 0 without one."""
    newest: int = connection.execute(select(func.coalesce(func.max(events.c.id), 0))).scalar_one()
    return newest


def jobs_since(connection: Connection, event_id: int) -> dict[int, str]:
    """Return all events with a higher id, and the job to which each happened, in the order of the ids."""
    rows = connection.execute(_SINCE, {"after": event_id})
    return {row.id: row.job_id for row in rows}


def _event(row: Row[Any]) -> EventRow:
    if row.kind == "check":
        return CheckRow(**{name: getattr(row, name) for name in CheckRow.__dataclass_fields__})
    reason = row.detail["reason"] if row.detail else None
    return StateRow(id=row.id, job_id=row.job_id, state=row.state, at=row.at, reason=reason)
