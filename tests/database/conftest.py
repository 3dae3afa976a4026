"""A real SQLite file and a real PostgreSQL database, made by the real migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ulid import ULID

from service.core import TrainingConfig
from service.database import Database, NewJob, job_rows, migrate
from tests.postgresql import Server


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Name a kind of database; each test runs over both."""
    kind: str = request.param
    return kind


@pytest.fixture
def make_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Make databases of the kind, with the tables of now or without any, and return their URLs."""
    with ExitStack() as at_end:

        def make(name: str = "inkling.db", *, migrated: bool = False) -> str:
            if kind == "sqlite":
                return f"sqlite:///{tmp_path / name}"
            server: Server = request.getfixturevalue("postgresql")
            return at_end.enter_context(server.migrated_database() if migrated else server.empty_database())

        yield make


@pytest.fixture
def url(make_url: Callable[..., str]) -> str:
    """Return the URL of a database without any tables."""
    return make_url()


@pytest.fixture
def database(make_url: Callable[..., str]) -> Iterator[Database]:
    database = Database(make_url(migrated=True))
    migrate(database)
    yield database
    database.close()


@pytest.fixture
def add_job(database: Database) -> Callable[..., str]:
    """Write a queued job down and return its id."""

    def add(**changes: Any) -> str:
        job = NewJob(
            **{
                "id": str(ULID()),
                "name": "digits",
                "dataset": "mnist",
                "config": TrainingConfig().to_dict(),
                "idempotency_key": None,
                "request_sha256": "0" * 64,
                **changes,
            }
        )
        with database.write() as connection:
            job_rows.insert(connection, [job])
        return job.id

    return add
