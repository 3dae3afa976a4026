"""Every state against every move: what the table of moves allows happens once, and nothing else ever does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from service.database import Database, NewCheck, checkpoint_rows, event_rows, job_rows
from service.database.tables import JOB_STATES
from service.jobs import MOVES, JobState
from service.jobs.states import FINAL, sources

AddJob = Callable[..., str]


def put_into(database: Database, job_id: str, state: str) -> None:
    """Set a state, whatever it was; the way there is no part of these tests."""
    with database.write() as connection:
        job_rows.update_columns(connection, job_id, state=state)


def states_of(database: Database, job_id: str) -> list[str]:
    with database.read() as connection:
        return [row.state for row in event_rows.states(connection, [job_id])]


def test_the_database_knows_the_same_states(database: Database, add_job: AddJob) -> None:
    assert set(JOB_STATES) == set(JobState) == set(MOVES)
    job_id = add_job()
    with pytest.raises(IntegrityError):
        put_into(database, job_id, "dreaming")


@pytest.mark.parametrize("to", JobState)
@pytest.mark.parametrize("state", JobState)
def test_a_move_is_made_from_its_sources_only(
    database: Database, add_job: AddJob, state: JobState, to: JobState
) -> None:
    job_id = add_job()
    put_into(database, job_id, state)
    with database.write() as connection:
        moved = job_rows.move(connection, job_id, to=to, allowed_from=sources(to), reason="because")
        row = job_rows.get(connection, job_id)
    assert row is not None
    allowed = to in MOVES[state]
    assert moved is allowed
    assert row.state == (to if allowed else state)
    assert states_of(database, job_id) == (["queued", to] if allowed else ["queued"])


@pytest.mark.parametrize("state", JobState)
def test_only_a_job_that_is_over_can_be_deleted(database: Database, add_job: AddJob, state: JobState) -> None:
    job_id, other = add_job(), add_job()
    put_into(database, job_id, state)
    with database.write() as connection:
        checkpoint_rows.put(connection, job_id, step=1, body=b"weights")
        checkpoint_rows.put(connection, other, step=1, body=b"weights")
        assert job_rows.remove(connection, job_id, allowed_from=FINAL) is state.final
    with database.read() as connection:
        assert (job_rows.get(connection, job_id) is None) is state.final
        assert (checkpoint_rows.get(connection, job_id) is None) is state.final
        assert (event_rows.states(connection, [job_id]) == []) is state.final
        assert job_rows.get(connection, other) is not None
        assert checkpoint_rows.get(connection, other) == b"weights"


def test_numbers_of_deleted_jobs_and_events_are_not_used_again(database: Database, add_job: AddJob) -> None:
    """A cursor or a Last-Event-ID must not come to mean another job."""
    job_id = add_job()
    with database.write() as connection:
        newest, number = event_rows.newest_id(connection), job_rows.get(connection, job_id).number  # type: ignore[union-attr]
        job_rows.update_columns(connection, job_id, state="failed")
        assert job_rows.remove(connection, job_id, allowed_from=FINAL)
    again = add_job()
    with database.read() as connection:
        assert event_rows.newest_id(connection) > newest
        assert job_rows.get(connection, again).number > number  # type: ignore[union-attr]


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
            final=True,
            stop_reason="cancelled",
        )
    with database.read() as connection:
        row, (_, move) = job_rows.get(connection, job_id), event_rows.states(connection, [job_id])
    assert row is not None and row.finished_at is not None and before <= row.finished_at == move.at
    assert (row.stop_reason, move.reason) == ("cancelled", "nobody wants it")


def test_a_check_is_written_once(database: Database, add_job: AddJob) -> None:
    job_id = add_job()

    def append(*steps: int) -> list[int]:
        checks = [
            NewCheck(
                epoch=0,
                step=step,
                train_loss=0.5,
                train_accuracy=0.5,
                validation_loss=0.5,
                validation_accuracy=0.5,
                detail={"fraction": 0.5},
                step_losses=b"",
            )
            for step in steps
        ]
        with database.write() as connection:
            event_rows.append_checks(connection, job_id, checks, at=datetime.now(UTC))
            return [event_rows.id_of_step(connection, job_id, step) for step in steps]

    ids = [*append(0, 3), *append(), *append(6)]
    assert ids == sorted(ids)
    with pytest.raises(IntegrityError):
        append(3)
    with database.read() as connection:
        assert [row.step for row in event_rows.checks(connection, job_id)] == [0, 3, 6]
        assert [row.id for row in event_rows.checks(connection, job_id, since=ids[0])] == ids[1:]
        assert event_rows.newest_step(connection, job_id) == 6
        assert event_rows.newest_id(connection) == ids[-1]
        assert event_rows.jobs_since(connection, ids[-1]) == frozenset()
        assert event_rows.jobs_since(connection, ids[-2]) == {job_id}
        assert [type(row).__name__ for row in event_rows.after(connection, job_id, 0, 3)] == [
            "StateRow",
            "CheckRow",
            "CheckRow",
        ]


def test_the_newest_checkpoint_takes_the_place_of_the_one_before(database: Database, add_job: AddJob) -> None:
    job_id = add_job()
    with database.write() as connection:
        assert checkpoint_rows.get(connection, job_id) is None
        for step in range(3):
            checkpoint_rows.put(connection, job_id, step=step, body=bytes([step]))
        assert checkpoint_rows.get(connection, job_id) == b"\x02"
        assert connection.execute(text("SELECT count(*), max(step) FROM checkpoints")).one() == (1, 2)


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
