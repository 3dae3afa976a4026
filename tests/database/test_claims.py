"""A job is claimed by one engine at a time, the oldest first, and what an older claim says has no effect."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sqlalchemy import select, text

from service.database import JOBS, Database, JobRow, job_rows
from service.database.tables import jobs

AddJob = Callable[..., str]

NOW_S = {
    "sqlite": "SELECT (julianday('now') - 2440587.5) * 86400",
    "postgresql": "SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision)",
}


def claim_together(database: Database, by: str = "engine", lease_s: float = 30.0, max_members: int = 9) -> list[JobRow]:
    with database.write() as connection:
        return job_rows.claim_oldest(connection, claimed_by=by, lease_s=lease_s, max_members=max_members)


def claim(database: Database, by: str = "engine", lease_s: float = 30.0) -> JobRow | None:
    return next(iter(claim_together(database, by, lease_s, max_members=1)), None)


def move(database: Database, job_id: str, to: str, allowed_from: str, fence: int | None = None) -> bool:
    with database.write() as connection:
        return job_rows.move(connection, job_id, to=to, allowed_from=[allowed_from], fence=fence)


def row_of(database: Database, job_id: str) -> JobRow:
    with database.read() as connection:
        row = JOBS.find(connection, job_id)
    assert row is not None
    return row


def abandoned(database: Database, by: str = "engine", *, exclusive: bool = False) -> list[str]:
    with database.read() as connection:
        return [row.id for row in job_rows.abandoned(connection, claimed_by=by, exclusive=exclusive)]


def test_the_oldest_job_is_claimed_first(database: Database, add_job: AddJob) -> None:
    ids = [add_job() for _ in range(5)]
    claims = [claim(database) for _ in range(6)]
    assert [row.id if row else None for row in claims] == [*ids, None]
    assert {row.state for row in claims if row} == {"running"}
    assert {row.fence for row in claims if row} == {1}


def test_a_job_that_comes_back_is_still_the_oldest(database: Database, add_job: AddJob) -> None:
    first, second = add_job(), add_job()
    assert claim(database).id == first  # type: ignore[union-attr]
    assert move(database, first, "queued", "running")
    again = claim(database)
    assert again is not None and (again.id, again.fence) == (first, 2)
    assert claim(database).id == second  # type: ignore[union-attr]


def test_the_start_is_that_of_the_first_claim(database: Database, add_job: AddJob) -> None:
    job_id = add_job()
    claim(database)
    started_at = row_of(database, job_id).started_at
    assert started_at is not None
    move(database, job_id, "queued", "running")
    claim(database)
    assert row_of(database, job_id).started_at == started_at


def test_eight_threads_claim_each_job_once_and_in_order(database: Database, add_job: AddJob) -> None:
    ids = [add_job() for _ in range(100)]
    claimed: dict[str, list[str]] = {f"engine-{n}": [] for n in range(8)}
    barrier = threading.Barrier(len(claimed))

    def work(engine: str) -> None:
        barrier.wait()
        while (row := claim(database, engine)) is not None:
            claimed[engine].append(row.id)

    threads = [threading.Thread(target=work, args=(engine,)) for engine in claimed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(job_id for mine in claimed.values() for job_id in mine) == sorted(ids), "each exactly once"
    for mine in claimed.values():
        assert mine == sorted(mine, key=ids.index)
    if database.exclusive:
        with database.read() as connection:
            order = connection.execute(text("SELECT job_id FROM events WHERE state = 'running' ORDER BY id")).scalars()
            assert list(order) == ids


def test_a_claim_is_held_by_its_fence(database: Database, add_job: AddJob) -> None:
    job_id = add_job()
    first = claim(database, "one")
    assert first is not None
    move(database, job_id, "queued", "running")
    second = claim(database, "other")
    assert second is not None and second.fence == first.fence + 1
    with database.write() as connection:
        assert not job_rows.lock_claimed(connection, job_id, first.fence)
        assert job_rows.lock_claimed(connection, job_id, second.fence)
    assert not move(database, job_id, "succeeded", "running", fence=first.fence)
    assert row_of(database, job_id).state == "running"
    assert move(database, job_id, "succeeded", "running", fence=second.fence)
    with database.write() as connection:
        assert not job_rows.lock_claimed(connection, job_id, second.fence), "a final job has no claim"


def test_a_dead_claim_is_known_by_its_lease(database: Database, add_job: AddJob) -> None:
    alive, dead, mine = add_job(), add_job(), add_job()
    claim(database, "alive", lease_s=30)
    claim(database, "dead", lease_s=-0.01)
    claim(database, "engine", lease_s=-0.01)
    assert abandoned(database) == [dead]
    assert abandoned(database, "another") == [dead, mine]
    assert alive not in abandoned(database)


def test_a_claim_of_an_engine_that_is_known_to_be_dead_is_dead(database: Database, add_job: AddJob) -> None:
    dead, alive = add_job(), add_job()
    claim(database, "dead")
    claim(database, "alive")
    with database.read() as connection:
        rows = job_rows.abandoned(connection, claimed_by="engine", exclusive=False, dead="dead")
    assert [row.id for row in rows] == [dead], f"and not {alive}, which is alive"


def test_a_claim_whose_answer_was_lost_is_abandoned(database: Database, add_job: AddJob) -> None:
    known, lost = add_job(), add_job()
    claim(database)
    claim(database)
    with database.read() as connection:
        rows = job_rows.abandoned(connection, claimed_by="engine", exclusive=False, held=[known])
    assert [row.id for row in rows] == [lost]


def test_where_one_engine_is_alone_every_other_claim_is_dead(database: Database, add_job: AddJob) -> None:
    """A process that was killed a moment ago may have left a lease that lasts for long."""
    theirs, mine, cancelling = add_job(), add_job(), add_job()
    claim(database, "killed", lease_s=1e6)
    claim(database, "engine", lease_s=-1)
    claim(database, "killed", lease_s=1e6)
    move(database, cancelling, "cancelling", "running")
    assert abandoned(database, exclusive=True) == [theirs, cancelling]
    assert mine not in abandoned(database, exclusive=True)


def test_queued_and_final_jobs_are_never_abandoned(database: Database, add_job: AddJob) -> None:
    add_job()
    over = add_job(id="0" * 26)
    claim(database, "killed", lease_s=-1)
    claim(database, "killed", lease_s=-1)
    move(database, over, "failed", "running")
    assert over not in abandoned(database, exclusive=True)
    assert len(abandoned(database, exclusive=True)) == 1


def test_a_lease_is_extended_by_its_claimer_alone(database: Database, add_job: AddJob) -> None:
    mine, theirs = add_job(), add_job()
    claim(database, "engine", lease_s=-1)
    claim(database, "other", lease_s=-1)
    with database.write() as connection:
        job_rows.extend_leases(connection, claimed_by="engine", lease_s=30)
    assert abandoned(database, "somebody") == [theirs]
    assert row_of(database, mine).state == "running"


def test_the_clock_of_leases_is_the_database_own(database: Database, add_job: AddJob) -> None:
    job_id = add_job()
    claim(database, "alive", lease_s=30)
    with database.read() as connection:
        expires = connection.execute(select(jobs.c.lease_expires_at_s).where(jobs.c.id == job_id)).scalar_one()
        now = connection.execute(text(NOW_S[database.engine.dialect.name])).scalar_one()
    assert 25 < expires - now <= 30.5


def test_jobs_that_are_to_stop_are_listed(database: Database, add_job: AddJob) -> None:
    ids = [add_job() for _ in range(3)]
    for by in ("engine", "engine", "other"):
        claim(database, by)
    for job_id in (ids[0], ids[2]):
        move(database, job_id, "cancelling", "running")
    with database.write() as connection:
        assert all(job_rows.request_pause(connection, job_id) is (job_id == ids[1]) for job_id in ids)
        assert job_rows.to_stop(connection, claimed_by="engine") == {ids[0]: "cancelling", ids[1]: "running"}


def test_a_job_that_was_cancelled_while_it_waited_is_claimed_first_and_alone(
    database: Database, add_job: AddJob
) -> None:
    """To end with what it had; others of its stack are trained on."""
    others, waiting = [add_job(stack_key="one") for _ in range(2)], add_job(stack_key="one")
    move(database, waiting, "cancelling", "queued")
    with database.read() as connection:
        assert job_rows.count_claimable(connection) == 3
    assert [claimed.id for claimed in claim_together(database)] == [waiting]
    assert row_of(database, waiting).state == "cancelling"
    assert [claimed.id for claimed in claim_together(database)] == others
    assert claim(database) is None
