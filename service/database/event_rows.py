"""Rows of ``events``: everything that happened to a job, in one order, so that a stream can go on after any id."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, Row, func, select

from .tables import events


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCheck:
    """What is written down of a validation check. ``detail`` is the progress at that moment."""

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    detail: Mapping[str, Any]
    step_losses: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """A validation check as it was recorded. ``detail`` is the progress at that moment."""

    id: int
    job_id: str
    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRow:
    """A move to a state, and why, where there is something to say."""

    id: int
    job_id: str
    state: str
    at: datetime
    reason: str | None


EventRow: TypeAlias = CheckRow | StateRow


class CheckTuple(NamedTuple):
    """A validation check in the lightest form, for histories: there may be a hundred thousand."""

    id: int
    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    step_losses: bytes


_CHECK = tuple(events.c[name] for name in CheckRow.__dataclass_fields__)
_EVENT = (*_CHECK, events.c.kind, events.c.state, events.c.at)


def append_state(connection: Connection, job_id: str, state: str, *, at: datetime, reason: str | None = None) -> None:
    """Write a move down."""
    detail = {"reason": reason} if reason else None
    connection.execute(events.insert().values(job_id=job_id, kind="state", at=at, state=state, detail=detail))


def append_checks(connection: Connection, job_id: str, checks: Sequence[NewCheck], *, at: datetime) -> dict[int, int]:
    """Write checks down, in their order; return the id of each by its step."""
    rows = [{**asdict(check), "job_id": job_id, "kind": "check", "at": at} for check in checks]
    if not rows:
        return {}
    written = connection.execute(events.insert().returning(events.c.step, events.c.id), rows)
    return {row.step: row.id for row in written}


def copy_checks(
    connection: Connection,
    job_id: str,
    *,
    to: str,
    next_step: int,
    progress_of: Callable[[CheckRow], Mapping[str, Any]],
) -> None:
    """Give another job the checks of a job that were made before a step."""
    rows = connection.execute(
        select(*_CHECK, events.c.at, events.c.step_losses)
        .where(events.c.job_id == job_id, events.c.kind == "check", events.c.step < next_step)
        .order_by(events.c.id)
    ).all()
    copies = []
    for row in rows:
        check = CheckRow(**{name: getattr(row, name) for name in CheckRow.__dataclass_fields__})
        copy = {**row._mapping, "kind": "check", "job_id": to, "detail": progress_of(check)}
        del copy["id"]
        copies.append(copy)
    if copies:
        connection.execute(events.insert(), copies)


def append_states(connection: Connection, job_ids: Collection[str], state: str, *, at: datetime) -> None:
    """Write the same move of several jobs down."""
    rows = [{"job_id": job_id, "kind": "state", "at": at, "state": state} for job_id in job_ids]
    if rows:
        connection.execute(events.insert(), rows)


def id_of_step(connection: Connection, job_id: str, step: int) -> int:
    """Return the id of the check that was made after a step."""
    found: int = connection.execute(
        select(events.c.id).where(events.c.job_id == job_id, events.c.step == step)
    ).scalar_one()
    return found


def newest_step(connection: Connection, job_id: str) -> int:
    """Return the step of the newest check of a job, -1 without one."""
    newest = connection.execute(select(func.max(events.c.step)).where(events.c.job_id == job_id)).scalar_one()
    return -1 if newest is None else int(newest)


def after(connection: Connection, job_id: str, event_id: int, limit: int) -> list[EventRow]:
    """Return what happened to a job after an event, oldest first."""
    rows = connection.execute(
        select(*_EVENT).where(events.c.job_id == job_id, events.c.id > event_id).order_by(events.c.id).limit(limit)
    )
    return [_event(row) for row in rows]


def states(connection: Connection, job_ids: Collection[str]) -> list[StateRow]:
    """Return the histories of jobs, oldest first."""
    rows = connection.execute(
        select(*_EVENT).where(events.c.job_id.in_(job_ids), events.c.kind == "state").order_by(events.c.id)
    )
    return [row for row in map(_event, rows) if isinstance(row, StateRow)]


def checks_by_id(connection: Connection, ids: Collection[int]) -> dict[int, CheckRow]:
    """Return checks by their ids."""
    rows = connection.execute(select(*_CHECK).where(events.c.id.in_(ids)))
    return {row.id: CheckRow(**row._mapping) for row in rows}


def checks(connection: Connection, job_id: str, *, since: int = 0) -> list[CheckTuple]:
    """Return the checks of a job after an event, oldest first."""
    rows = connection.execute(
        select(*(events.c[name] for name in CheckTuple._fields))
        .where(events.c.job_id == job_id, events.c.kind == "check", events.c.id > since)
        .order_by(events.c.id)
    )
    return list(map(CheckTuple._make, rows.all()))


def newest_id(connection: Connection) -> int:
    """Return the id of the newest event of all jobs, 0 without one."""
    newest: int = connection.execute(select(func.coalesce(func.max(events.c.id), 0))).scalar_one()
    return newest


def jobs_since(connection: Connection, event_id: int) -> frozenset[str]:
    """Return the jobs to which something happened after an event.

    Asked often, for a few events at the end; with DISTINCT, SQLite would walk through all of them in another order.
    """
    return frozenset(connection.execute(select(events.c.job_id).where(events.c.id > event_id)).scalars())


def _event(row: Row[Any]) -> EventRow:
    if row.kind == "check":
        return CheckRow(**{name: getattr(row, name) for name in CheckRow.__dataclass_fields__})
    reason = row.detail["reason"] if row.detail else None
    return StateRow(id=row.id, job_id=row.job_id, state=row.state, at=row.at, reason=reason)
