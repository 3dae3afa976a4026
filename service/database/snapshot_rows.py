"""Rows of ``snapshots``: the weights of a job at its validation checks, a bounded number of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, literal, select

from .tables import snapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRow:
    """Where a snapshot is: ``number`` counts the checks of its job from 0, ``check_id`` is the event of its check."""

    number: int
    step: int
    check_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSnapshot(SnapshotRow):
    """What is written down at a check: the weights as bytes, as the worker packed them."""

    body: bytes


_PLACE = tuple(snapshots.c[name] for name in SnapshotRow.__dataclass_fields__)


def append(connection: Connection, job_id: str, new: Sequence[NewSnapshot]) -> None:
    """Write snapshots down."""
    if new:
        connection.execute(snapshots.insert(), [{**asdict(snapshot), "job_id": job_id} for snapshot in new])


def thin(connection: Connection, job_id: str, stride: int) -> None:
    """Keep only those whose number is a multiple of ``stride``."""
    connection.execute(delete(snapshots).where(snapshots.c.job_id == job_id, snapshots.c.number % stride != 0))


def copy(connection: Connection, job_id: str, *, to: str, next_step: int) -> None:
    """Give another job the snapshots of the checks of a job before a step."""
    columns = ["job_id", "number", "step", "check_id", "body"]
    source = select(literal(to), *(snapshots.c[name] for name in columns[1:]))
    before = source.where(snapshots.c.job_id == job_id, snapshots.c.step < next_step)
    connection.execute(snapshots.insert().from_select(columns, before))


def places(connection: Connection, job_id: str) -> list[SnapshotRow]:
    """Return where the snapshots of a job are, the oldest first."""
    rows = connection.execute(select(*_PLACE).where(snapshots.c.job_id == job_id).order_by(snapshots.c.number))
    return [SnapshotRow(**row._mapping) for row in rows]


def body(connection: Connection, job_id: str, step: int) -> bytes | None:
    """Return the weights after a step, None where no snapshot was kept."""
    query = select(snapshots.c.body).where(snapshots.c.job_id == job_id, snapshots.c.step == step)
    return connection.execute(query).scalar_one_or_none()


def bodies(connection: Connection, job_id: str, *, since: int) -> list[tuple[int, bytes]]:
    """Return steps and weights of the snapshots after a step, the oldest first."""
    query = select(snapshots.c.step, snapshots.c.body).order_by(snapshots.c.number)
    rows = connection.execute(query.where(snapshots.c.job_id == job_id, snapshots.c.step > since))
    return [(step, body) for step, body in rows]
