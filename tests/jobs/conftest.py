"""Houses in temporary folders, over both executors."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.database import Database, migrate
from service.jobs import Executor, InlineExecutor, ProcessesExecutor
from tests.jobs.house import House, KeptOpen

EXECUTORS: dict[str, Callable[[int], Executor]] = {"inline": InlineExecutor, "processes": ProcessesExecutor}


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty database of the present schema, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "inkling.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    return path


@pytest.fixture
def folder(tmp_path: Path, migrated_file: Path) -> Path:
    """Return a data folder with an empty database."""
    shutil.copy(migrated_file, tmp_path)
    return tmp_path


@pytest.fixture(scope="module", params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Iterator[KeptOpen]:
    """Return an executor with one slot, of each kind."""
    executor = EXECUTORS[request.param](1)
    yield KeptOpen(executor)
    executor.close()


@pytest.fixture(scope="module")
def one_process() -> Iterator[KeptOpen]:
    """Return an executor with one worker process."""
    executor = ProcessesExecutor(1)
    yield KeptOpen(executor)
    executor.close()


@pytest.fixture
def make_house(folder: Path) -> Iterator[Callable[..., House]]:
    """Set up houses in one folder; all are closed at the end."""
    houses: list[House] = []

    def make(executor: Callable[[], Executor], **options: Any) -> House:
        houses.append(House(folder, executor, **options))
        return houses[-1]

    yield make
    for house in reversed(houses):
        house.close()


@pytest.fixture
def house(make_house: Callable[..., House], executor: KeptOpen) -> House:
    """Return a house whose engine works, over each executor."""
    house = make_house(lambda: executor)
    house.engine.start()
    return house


@pytest.fixture
def desk(make_house: Callable[..., House]) -> House:
    """Return a house whose engine is never started: jobs stay as they are."""
    return make_house(lambda: InlineExecutor(1))
