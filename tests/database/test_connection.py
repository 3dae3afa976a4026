"""How transactions begin, wait, fail and end."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from service.database import JOBS, Database, job_rows, migrate
from service.database.tables import checkpoints, jobs
from service.errors import InvalidField, StorageFailed, StorageFull
from tests.postgresql import only_sqlite

HERE = Path(__file__).parent


def pragma(database: Database, name: str) -> object:
    with database.read() as connection:
        return connection.execute(text(f"PRAGMA {name}")).scalar_one()


@only_sqlite
def test_a_commit_is_durable_and_references_hold(database: Database) -> None:
    assert pragma(database, "journal_mode") == "wal"
    assert pragma(database, "synchronous") == 2, "FULL"
    assert pragma(database, "foreign_keys") == 1
    assert pragma(database, "busy_timeout") == 5000
    assert database.exclusive


@only_sqlite
def test_only_the_owner_reads_the_files(database: Database, add_job: Callable[..., str]) -> None:
    add_job()
    assert database.path is not None
    files = list(database.path.parent.glob(f"{database.path.name}*"))
    assert len(files) == 3 and {file.stat().st_mode & 0o777 for file in files} == {0o600}


@only_sqlite
def test_what_is_written_is_there_when_the_block_is_left(database: Database, add_job: Callable[..., str]) -> None:
    job_id = add_job()
    with sqlite3.connect(database.engine.url.database) as other:
        assert other.execute("SELECT id FROM jobs").fetchall() == [(job_id,)]
    other.close()


def test_an_exception_rolls_everything_back(database: Database, add_job: Callable[..., str]) -> None:
    job_id = add_job()
    with pytest.raises(RuntimeError), database.write() as connection:
        job_rows.update_columns(connection, job_id, name="changed")
        raise RuntimeError
    with database.read() as connection:
        assert connection.execute(select(jobs.c.name)).scalar_one() == "digits"


@only_sqlite
def test_a_writer_has_the_lock_from_its_beginning(database: Database) -> None:
    second = Database(str(database.engine.url), busy_timeout_ms=1)
    with database.write():
        with pytest.raises(StorageFailed, match="does not answer"), second.write():
            pass
        with second.read() as connection:
            assert connection.execute(text("SELECT count(*) FROM jobs")).scalar_one() == 0, "readers do not wait"
    with second.write():
        pass
    second.close()


@only_sqlite
def test_fifty_writers_that_read_first_never_meet_a_locked_database(
    database: Database, add_job: Callable[..., str]
) -> None:
    """A transaction that begins by reading and then writes fails at once while another one writes; ours never do."""
    job_id = add_job()

    def count_up(_: int) -> None:
        for _turn in range(5):
            with database.write() as connection:
                fence = connection.execute(select(jobs.c.fence)).scalar_one()
                job_rows.update_columns(connection, job_id, fence=fence + 1)

    with ThreadPoolExecutor(40) as threads:
        list(threads.map(count_up, range(50)))
    with database.read() as connection:
        assert connection.execute(select(jobs.c.fence)).scalar_one() == 250, "no update was lost"


@pytest.mark.slow
@only_sqlite
def test_two_processes_write_at_once(database: Database, add_job: Callable[..., str]) -> None:
    add_job()
    command = [sys.executable, str(HERE / "count_up.py"), str(database.engine.url), "15"]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    processes = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    with database.read() as connection:
        assert connection.execute(select(jobs.c.fence)).scalar_one() == 30


@only_sqlite
def test_a_held_lock_is_waited_for(database: Database, add_job: Callable[..., str]) -> None:
    released_at = []

    def hold() -> None:
        with database.write():
            holding.set()
            release.wait(10)
            released_at.append(time.monotonic())

    holding, release = threading.Event(), threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    assert holding.wait(10)
    waiter = ThreadPoolExecutor(1)
    written = waiter.submit(add_job)
    assert not written.done()
    release.set()
    written.result(10)
    assert released_at and released_at[0] < time.monotonic()
    holder.join()
    waiter.shutdown()


@only_sqlite
def test_a_full_database_says_so_and_is_unharmed(database: Database, add_job: Callable[..., str]) -> None:
    job_id = add_job()
    with database.read() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count={pages + 2}"))
        # The limit belongs to this connection; the pool hands it out again to the next one that asks.
    with pytest.raises(StorageFull), database.write() as connection:
        connection.execute(insert(checkpoints).values(job_id=job_id, step=0, body=bytes(200_000), at=datetime.now(UTC)))
    assert pragma(database, "integrity_check") == "ok"
    with database.read() as connection:
        assert connection.execute(select(jobs.c.id)).scalar_one() == job_id
        assert connection.execute(select(checkpoints.c.job_id)).all() == []
        connection.execute(text("PRAGMA max_page_count=1000000"))
    with database.write() as connection:
        job_rows.update_columns(connection, job_id, name="room-again")


@pytest.mark.slow
def test_a_limit_on_file_sizes_tears_nothing(tmp_path: Path) -> None:
    """Near RLIMIT_FSIZE a write is short and then fails with EFBIG."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    run = subprocess.run(
        [sys.executable, str(HERE / "limited_files.py"), str(tmp_path / "inkling.db")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("refused after "), run.stdout
    with sqlite3.connect(tmp_path / "inkling.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        acknowledged = int(run.stdout.split()[2])
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (acknowledged,)
    connection.close()


def test_a_database_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'no such folder' / 'inkling.db'}")
    with pytest.raises(StorageFailed) as failure:
        migrate(database)
    assert str(tmp_path) not in failure.value.message
    database.close()


def test_an_exhausted_pool_is_a_storage_failure(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database.engine.pool, "_timeout", 0.01)
    monkeypatch.setattr(database.engine.pool, "_max_overflow", 0)
    held = [database.engine.connect() for _ in range(8)]
    with pytest.raises(StorageFailed, match="overloaded"), database.read():
        pass
    for connection in held:
        connection.close()
    database.ping()


def test_a_broken_rule_is_a_bug_and_not_hidden(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(checkpoints).values(job_id="nobody", step=0, body=b"", at=datetime.now(UTC)))


def test_times_come_back_aware_and_in_utc(database: Database, add_job: Callable[..., str]) -> None:
    before = datetime.now(UTC)
    job_id = add_job()
    with database.read() as connection:
        row = JOBS.find(connection, job_id)
    assert row is not None and row.created_at.tzinfo is UTC
    assert before <= row.created_at <= datetime.now(UTC)

    elsewhere = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    with database.write() as connection:
        job_rows.update_columns(connection, job_id, started_at=elsewhere)
        assert connection.execute(select(jobs.c.started_at)).scalar_one() == elsewhere
        with pytest.raises(Exception, match="aware"):
            job_rows.update_columns(connection, job_id, started_at=datetime(2026, 1, 1))


def test_closing_gives_every_file_back(url: str) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    before = open_files()
    for _ in range(5):
        database = Database(url)
        migrate(database)
        with ThreadPoolExecutor(6) as threads:
            list(threads.map(lambda _: database.ping(), range(12)))  # noqa: B023
        database.close()
    assert open_files() == before


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/x", "postgresql+asyncpg://host/x", ""])
def test_a_database_that_we_do_not_know_is_refused(url: str) -> None:
    with pytest.raises(InvalidField) as refused:
        Database(url)
    assert refused.value.field == "database_url" and "postgresql://" in str(refused.value.allowed)


def test_without_the_driver_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StorageFailed, match=r"inkling-digits\[postgresql\]"):
        Database("postgresql://host/x")


@pytest.mark.slow
@only_sqlite
def test_opening_a_database_again_keeps_the_locks_of_who_has_it_open(
    database: Database, add_job: Callable[..., str]
) -> None:
    """POSIX drops all locks that a process has on a file once it closes any descriptor of it."""
    add_job()
    url = database.engine.url.render_as_string(hide_password=False)
    Database(url).close()
    Database(url, read_only=True).close()
    other = "import sys; from service.database import Database; d = Database(sys.argv[1]); d.ping(); d.close()"
    subprocess.run([sys.executable, "-P", "-c", other, url], check=True)
    path = database.path
    assert path is not None
    for ending in ("-wal", "-shm"):
        assert path.with_name(path.name + ending).exists(), "the last of its users was another one"
    add_job()
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM jobs")).scalar_one() == 2
