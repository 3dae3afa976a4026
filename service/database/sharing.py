"""Bytes that jobs share: what a resumed job takes over is stored once, in the row of the job that wrote it.

A row with an ``owner_id`` has no bytes of its own: they are in the row of that job with the same key, which has no
owner in turn. Before a row is deleted or replaced, `hand_over` makes one of those that refer to it the owner.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, bindparam, case, func, literal, select, update

from .tables import check_blocks, checkpoints, jobs, snapshots

_BYTES: dict[Table, tuple[str, tuple[str, ...]]] = {
    checkpoints: ("body", ()),
    snapshots: ("body", ("number",)),
    check_blocks: ("step_losses", ("first_id",)),
}
"""The column of the bytes, and the key of a row within its job."""


def body_of(table: Table) -> ColumnElement[bytes]:
    """Return the expression of a row's bytes, wherever they are."""
    name, key = _BYTES[table]
    owner = table.alias()
    shared = select(owner.c[name]).where(owner.c.job_id == table.c.owner_id, *(owner.c[k] == table.c[k] for k in key))
    return case((table.c.owner_id.is_(None), table.c[name]), else_=shared.scalar_subquery()).label(name)


def owner_of(table: Table) -> ColumnElement[str]:
    """Return the expression of the job that has a row's bytes."""
    return func.coalesce(table.c.owner_id, table.c.job_id).label("owner_id")


def share(connection: Connection, table: Table, job_id: str, *only: ColumnElement[bool], to: str) -> None:
    """Give another job the rows of a job, whose bytes stay where they are."""
    name, _ = _BYTES[table]
    kept = [column for column in table.c if column.name not in ("job_id", name, "owner_id")]
    source = select(literal(to), *kept, literal(b""), owner_of(table)).where(table.c.job_id == job_id, *only)
    names = ["job_id", *(column.name for column in kept), name, "owner_id"]
    connection.execute(table.insert().from_select(names, source))


def hand_over(
    connection: Connection, job_ids: Sequence[str] | Select[Any], *only: ColumnElement[bool], table: Table | None = None
) -> None:
    """Give the bytes of rows that are about to be deleted or replaced to other jobs whose rows refer to them.

    The owners are ``job_ids``; conditions and a ``table`` choose among the rows, by default of all three tables.
    """
    for one in _BYTES if table is None else (table,):
        _hand_over(connection, one, [one.c.owner_id.in_(job_ids), one.c.job_id.not_in(job_ids), *only])


def _hand_over(connection: Connection, table: Table, refers: Sequence[ColumnElement[bool]]) -> None:
    name, key = _BYTES[table]
    # Locked, as whoever trains one of them may be about to delete what it would be given.
    referring = select(jobs.c.id).where(jobs.c.id.in_(select(table.c.job_id).where(*refers)))
    if not connection.execute(referring.order_by(jobs.c.number).with_for_update()).all():
        return
    group = [table.c.owner_id, *(table.c[k] for k in key)]
    heirs = connection.execute(select(*group, func.min(table.c.job_id).label("heir")).where(*refers).group_by(*group))
    rows = [{f"its_{column}": value for column, value in row._mapping.items()} for row in heirs]

    def of_job(one: Any, column: str, job: str) -> list[ColumnElement[bool]]:
        return [one.c[column] == bindparam(f"its_{job}"), *(one.c[k] == bindparam(f"its_{k}") for k in key)]

    old = table.alias()
    stored = select(old.c[name]).where(*of_job(old, "job_id", "owner_id")).scalar_subquery()
    heir = update(table).where(*of_job(table, "job_id", "heir")).values({name: stored, "owner_id": None})
    others = update(table).where(*of_job(table, "owner_id", "owner_id")).values(owner_id=bindparam("its_heir"))
    for statement in (heir, others):
        connection.execute(statement, rows)
