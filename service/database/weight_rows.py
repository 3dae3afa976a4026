"""Rows of ``checkpoints`` and ``snapshots``: the newest checkpoint of each job, and its weights at some checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, literal, select, update

from .tables import checkpoints, snapshots


def put_checkpoint(connection: Connection, job_id: str, *, step: int, body: bytes) -> None:
    """Replace the checkpoint of a job; the transaction makes that atomic."""
    values = {"step": step, "body": body, "at": datetime.now(UTC)}
    replaced = connection.execute(update(checkpoints).where(checkpoints.c.job_id == job_id).values(**values))
    if replaced.rowcount == 0:
        connection.execute(checkpoints.insert().values(job_id=job_id, **values))


def checkpoint_step(connection: Connection, job_id: str) -> int:
    """Return the last step of the newest checkpoint of a job, -1 without one."""
    found: int | None = connection.execute(
        select(checkpoints.c.step).where(checkpoints.c.job_id == job_id)
    ).scalar_one_or_none()
    return -1 if found is None else found


def copy_checkpoint(connection: Connection, job_id: str, *, to: str) -> None:
    """Copy the checkpoint of a job to another job."""
    source = select(literal(to), *(checkpoints.c[name] for name in ("step", "body", "at")))
    connection.execute(
        checkpoints.insert().from_select(["job_id", "step", "body", "at"], source.where(checkpoints.c.job_id == job_id))
    )


def get_checkpoint(connection: Connection, job_id: str) -> bytes | None:
    """Return the newest checkpoint of a job."""
    return connection.execute(select(checkpoints.c.body).where(checkpoints.c.job_id == job_id)).scalar_one_or_none()


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRow:
    """A snapshot without its weights: ``number`` counts the checks of its job from 0, ``check_id`` is the event."""

    number: int
    step: int
    check_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSnapshot(SnapshotRow):
    """A snapshot to be written: the weights as the worker packed them."""

    body: bytes


_PLACE = tuple(snapshots.c[name] for name in SnapshotRow.__dataclass_fields__)


def append_snapshots(connection: Connection, job_id: str, new: Sequence[NewSnapshot]) -> None:
    """Insert snapshots."""
    if new:
        connection.execute(snapshots.insert(), [{**asdict(snapshot), "job_id": job_id} for snapshot in new])


def thin_snapshots(connection: Connection, job_id: str, stride: int) -> None:
    """Delete the snapshots whose number is not a multiple of ``stride``."""
    connection.execute(delete(snapshots).where(snapshots.c.job_id == job_id, snapshots.c.number % stride != 0))


def copy_snapshots(connection: Connection, job_id: str, *, to: str, next_step: int) -> None:
    """Copy the snapshots of a job before a step to another job."""
    columns = ["job_id", "number", "step", "check_id", "body"]
    source = select(literal(to), *(snapshots.c[name] for name in columns[1:]))
    before = source.where(snapshots.c.job_id == job_id, snapshots.c.step < next_step)
    connection.execute(snapshots.insert().from_select(columns, before))


def list_snapshots(connection: Connection, job_id: str) -> list[SnapshotRow]:
    """Return the snapshots of a job without their weights, the oldest first."""
    rows = connection.execute(select(*_PLACE).where(snapshots.c.job_id == job_id).order_by(snapshots.c.number))
    return [SnapshotRow(**row._mapping) for row in rows]


def snapshot_body(connection: Connection, job_id: str, step: int) -> bytes | None:
    """Return the weights after a step, None if there is no snapshot of it."""
    query = select(snapshots.c.body).where(snapshots.c.job_id == job_id, snapshots.c.step == step)
    return connection.execute(query).scalar_one_or_none()


def snapshot_bodies(connection: Connection, job_id: str, *, since: int) -> list[tuple[int, bytes]]:
    """Return steps and weights of the snapshots after a step, the oldest first."""
    query = select(snapshots.c.step, snapshots.c.body).order_by(snapshots.c.number)
    rows = connection.execute(query.where(snapshots.c.job_id == job_id, snapshots.c.step > since))
    return [(step, body) for step, body in rows]
