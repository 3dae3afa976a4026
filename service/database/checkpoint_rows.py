"""Rows of ``checkpoints``: where each job would go on from, replaced as it trains."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, literal, select, update

from .tables import checkpoints


def put(connection: Connection, job_id: str, *, step: int, body: bytes) -> None:
    """Write the newest checkpoint of a job in place of the one before; the transaction makes that atomic."""
    values = {"step": step, "body": body, "at": datetime.now(UTC)}
    replaced = connection.execute(update(checkpoints).where(checkpoints.c.job_id == job_id).values(**values))
    if replaced.rowcount == 0:
        connection.execute(checkpoints.insert().values(job_id=job_id, **values))


def step(connection: Connection, job_id: str) -> int:
    """Return the last step of the newest checkpoint of a job, -1 without one."""
    found: int | None = connection.execute(
        select(checkpoints.c.step).where(checkpoints.c.job_id == job_id)
    ).scalar_one_or_none()
    return -1 if found is None else found


def copy(connection: Connection, job_id: str, *, to: str) -> None:
    """Give another job the checkpoint of a job."""
    source = select(literal(to), *(checkpoints.c[name] for name in ("step", "body", "at")))
    connection.execute(
        checkpoints.insert().from_select(["job_id", "step", "body", "at"], source.where(checkpoints.c.job_id == job_id))
    )


def get(connection: Connection, job_id: str) -> bytes | None:
    """Return the newest checkpoint of a job, as it was handed in."""
    return connection.execute(select(checkpoints.c.body).where(checkpoints.c.job_id == job_id)).scalar_one_or_none()
