"""A real SQLite file, made by the real migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ulid import ULID

from service.core import TrainingConfig
from service.database import Database, NewJob, job_rows, migrate


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'inkling.db'}"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
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
