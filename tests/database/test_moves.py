"""Every state against every move: what the table of moves allows happens once, and nothing else ever does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from service.core import METRICS, Check, pack_losses
from service.database import (
    FINAL,
    JOBS,
    MOVES,
    Database,
    JobState,
    event_rows,
    job_rows,
    sources,
    weight_rows,
)
from tests.database.histories import check_series
from tests.postgresql import only_sqlite

AddJob = Callable[..., str]


def put_into(database: Database, job_id: str, state: str) -> None:
    """Set a state, whatever it was; the way there is no part of these tests."""
    with database.write() as connection:
        job_rows.update_columns(connection, job_id, state=state)


def states_of(database: Database, job_id: str) -> list[str]:
    with database.read() as connection:
        return [move.state for move in event_rows.states(connection, [job_id])[job_id]]


def test_the_database_rejects_other_states(database: Database, add_job: AddJob) -> None:
    job_id = add_job()
    with pytest.raises(IntegrityError):
        put_into(database, job_id, "dreaming")


@pytest.mark.slow
@pytest.mark.parametrize("to", JobState)
@pytest.mark.parametrize("state", JobState)
def test_a_move_is_made_from_its_sources_only(
    database: Database, add_job: AddJob, state: JobState, to: JobState
) -> None:
    job_id = add_job()
    put_into(database, job_id, state)
    with database.write() as connection:
        moved = job_rows.move(connection, job_id, to=to, allowed_from=sources(to), reason="because")
        row = JOBS.find(connection, job_id)
    assert row is not None
    allowed = to in MOVES[state]
    assert moved is allowed
    assert row.state == (to if allowed else state)
    assert states_of(database, job_id) == (["queued", to] if allowed else ["queued"])


@pytest.mark.slow
@pytest.mark.parametrize("state", JobState)
def test_only_a_job_that_is_over_can_be_deleted(database: Database, add_job: AddJob, state: JobState) -> None:
    job_id, other = add_job(), add_job()
    put_into(database, job_id, state)
    with database.write() as connection:
        weight_rows.put_checkpoint(connection, job_id, step=1, body=b"weights")
        weight_rows.put_checkpoint(connection, other, step=1, body=b"weights")
        assert job_rows.remove(connection, job_id, allowed_from=FINAL) is state.final
    with database.read() as connection:
        assert (JOBS.find(connection, job_id) is None) is state.final
        assert (weight_rows.get_checkpoint(connection, job_id) is None) is state.final
        assert (event_rows.states(connection, [job_id])[job_id] == []) is state.final
        assert JOBS.find(connection, other) is not None
        assert weight_rows.get_checkpoint(connection, other) == b"weights"


def test_numbers_of_deleted_jobs_and_events_are_not_used_again(database: Database, add_job: AddJob) -> None:
    """A cursor or a Last-Event-ID must not come to mean another job."""
    job_id = add_job()
    with database.write() as connection:
        newest, number = event_rows.newest_id(connection), JOBS.find(connection, job_id).number  # type: ignore[union-attr]
        job_rows.update_columns(connection, job_id, state="failed")
        assert job_rows.remove(connection, job_id, allowed_from=FINAL)
    again = add_job()
    with database.read() as connection:
        assert event_rows.newest_id(connection) > newest
        assert JOBS.find(connection, again).number > number  # type: ignore[union-attr]


def test_a_move_carries_its_time_reason_and_columns(database: Database, add_job: AddJob) -> None:
    job_id = add_job()
    before = datetime.now(UTC)
    with database.write() as connection:
        assert job_rows.move(
            connection,
            job_id,
            to="cancelled",
            allowed_from=["queued"],
            reason="nobody wants it",
            stop_reason="cancelled",
        )
    with database.read() as connection:
        row, (_, move) = JOBS.find(connection, job_id), event_rows.states(connection, [job_id])[job_id]
    assert row is not None and row.finished_at is not None and before <= row.finished_at == move.at
    assert (row.stop_reason, move.reason) == ("cancelled", "nobody wants it")


def test_a_check_is_written_once(database: Database, add_job: AddJob) -> None:
    job_id = add_job()

    def append(*steps: int) -> list[int]:
        checks = [(Check(epoch=0, step=step, **dict.fromkeys(METRICS, 0.5)), {"fraction": 0.5}, b"") for step in steps]
        with database.write() as connection:
            return [row.id for row in event_rows.append_checks(connection, job_id, checks, at=datetime.now(UTC))]

    ids = [*append(0, 3), *append(), *append(6)]
    assert ids == sorted(ids)
    with pytest.raises(IntegrityError):
        append(3)
    with database.read() as connection:
        assert check_series(connection, job_id).checks["step"].tolist() == [0, 3, 6]
        assert check_series(connection, job_id, since=ids[0]).checks["id"].tolist() == ids[1:]
        assert event_rows.newest_check_step(connection, job_id) == 6
        assert event_rows.newest_id(connection) == ids[-1]
        assert event_rows.jobs_since(connection, ids[-1]) == {}
        assert event_rows.jobs_since(connection, ids[-2]) == {ids[-1]: job_id}
        assert [event.kind for event in event_rows.after(connection, job_id, 0, 3)] == ["state", "check", "check"]


def append_checks(database: Database, job_id: str, steps: range) -> list[int]:
    """Write checks down, each with an own loss, in both formats, and progress; return their ids."""
    checks = [
        (
            Check(
                epoch=step // 10,
                step=step,
                train_loss=step / 7,
                train_accuracy=0.25,
                validation_loss=step / 3,
                validation_accuracy=0.5,
            ),
            {"fraction": step / 11, "eta_s": None},
            pack_losses(np.full(steps.step, step / 7 if step % 4 == 1 else step, np.float64)),
        )
        for step in steps
    ]
    with database.write() as connection:
        return [row.id for row in event_rows.append_checks(connection, job_id, checks, at=datetime.now(UTC))]


def test_packing_changes_nothing_that_is_seen(database: Database, add_job: AddJob) -> None:
    """Neither the series nor a stream from any event, with a move between two checks that end in one block."""
    job_id, other_id = add_job(), add_job()
    ids = append_checks(database, job_id, range(1, 2400, 2))
    append_checks(database, other_id, range(1, 9, 2))
    with database.write() as connection:
        job_rows.move(connection, job_id, to="running", allowed_from=["queued"])
    ids += append_checks(database, job_id, range(2401, 2700, 2))

    def seen() -> list[object]:
        with database.read() as connection:
            series = [check_series(connection, job_id, since=since) for since in (0, ids[3], ids[-2], ids[-1])]
            streams = [
                event_rows.after(connection, job_id, after, limit)
                for after in (0, ids[0], ids[998], ids[1199], ids[-1])
                for limit in (1, 3, 1000, 5000)
            ]
            step = event_rows.newest_check_step(connection, job_id)
        return [[(one.checks.tolist(), one.step_losses.tolist()) for one in series], streams, step]

    before = seen()
    with database.write() as connection:
        event_rows.pack_checks(connection, job_id)
        event_rows.pack_checks(connection, job_id)
    assert seen() == before
    with database.read() as connection:
        counts = connection.execute(text("SELECT (SELECT count(*) FROM check_blocks), (SELECT count(*) FROM events)"))
        assert counts.one() == (2, 3 + 4)


def test_blocks_are_deleted_with_their_job(database: Database, add_job: AddJob) -> None:
    job_id = add_job()
    append_checks(database, job_id, range(5))
    with database.write() as connection:
        job_rows.move(connection, job_id, to="cancelled", allowed_from=["queued"])
    with database.write() as connection:
        assert connection.execute(text("SELECT count(*) FROM check_blocks")).scalar_one() == 1
        job_rows.remove(connection, job_id, allowed_from=["cancelled"])
        assert connection.execute(text("SELECT count(*) FROM check_blocks")).scalar_one() == 0


def test_the_newest_checkpoint_takes_the_place_of_the_one_before(database: Database, add_job: AddJob) -> None:
    job_id = add_job()
    with database.write() as connection:
        assert weight_rows.get_checkpoint(connection, job_id) is None
        for step in range(3):
            weight_rows.put_checkpoint(connection, job_id, step=step, body=bytes([step]))
        assert weight_rows.get_checkpoint(connection, job_id) == b"\x02"
        assert connection.execute(text("SELECT count(*), max(step) FROM checkpoints")).one() == (1, 2)


@only_sqlite
def test_frequent_queries_use_an_index(database: Database) -> None:
    """Ten thousand waiting jobs and a million events are not to be read through for one of them."""
    queries = {
        "oldest queued": "SELECT id FROM jobs WHERE state = 'queued' ORDER BY number LIMIT 1",
        "page": "SELECT id FROM jobs WHERE number < 5000 ORDER BY number DESC LIMIT 50",
        "page of a state": "SELECT id FROM jobs WHERE state = 'failed' AND number < 5000 ORDER BY number DESC LIMIT 50",
        "events after": "SELECT id FROM events WHERE job_id = 'x' AND id > 5 ORDER BY id LIMIT 100",
        "newest step": "SELECT max(step) FROM events WHERE job_id = 'x'",
        "changed": "SELECT job_id FROM events WHERE id > 5",
    }
    with database.read() as connection:
        for name, query in queries.items():
            plan = " / ".join(row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}")))
            assert "SEARCH" in plan and "SCAN" not in plan, (name, plan)
            assert "TEMP B-TREE" not in plan, (name, plan)
