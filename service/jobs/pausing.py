"""Pausing a job and continuing it, by steps or epochs: a paused job is a checkpoint in the database, without a worker.

It goes on from there as after the loss of a worker, so its bits are those of a job that was never paused.
"""

from typing import Any

from sqlalchemy import Connection

from service.core import Schedule, TrainingConfig
from service.database import JOBS, JobRow, JobState, job_rows, weight_rows
from service.datasets import Datasets, select
from service.errors import InvalidJobTransition, QueueFull

from .job import MAX_CLAIMS

MAX_PAUSED = 100
"""Jobs that are paused, or will be."""
MAX_PAUSE_S = 24 * 3600.0
"""After this time a paused job goes on by itself."""
MAX_STEPS, MAX_EPOCHS = 1_000_000, 10_000
"""To continue by, at once."""


def pause_waiting(connection: Connection, job_id: str) -> bool:
    """Pause a job that is queued, before its next step; False if it is not, as a worker may have taken it by now."""
    next_step = weight_rows.next_step(connection, job_id)
    return _pause_before(connection, job_id, next_step, allowed_from=[JobState.QUEUED])


def pause(connection: Connection, job_id: str) -> None:
    """Pause a job: one that is running, after its current step. One that is paused stays so.

    Raises `InvalidJobTransition` if it is over, being cancelled, a member of a sweep, or was paused too often;
    `QueueFull` if too many are paused.
    """
    row = JOBS.get(connection, job_id)
    if row.state == JobState.PAUSED:
        return
    if row.sweep_id is not None:
        raise InvalidJobTransition("The members of a sweep are trained together and cannot be paused.")
    _refuse_often(row)
    if row.pause_at_step is None:  # else it is counted already
        refuse_more_paused(connection)
    if row.state == JobState.QUEUED and pause_waiting(connection, job_id):
        return
    if not job_rows.request_pause(connection, job_id):
        raise InvalidJobTransition(f"The job is {row.state}; only one that waits or trains can be paused.")


def proceed(
    connection: Connection, job_id: str, datasets: Datasets, *, steps: int | None = None, epochs: int | None = None
) -> None:
    """Continue a paused job to its end, or for some steps or to the end of so many epochs, whichever comes first.

    Raises `InvalidJobTransition` if it is not paused, or may not be paused again; `InvalidField` if its data set no
    longer has what it trains on.
    """
    row = JOBS.get(connection, job_id)
    if row.state != JobState.PAUSED:
        raise InvalidJobTransition(f"The job is {row.state}; only one that is paused can be continued.")
    next_step = weight_rows.next_step(connection, job_id)
    ends = []
    if steps is not None:
        ends.append(next_step + steps)
    if epochs is not None:
        n_batches = row.batches_per_epoch or _batches_per_epoch(row, datasets)
        ends.append((next_step // n_batches + epochs) * n_batches)
    if ends:
        _refuse_often(row)
    _queue(connection, job_id, allowed_from=[JobState.PAUSED], pause_at_step=min(ends, default=None))


def interrupt(connection: Connection, row: JobRow, next_step: int, reason: str, **values: Any) -> bool:
    """Take a running job, whose claim is locked, back from its worker: paused if that was asked for, else queued.

    The ``reason`` is why it is queued again; ``values`` are further columns.
    """
    values |= {"allowed_from": [JobState.RUNNING], "fence": row.fence}
    if row.pause_at_step is not None and next_step >= row.pause_at_step:
        return _pause_before(connection, row.id, next_step, **values)
    return _queue(connection, row.id, reason=reason, **values)


def continue_expired(connection: Connection) -> list[str]:
    """Continue the jobs that were paused for as long as they may, to their end; return them."""
    expired = job_rows.expired_pauses(connection)
    for job_id in expired:
        reason = f"It was paused for {MAX_PAUSE_S / 3600:g} hours and goes on."
        _queue(connection, job_id, allowed_from=[JobState.PAUSED], pause_at_step=None, reason=reason)
    return expired


def refuse_more_paused(connection: Connection) -> None:
    """Raise `QueueFull` if no more jobs may be paused."""
    if job_rows.count_pauses(connection) >= MAX_PAUSED:
        raise QueueFull(f"At most {MAX_PAUSED:,} jobs may be paused at a time; continue or cancel one.")


def _pause_before(connection: Connection, job_id: str, step: int, **values: Any) -> bool:
    values |= {"reason": f"Before step {step:,}.", "pause_at_step": step, "claimed_by": None, "wait_s": MAX_PAUSE_S}
    return job_rows.move(connection, job_id, to=JobState.PAUSED, **values)


def _queue(connection: Connection, job_id: str, **values: Any) -> bool:
    return job_rows.move(connection, job_id, to=JobState.QUEUED, claimed_by=None, lease_expires_at_s=None, **values)


def _refuse_often(row: JobRow) -> None:
    if row.fence >= MAX_CLAIMS:
        raise InvalidJobTransition(f"The job was trained in {MAX_CLAIMS:,} parts; it can only go on to its end.")


def _batches_per_epoch(row: JobRow, datasets: Datasets) -> int:
    config = TrainingConfig.from_record(row.config)
    training, _ = select(datasets.get(row.dataset), config)
    return Schedule.of(config, len(training)).batches_per_epoch
