"""What is PostgreSQL's own: connections that are lost, transactions beside one another, and how it is addressed."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from service.database import AdvisoryLock, Database, job_rows
from service.database.tables import jobs
from service.errors import InvalidField, StorageFailed
from tests.database.claim_all import claim_all
from tests.free_port import free_port
from tests.postgresql import Server, a_server, only_postgresql

pytestmark = only_postgresql
postgresql = pytest.fixture(scope="module")(a_server)  # services of other tests must not notice that it is stopped
AddJob = Callable[..., str]


@pytest.mark.slow
def test_any_usual_form_of_the_url_will_do(url: str) -> None:
    rest = url.partition("://")[2]
    for form in ("postgresql", "postgres", "postgresql+psycopg"):
        database = Database(f"{form}://{rest}")
        database.ping()
        assert not database.exclusive and database.path is None
        database.close()


def test_a_transaction_that_reads_sees_one_moment_and_changes_nothing(database: Database, add_job: AddJob) -> None:
    add_job()
    with database.read() as connection:
        assert job_rows.count(connection, "queued") == 1
        add_job()
        assert job_rows.count(connection, "queued") == 1
    with database.read() as connection:
        assert job_rows.count(connection, "queued") == 2
    with pytest.raises(DBAPIError, match="read-only"), database.read() as connection:
        connection.execute(update(jobs).values(state="failed"))
    with database.write() as connection:
        job_rows.update_columns(connection, add_job(), name="and the next may write again")


def test_an_advisory_lock_excludes_other_transactions(database: Database) -> None:
    waiting = threading.Event()

    def acquire_and_check() -> None:
        with database.write() as connection:
            waiting.set()
            AdvisoryLock.SUBMISSION.acquire(connection)
            assert released.is_set()

    released = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        with database.write() as connection:
            AdvisoryLock.SUBMISSION.acquire(connection)
            AdvisoryLock.SUBMISSION.acquire(connection)
            waiter = threads.submit(acquire_and_check)
            assert waiting.wait(10)
            with database.write() as other:
                AdvisoryLock.MIGRATION.acquire(other)
            released.set()
        waiter.result(10)


def test_leases_and_cancels_never_deadlock(database: Database, add_job: AddJob) -> None:
    """Two that lock many rows do it in the same order, however often rows have moved meanwhile."""
    ids = [add_job() for _ in range(30)]
    with database.write() as connection:
        for _ in ids:
            job_rows.claim_oldest(connection, claimed_by="engine", lease_s=30, max_members=1)

    def extend() -> None:
        for _ in range(40):
            with database.write() as connection:
                job_rows.extend_leases(connection, claimed_by="engine", lease_s=30)

    def touch_all() -> None:
        for _ in range(40):
            with database.write() as connection:
                for job_id in ids:
                    job_rows.update_columns(connection, job_id, name="touched")

    with ThreadPoolExecutor(3) as threads:
        for done in [threads.submit(extend), threads.submit(touch_all), threads.submit(extend)]:
            done.result(60)


def test_a_suspended_process_loses_its_locks(url: str) -> None:
    impatient = Database(f"{url}&options=-c%20idle_in_transaction_session_timeout%3D100ms")
    patient = Database(url)
    with pytest.raises(StorageFailed), impatient.write() as suspended:
        AdvisoryLock.SUBMISSION.acquire(suspended)
        with patient.write() as connection:
            AdvisoryLock.SUBMISSION.acquire(connection)
        suspended.execute(text("SELECT 1"))
    impatient.ping()
    for database in (impatient, patient):
        database.close()


def test_a_server_that_restarts_is_found_again(database: Database, add_job: AddJob, postgresql: Server) -> None:
    """Every connection of the pool is dead afterwards, and none of them is ever handed out."""
    job_id = add_job()
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda _: database.ping(), range(20)))
    with pytest.raises(StorageFailed), database.write() as connection:
        job_rows.update_columns(connection, job_id, name="never committed")
        postgresql.kill()
    for transaction in (database.read, database.write):
        with pytest.raises(StorageFailed), transaction():
            pass
    postgresql.start()
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda _: database.ping(), range(20)))
    with database.read() as connection:
        assert connection.execute(select(jobs.c.name)).scalar_one() == "digits"


def test_a_server_that_starts_later_is_waited_for(
    url: str, postgresql: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Database(url)) as database:
        postgresql.kill()
        with pytest.raises(StorageFailed):
            database.wait(within_s=0)
        with ThreadPoolExecutor(1) as threads, caplog.at_level(logging.WARNING):
            waiting = threads.submit(database.wait, 60)
            while not caplog.records:
                assert not waiting.done()
            postgresql.start()
            waiting.result(60)
    assert len(caplog.records) == 1 and "Waiting up to 60 s" in caplog.text


@pytest.mark.slow
def test_eight_processes_claim_each_job_once(database: Database, add_job: AddJob, fork_server: Any) -> None:
    """Each job once, each stack whole or at least of one sweep, whatever happens at the same moment."""
    ids = [add_job(stack_key=f"{number // 20:064}" if number % 2 else None) for number in range(300)]
    url, answers = database.engine.url.render_as_string(False), fork_server.SimpleQueue()
    claimers = [
        fork_server.Process(target=claim_all, args=(url, f"engine-{number}", answers), daemon=True)
        for number in range(8)
    ]
    for claimer in claimers:
        claimer.start()
    claimed: dict[str, list[str]] = dict(answers.get() for _ in claimers)
    for claimer in claimers:
        claimer.join()
    assert [claimer.exitcode for claimer in claimers] == [0] * 8
    assert sorted(job_id for mine in claimed.values() for job_id in mine) == sorted(ids), "each exactly once"
    with database.read() as connection:
        rows = connection.execute(select(jobs.c.id, jobs.c.claimed_by, jobs.c.fence, jobs.c.state)).all()
    assert {(row.fence, row.state) for row in rows} == {(1, "running")}
    assert {row.id: row.claimed_by for row in rows} == {
        job_id: engine for engine, mine in claimed.items() for job_id in mine
    }


@pytest.fixture
def pooled_url(database: Database) -> Iterator[str]:
    """Return the URL of the same database through a PgBouncer in transaction mode."""
    port = free_port()
    parts = database.engine.url
    socket_folder = Path(str(parts.query.get("host", parts.host)))
    # It refuses to be root, and becomes who may use the socket of the server.
    user = ["-u", socket_folder.owner()] if os.geteuid() == 0 else []
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "users.txt").write_text(f'"{parts.username}" ""\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = user={parts.username} host={socket_folder}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = any\nauth_file = {folder / 'users.txt'}\n"
            "pool_mode = transaction\ndefault_pool_size = 3\n"
        )
        command = ["pgbouncer", "-q", *user, str(folder / "pgbouncer.ini")]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            pooled = f"postgresql://{parts.username}@127.0.0.1:{port}/{parts.database}?pgbouncer=true"
            try:
                with closing(Database(pooled)) as through:
                    through.wait(20)
                yield pooled
            finally:
                process.terminate()


@pytest.mark.slow
@pytest.mark.needs("pgbouncer")
def test_behind_pgbouncer_in_transaction_mode(pooled_url: str, add_job: AddJob) -> None:
    job_ids = [add_job() for _ in range(20)]
    with closing(Database(pooled_url)) as pooled, ThreadPoolExecutor(8) as threads:

        def work(job_id: str) -> bool:
            for number in range(12):  # psycopg would prepare a statement after five
                with pooled.write() as connection:
                    AdvisoryLock.SUBMISSION.acquire(connection)
                    job_rows.update_columns(connection, job_id, name=f"{number}")
                with pooled.read() as connection:
                    if job_rows.state_of(connection, job_id) != "queued":
                        return False
            return True

        assert all(threads.map(work, job_ids))
        with pooled.read() as connection:
            assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "5s"
    with (
        closing(Database(pooled_url.partition("?")[0])) as direct,
        pytest.raises(StorageFailed, match="pgbouncer=true"),
    ):
        direct.wait(20)


@pytest.mark.parametrize(
    ("option", "words"),
    [("schema=x", "search_path"), ("statusColor=red", "no option statusColor"), ("sslmode=disable", "")],
)
def test_options_of_other_tools_work_or_get_a_sentence(url: str, option: str, words: str) -> None:
    changed = f"{url}{'&' if '?' in url else '?'}{option}"
    if words:
        with pytest.raises(InvalidField) as refusal:
            Database(changed)
        assert words in f"{refusal.value.message} {refusal.value.allowed}"
    else:
        with closing(Database(f"{changed}&prepare_threshold=None")) as database:
            database.ping()
