"""The migrations make the tables that the queries know, whatever happens in the middle."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from service.database import HEAD, JOBS, CheckRow, Database, Event, event_rows, migrate, migrations, tables
from service.database.tables import metadata
from service.errors import StorageFailed
from tests.database.histories import check_series
from tests.postgresql import only_sqlite

HERE = Path(__file__).parent


def tables_of(database: Database) -> dict[str, str]:
    """Return how each table and index of a SQLite file was made."""
    with database.read() as connection:
        return dict(connection.execute(text("SELECT name, sql FROM sqlite_master")).all())


def test_the_migrations_are_one_chain() -> None:
    """Two branches that each add the next one are merged without a conflict by git."""
    files = sorted((Path(migrations.__file__).parent / "versions").glob("v*.py"))
    scripts = [import_module(f"{migrations.__name__}.versions.{file.stem}") for file in files]
    for number, (file, script) in enumerate(zip(files, scripts, strict=True), 1):
        expected = f"{number:04d}", f"{number - 1:04d}" if number > 1 else None
        assert (script.revision, script.down_revision) == expected, (
            f"{file.name} is not migration {expected[0]} after {expected[1]}: renumber the one that was merged later"
        )
        assert file.stem.startswith(f"v{script.revision}_"), f"{file.name} has another number than its revision"
    assert scripts[-1].revision == HEAD, f"connection.HEAD is {HEAD}, the newest migration {scripts[-1].revision}"


def test_the_migrations_make_exactly_the_tables(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_constraints_are_those_of_the_tables(database: Database, make_url: Callable[..., str]) -> None:
    """Alembic does not compare check constraints and foreign key rules; the text of the tables does."""
    direct = Database(make_url("direct.db"))
    with direct.write() as connection:
        metadata.create_all(connection)
    expected, made = inspect(direct.engine), inspect(database.engine)
    for table in metadata.tables:
        for constraints in ("get_check_constraints", "get_foreign_keys", "get_unique_constraints", "get_indexes"):
            ours, theirs = getattr(made, constraints)(table), getattr(expected, constraints)(table)
            assert sorted(map(str, ours)) == sorted(map(str, theirs)), (table, constraints)
    if database.exclusive:  # PostgreSQL's sequences never go back
        for table in ("jobs", "events"):
            assert "AUTOINCREMENT" in tables_of(database)[table], "ids are never reused"
    direct.close()


@only_sqlite
def test_migrating_again_changes_nothing(database: Database) -> None:
    before = tables_of(database)
    migrate(database)
    assert tables_of(database) == before


def test_many_may_migrate_at_once(url: str) -> None:
    databases = [Database(url) for _ in range(8)]
    errors = []

    def bring_up(database: Database) -> None:
        try:
            migrate(database)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=bring_up, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for database in databases:
        database.ping()
        database.close()


def test_a_newer_database_is_left_alone(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageFailed, match="newer version"):
        migrate(database)
    with database.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"


def test_what_an_earlier_version_recorded_is_kept(url: str) -> None:
    """Jobs of the first release, one over and one in training: their newest and best checks, curves and events."""
    database = Database(url)
    config = Config()
    config.set_main_option("script_location", "service.database:migrations")
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        for number, state in ((1, "succeeded"), (2, "running")):
            connection.execute(
                text(
                    "INSERT INTO jobs (number, id, name, dataset, config, state, request_sha256, fence, losses,"
                    " publishing, latest_check_id, best_check_id, created_at)"
                    " VALUES (:number, :id, 'digits', 'mnist', '{}', :state, '', 1, 0, false, :latest, :best,"
                    " '2026-01-01')"
                ),
                {
                    "number": number,
                    "id": f"{number:026}",
                    "state": state,
                    "latest": 10 * number + 3,
                    "best": 10 * number,
                },
            )
            for n in range(4):
                connection.execute(
                    text(
                        "INSERT INTO events (id, job_id, kind, at, epoch, step, train_loss, train_accuracy,"
                        " validation_loss, validation_accuracy, detail, step_losses)"
                        " VALUES (:id, :job, 'check', '2026-01-01', 0, :step, 0.1, 0.9, :loss, 0.8, :detail, :losses)"
                    ),
                    {
                        "id": 10 * number + n,
                        "job": f"{number:026}",
                        "step": n,
                        "loss": 0.1 + 0.2 * n,
                        "detail": f'{{"fraction": 0.{n}}}',
                        "losses": b"\0\0\x80?",
                    },
                )
    migrate(database)
    for number in (1, 2):
        job_id, ids = f"{number:026}", list(range(10 * number, 10 * number + 4))
        with database.read() as connection:
            row, series = JOBS.find(connection, job_id), check_series(connection, job_id)
            events = event_rows.after(connection, job_id, ids[0], 10)
            n_loose = connection.execute(text(f"SELECT count(*) FROM events WHERE job_id = '{job_id}'")).scalar_one()
        assert row is not None and row.latest_check is not None and row.best_check is not None
        assert (row.latest_check["id"], row.best_check["id"]) == (ids[-1], ids[0])
        assert Event.of(CheckRow(**row.latest_check)) == events[-1] and row.latest_check["detail"] == {"fraction": 0.3}
        assert series.checks["id"].tolist() == ids and [event.id for event in events] == ids[1:]
        assert series.checks["validation_loss"].tolist() == [0.1 + 0.2 * n for n in range(4)]
        assert len(series.step_losses) == 4
        assert n_loose == {1: 0, 2: 4}[number]
    database.close()


def test_a_block_of_before_a_metric_reads_on(tmp_path: Path) -> None:
    """What was not measured then is no number."""
    database = Database(f"sqlite:///{tmp_path / 'inkling.db'}")
    migrate(database)
    kinds = [("id", "<i8"), ("epoch", "<i4"), ("step", "<i8"), ("validation_loss", "<f8"), ("n_losses", "<i4")]
    checks = np.array([(7, 1, 2, 0.5, 0), (8, 1, 3, 0.25, 0)], dtype=kinds)
    job = {"id": "1" * 26, "name": "digits", "dataset": "mnist", "config": {}, "state": "succeeded", "fence": 1}
    job |= {"request_sha256": "", "losses": 0, "publishing": False, "created_at": datetime.now(UTC)}
    block: dict[str, Any] = {"job_id": "1" * 26, "first_id": 7, "last_id": 8, "last_step": 3}
    block |= {"metrics": ["validation_loss"], "checks": checks.tobytes(), "step_losses": b""}
    with database.write() as connection:
        connection.execute(tables.jobs.insert().values(job))
        block["details"] = zlib.compress(b"[{}, {}]")
        connection.execute(tables.check_blocks.insert().values(block))
        series = check_series(connection, "1" * 26)
    assert series.checks["validation_loss"].tolist() == [0.5, 0.25]
    assert series.checks["step"].tolist() == [2, 3] and np.isnan(series.checks["train_loss"]).all()
    database.close()


@pytest.mark.slow
@only_sqlite
def test_a_migration_killed_anywhere_leaves_nothing_behind(url: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, str(HERE / "migrate_and_die.py"), str(tmp_path / "inkling.db")],
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    _, n_kills, _ = run.stdout.split()
    assert int(n_kills) >= 8
    database = Database(url)
    assert {"jobs", "events", "checkpoints"} <= set(tables_of(database))
    migrate(database)
    database.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "inkling.db"
    path.write_bytes(b"no database at all " * 1000)
    database = Database(f"sqlite:///{path}")
    with pytest.raises(StorageFailed, match="damaged"):
        migrate(database)
    database.close()
    assert path.read_bytes().startswith(b"no database")


@only_sqlite
def test_a_damaged_file_is_refused(url: str, tmp_path: Path) -> None:
    database = Database(url)
    migrate(database)
    database.close()
    path = tmp_path / "inkling.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(sqlite3.DatabaseError), sqlite3.connect(path) as connection:
        connection.execute("SELECT * FROM jobs").fetchall()
    damaged = Database(url)
    with pytest.raises(StorageFailed), damaged.read() as read:
        read.execute(text("SELECT * FROM jobs")).all()
    damaged.close()
