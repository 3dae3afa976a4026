"""Which jobs, sweeps and reports ended long ago, and how many bytes are stored of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, or_, select

from .request_rows import is_open, of_report, of_sweep
from .states import FINAL
from .tables import REPORT_JOBS, REPORT_SWEEPS, check_blocks, checkpoints, events, jobs, reports, snapshots, sweeps

_BYTES = (
    checkpoints.c.body,
    snapshots.c.body,
    *(check_blocks.c[name] for name in ("checks", "details", "step_losses")),
    events.c.step_losses,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredRow:
    """What ended long ago, a ``report``, ``sweep`` or ``job``, or ``snapshots`` of a job, and what is stored of it."""

    kind: str
    id: str
    n_bytes: int


def ended_before(connection: Connection, time: datetime) -> Iterator[ExpiredRow]:
    """Yield reports with all their runs, sweeps of no report, and jobs of neither, the oldest of each first."""
    is_kept = or_(is_open(), jobs.c.finished_at >= time)
    has_kept_run, has_kept_member = (exists().where(of_group, is_kept) for of_group in (of_report(), of_sweep()))
    in_report = exists().where(sweeps.c.id.in_(REPORT_SWEEPS))
    is_single = exists().where(jobs.c.id.in_(REPORT_JOBS))
    queries = {
        "report": select(reports.c.id).where(reports.c.created_at < time, ~has_kept_run),
        "sweep": select(sweeps.c.id).where(sweeps.c.created_at < time, ~has_kept_member, ~in_report),
        "job": select(jobs.c.id).where(~is_kept, jobs.c.sweep_id.is_(None), ~is_single),
    }
    its_jobs: dict[str, ColumnElement[bool]] = {
        "report": exists().where(reports.c.id == bindparam("its_id"), of_report()),
        "sweep": jobs.c.sweep_id == bindparam("its_id"),
        "job": jobs.c.id == bindparam("its_id"),
    }
    for kind, query in queries.items():
        for id_ in connection.execute(query.order_by("id")).scalars().all():
            yield ExpiredRow(kind=kind, id=id_, n_bytes=_n_bytes(connection, its_jobs[kind], id_))


def snapshots_before(connection: Connection, time: datetime, *, above: int) -> Iterator[ExpiredRow]:
    """Yield the jobs that ended before a time and have more than so many snapshots, with the bytes of the others."""
    rows = connection.execute(
        select(jobs.c.id, func.count(), func.sum(func.length(snapshots.c.body)))
        .join_from(jobs, snapshots, snapshots.c.job_id == jobs.c.id)
        .where(jobs.c.state.in_(FINAL), jobs.c.finished_at < time)
        .group_by(jobs.c.id)
        .having(func.count() > above)
        .order_by(jobs.c.id)
    )
    for id_, number, n_bytes in rows:
        yield ExpiredRow(kind="snapshots", id=id_, n_bytes=n_bytes * (number - above) // number)


def _n_bytes(connection: Connection, is_one: ColumnElement[bool], its_id: str) -> int:
    ids = select(jobs.c.id).where(is_one)
    sums = (select(func.sum(func.length(column))).where(column.table.c.job_id.in_(ids)) for column in _BYTES)
    return sum(connection.execute(query, {"its_id": its_id}).scalar_one() or 0 for query in sums)
