"""Rows of ``deliveries``: what ended, and is still to be sent to each of the programs that wait for it.

The end of a job, and the version that it made, are written in the transaction that ends it. The end of its sweep or
report is written with the first claim of its row, or when it is deleted before that: by then all jobs that ended before
are seen as ended, which two transactions that end the last two members of a sweep would not see of each other.

A claim counts an attempt and puts off the next one, so that no two processes send the same, and one that is killed
while it sends has used up an attempt.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Select, delete, exists, func, literal, or_, select, update

from .connection import now_s
from .request_rows import Rows, is_open, of_report, of_sweep
from .states import FINAL
from .tables import deliveries, jobs, reports, sweeps


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """What is to be sent; ``attempts`` counts this one."""

    number: int
    event: str
    object_id: str
    attempts: int
    created_at: datetime


_ROWS = Rows(deliveries, DeliveryRow)
_NEW = ["target", "event", "object_id"]


def append(connection: Connection, event: str, *object_ids: str) -> None:
    """Insert a row of each object for each target of the database, see `Database`; none without one."""
    rows = [
        {"target": target, "event": event, "object_id": object_id}
        for target in connection.get_execution_options().get("inkling_targets", ())
        for object_id in object_ids
    ]
    if rows:
        connection.execute(deliveries.insert(), rows)


def append_job(connection: Connection, job_id: str, version: int | None) -> None:
    """Insert the end of a job, and the version that it made."""
    if not connection.get_execution_options().get("inkling_targets"):
        return
    append(connection, "job.ended", job_id)
    if version is not None:
        name = connection.execute(select(jobs.c.name).where(jobs.c.id == job_id)).scalar_one()
        append(connection, "version.created", f"{name}/{version}")


def append_newest_jobs(connection: Connection, target: str, n_jobs: int) -> None:
    """Insert the newest jobs that are over and do not wait yet, the oldest first."""
    over = select(jobs.c.number, jobs.c.id).where(jobs.c.state.in_(FINAL))
    newest = over.order_by(jobs.c.number.desc()).limit(n_jobs).subquery()
    waiting = select(deliveries.c.object_id).where(deliveries.c.target == target)
    rows = select(literal(target), literal("job.ended"), newest.c.id).where(newest.c.id.not_in(waiting))
    connection.execute(deliveries.insert().from_select(_NEW, rows.order_by(newest.c.number)))


def is_due(connection: Connection, target: str) -> bool:
    """Whether there is something to `claim`."""
    return connection.execute(select(exists(_due(connection, target)))).scalar_one()


def claim(connection: Connection, target: str, *, lease_s: float) -> DeliveryRow | None:
    """Take the oldest row that is due, for ``lease_s``."""
    due = _due(connection, target).order_by(deliveries.c.number).limit(1).with_for_update(skip_locked=True)
    claimed = connection.execute(
        update(deliveries)
        .where(deliveries.c.number == due.scalar_subquery())
        .values(attempts=deliveries.c.attempts + 1, due_at_s=now_s(connection.engine) + lease_s)
        .returning(*_ROWS.columns)
    )
    for row in _ROWS.read(claimed):
        if row.attempts == 1 and row.event == "job.ended":
            _append_groups(connection, target, row.object_id)
        return row
    return None


def append_groups(connection: Connection, job_id: str) -> None:
    """Insert the end of the sweep and the report of a job that is to be deleted, for targets that did not claim it."""
    unclaimed = select(deliveries.c.target).filter_by(event="job.ended", object_id=job_id, attempts=0)
    for target in connection.execute(unclaimed).scalars().all():
        _append_groups(connection, target, job_id)


def postpone(connection: Connection, number: int, *, by_s: float) -> None:
    """Let a row that could not be sent be due again after a while."""
    later = now_s(connection.engine) + by_s
    connection.execute(update(deliveries).where(deliveries.c.number == number).values(due_at_s=later))


def release(connection: Connection, target: str) -> None:
    """Let everything be due now: who claimed it no longer runs."""
    connection.execute(update(deliveries).where(deliveries.c.target == target).values(due_at_s=0.0))


def remove(connection: Connection, number: int) -> None:
    """Delete a row: it was sent, or given up."""
    _ROWS.delete(connection, number)


def give_up(connection: Connection, target: str, *, max_waiting: int, max_age: timedelta) -> int:
    """Delete the rows that are too old, and the oldest of too many; return how many."""
    numbers = select(deliveries.c.number).where(deliveries.c.target == target)
    too_many = numbers.order_by(deliveries.c.number.desc()).offset(max_waiting).limit(1).scalar_subquery()
    too_old = deliveries.c.created_at < datetime.now(UTC) - max_age
    given_up = (deliveries.c.target == target) & or_(too_old, deliveries.c.number <= too_many)
    return connection.execute(delete(deliveries).where(given_up)).rowcount


def give_up_removed(connection: Connection, *, max_age: timedelta) -> Counter[str]:
    """Delete the rows that are too old of what is no target of the database any more; return how many of each."""
    targets = connection.get_execution_options().get("inkling_targets", ())
    too_old = deliveries.c.created_at < datetime.now(UTC) - max_age
    removed = delete(deliveries).where(too_old, deliveries.c.target.not_in(targets)).returning(deliveries.c.target)
    return Counter(connection.execute(removed).scalars())


def count_waiting(connection: Connection) -> dict[str, int]:
    """Return how many rows wait for each target; targets without rows are missing."""
    rows = connection.execute(select(deliveries.c.target, func.count()).group_by(deliveries.c.target))
    return dict(rows.all())


def _due(connection: Connection, target: str) -> Select[int]:
    is_due = deliveries.c.due_at_s <= now_s(connection.engine)
    return select(deliveries.c.number).where(deliveries.c.target == target, is_due)


def _append_groups(connection: Connection, target: str, job_id: str) -> None:
    """Insert the end of the sweep and of the report of a job, if every job of it is over, unless it waits already."""
    every = jobs.alias()
    for event, group, of_group in (("sweep.ended", sweeps, of_sweep), ("report.ended", reports, of_report)):
        its = select(literal(target), literal(event), group.c.id).join_from(jobs, group, of_group())
        waiting = select(deliveries.c.object_id).filter_by(target=target, event=event)
        over = its.where(jobs.c.id == job_id, ~exists().where(of_group(every), is_open(every)))
        connection.execute(deliveries.insert().from_select(_NEW, over.where(group.c.id.not_in(waiting))))
