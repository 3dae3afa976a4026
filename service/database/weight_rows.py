"""Rows of ``checkpoints`` and ``snapshots``: the newest checkpoint of each job, and its weights at some checks."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from .sharing import body_of, hand_over
from .tables import checkpoints, snapshots

_referring = checkpoints.alias()
_JOB: Any = bindparam("its_job_id")
_IS_THERE = select(checkpoints.c.job_id).where(checkpoints.c.job_id == _JOB)
_REPLACE = update(checkpoints).where(checkpoints.c.job_id == _JOB)
_REPLACE_UNSHARED = _REPLACE.where(~select(_referring.c.job_id).where(_referring.c.owner_id == _JOB).exists())


def put_checkpoint(connection: Connection, job_id: str, *, step: int, body: bytes) -> None:
    """Replace the checkpoint of a job; the transaction makes that atomic."""
    its = {"its_job_id": job_id}
    values = {"step": step, "body": body, "at": datetime.now(UTC), "owner_id": None}
    if connection.execute(_REPLACE_UNSHARED, its | values).rowcount == 1:
        return
    if connection.execute(_IS_THERE, its).first():
        hand_over(connection, [job_id], table=checkpoints)
        connection.execute(_REPLACE, its | values)
    else:
        connection.execute(checkpoints.insert().values(job_id=job_id, **values))


def next_step(connection: Connection, job_id: str) -> int:
    """Return the first step that the newest checkpoint of a job does not have, 0 without one."""
    found: int | None = connection.execute(
        select(checkpoints.c.step).where(checkpoints.c.job_id == job_id)
    ).scalar_one_or_none()
    return 0 if found is None else found + 1


def get_checkpoint(connection: Connection, job_id: str) -> bytes | None:
    """Return the newest checkpoint of a job."""
    return connection.execute(select(body_of(checkpoints)).where(checkpoints.c.job_id == job_id)).scalar_one_or_none()


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRow:
    """A snapshot without its weights: ``number`` counts the checks of its job from 0, ``check_id`` is the event."""

    number: int
    step: int
    check_id: int


_PLACE = tuple(snapshots.c[name] for name in SnapshotRow.__dataclass_fields__)


def append_snapshots(connection: Connection, job_id: str, new: Sequence[tuple[SnapshotRow, bytes]]) -> None:
    """Insert snapshots, each with its weights as the worker packed them."""
    if new:
        rows = [{**asdict(snapshot), "body": body, "job_id": job_id} for snapshot, body in new]
        connection.execute(snapshots.insert(), rows)


def thin_snapshots(connection: Connection, job_id: str, stride: int) -> None:
    """Delete the snapshots whose number is not a multiple of ``stride``."""
    is_left_out = snapshots.c.number % stride != 0
    hand_over(connection, [job_id], is_left_out, table=snapshots)
    connection.execute(delete(snapshots).where(snapshots.c.job_id == job_id, is_left_out))


def list_snapshots(connection: Connection, job_id: str) -> list[SnapshotRow]:
    """Return the snapshots of a job without their weights, the oldest first."""
    rows = connection.execute(select(*_PLACE).where(snapshots.c.job_id == job_id).order_by(snapshots.c.number))
    return [SnapshotRow(**row._mapping) for row in rows]


def snapshot_body(connection: Connection, job_id: str, step: int) -> bytes | None:
    """Return the weights after a step, None if there is no snapshot of it."""
    query = select(body_of(snapshots)).where(snapshots.c.job_id == job_id, snapshots.c.step == step)
    return connection.execute(query).scalar_one_or_none()


def snapshot_bodies(connection: Connection, job_id: str, *, since: int) -> list[tuple[int, bytes]]:
    """Return steps and weights of the snapshots after a step, the oldest first."""
    query = select(snapshots.c.step, body_of(snapshots)).order_by(snapshots.c.number)
    rows = connection.execute(query.where(snapshots.c.job_id == job_id, snapshots.c.step > since))
    return [(step, body) for step, body in rows]
