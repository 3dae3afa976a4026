"""What a resumed job takes over is stored once, and stays whatever is deleted, thinned or replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise, permutations
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from service.core import METRICS, Check
from service.database import FINAL, JOBS, Database, SnapshotRow, event_rows, job_rows, weight_rows
from service.database.tables import check_blocks, checkpoints, snapshots
from tests.database.histories import check_series

BYTES = (snapshots.c.body, checkpoints.c.body, check_blocks.c.step_losses)


def train(connection: Connection, job_id: str, steps: Sequence[int], *, checkpoint: bool = True) -> None:
    """Record a check, a snapshot and its loss at each step, and a checkpoint."""
    for step in steps:
        values = dict.fromkeys(METRICS, 0.5)
        check = Check(epoch=0, step=step, **values), {"fraction": 0.5}, bytes([step] * 4)
        (row,) = event_rows.append_checks(connection, job_id, [check], at=datetime.now(UTC))
        place = SnapshotRow(number=step, step=step, check_id=row.id)
        weight_rows.append_snapshots(connection, job_id, [(place, f"{job_id} {step}".encode())])
    if checkpoint:
        weight_rows.put_checkpoint(connection, job_id, step=steps[-1], body=f"{job_id} {steps}".encode())
    event_rows.pack_checks(connection, job_id)


def resume(connection: Connection, job_id: str, new: str, next_step: int) -> None:
    before = JOBS.find(connection, job_id)
    assert before is not None
    steps: Any = {"next_step": next_step, "latest_step": next_step - 1, "best_step": None}
    job_rows.begin_after(connection, new, before, **steps, progress_of=dict)


def recorded(connection: Connection, job_id: str) -> dict[str, Any]:
    series = check_series(connection, job_id)
    return {
        "snapshots": weight_rows.snapshot_bodies(connection, job_id, since=-1),
        "snapshot": weight_rows.snapshot_body(connection, job_id, 0),
        "checkpoint": weight_rows.get_checkpoint(connection, job_id),
        "checks": series.checks.tolist(),
        "losses": series.step_losses.tolist(),
    }


def stored_bytes(connection: Connection) -> int:
    return sum(connection.execute(select(func.sum(func.length(column)))).scalar_one() for column in BYTES)


class Undone(Exception):
    """Ends a transaction without its changes."""


@contextmanager
def undone(database: Database) -> Iterator[Connection]:
    """Open a transaction that leaves nothing."""
    with pytest.raises(Undone), database.write() as connection:
        yield connection
        raise Undone


@pytest.fixture
def family(database: Database, add_job: Callable[..., str]) -> list[str]:
    """Make a job, one resumed from a part of it, one from all of it that trained on, and one resumed from that."""
    first, part, whole, last = family = [add_job() for _ in range(4)]
    with database.write() as connection:
        train(connection, first, range(4))
        resume(connection, first, part, 3)
        resume(connection, first, whole, 4)
        train(connection, whole, range(4, 6), checkpoint=False)
        resume(connection, whole, last, 6)
        for job_id in family:
            job_rows.update_columns(connection, job_id, state="succeeded")
    return family


def test_to_resume_stores_no_bytes_again(database: Database, add_job: Callable[..., str]) -> None:
    jobs = [add_job() for _ in range(4)]
    with database.write() as connection:
        train(connection, jobs[0], range(4))
        before = stored_bytes(connection)
        for old, new in pairwise(jobs):
            resume(connection, old, new, 4)
            assert recorded(connection, new) == recorded(connection, jobs[0])
        assert stored_bytes(connection) == before


@pytest.mark.slow
def test_jobs_keep_what_they_share_whatever_others_are_deleted(database: Database, family: list[str]) -> None:
    with database.read() as connection:
        seen = {job_id: recorded(connection, job_id) for job_id in family}
    assert [len(one["losses"]) for one in seen.values()] == [4, 3, 6, 6]
    for order in permutations(family, 3):
        with undone(database) as connection:
            for n, job_id in enumerate(order, 1):
                assert job_rows.remove(connection, job_id, allowed_from=FINAL)
                for left in set(family) - set(order[:n]):
                    assert recorded(connection, left) == seen[left], (order, left)


def test_an_heir_that_trains_on_takes_nothing_from_others(database: Database, family: list[str]) -> None:
    """The job that got the bytes of a deleted one drops snapshots and replaces its checkpoint."""
    first, *others = family
    with database.write() as connection:
        seen = {job_id: recorded(connection, job_id) for job_id in others}
        job_rows.remove(connection, first, allowed_from=FINAL)
    for heir in others:
        with undone(database) as connection:
            weight_rows.thin_snapshots(connection, heir, 2)
            weight_rows.put_checkpoint(connection, heir, step=9, body=b"new")
            assert weight_rows.get_checkpoint(connection, heir) == b"new"
            assert [step for step, _ in weight_rows.snapshot_bodies(connection, heir, since=-1)] == [
                step for step, _ in seen[heir]["snapshots"] if step % 2 == 0
            ]
            for other in set(others) - {heir}:
                assert recorded(connection, other) == seen[other], heir


def test_a_sweep_hands_over_what_a_resumed_member_shared(database: Database, add_job: Callable[..., str]) -> None:
    member, resumed = add_job(sweep_id="0" * 26), add_job()
    with database.write() as connection:
        train(connection, member, range(4))
        resume(connection, member, resumed, 4)
        seen = recorded(connection, resumed)
        job_rows.remove_members(connection, "0" * 26)
        assert recorded(connection, resumed) == seen
