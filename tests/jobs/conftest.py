"""Houses in temporary folders, over every executor and every kind of database."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from service.database import Database, migrate
from service.jobs import Executor, InlineExecutor, ProcessesExecutor
from tests.jobs.dask_cluster import DaskCluster
from tests.jobs.house import House, KeptOpen
from tests.postgresql import Server

EXECUTORS: dict[str, tuple[Callable[[int], Executor], str]] = {
    "inline": (InlineExecutor, "sqlite"),
    "processes": (ProcessesExecutor, "sqlite"),
    "inline-postgresql": (InlineExecutor, "postgresql"),
}
"""Every executor and every kind of database, but not each with each."""


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


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Name a kind of database; a test with a desk runs over both."""
    kind: str = request.param
    return kind


@pytest.fixture
def url(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """Return the URL of an empty database, of the kind that the test runs over, else on SQLite."""
    kind = "sqlite"
    if "executor" in request.fixturenames:
        kind = request.getfixturevalue("executor").database_kind
    elif "kind" in request.fixturenames:
        kind = request.getfixturevalue("kind")
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'inkling.db'}"
    else:
        server: Server = request.getfixturevalue("postgresql")
        with server.migrated_database() as url:
            yield url


@pytest.fixture(scope="session")
def two_dask_workers() -> Iterator[DaskCluster]:
    """Start a Dask cluster of two workers."""
    cluster = DaskCluster(2)
    yield cluster
    cluster.close()


@pytest.fixture(
    scope="module",
    params=[
        *(
            pytest.param(name, marks=pytest.mark.slow) if kind == "postgresql" else name
            for name, (_, kind) in EXECUTORS.items()
        ),
        pytest.param("dask", marks=pytest.mark.slow),
    ],
)
def executor(request: pytest.FixtureRequest) -> Iterator[KeptOpen]:
    """Return an executor with one slot, of each kind."""
    if request.param == "dask":
        cluster: DaskCluster = request.getfixturevalue("two_dask_workers")
        executor, database_kind = cast("Executor", cluster.executor()), "sqlite"
    else:
        make, database_kind = EXECUTORS[request.param]
        executor = make(1)
    yield KeptOpen(executor, database_kind, n_slots=1)
    executor.close()


@pytest.fixture(scope="module")
def one_process() -> Iterator[KeptOpen]:
    """Return an executor with one worker process."""
    executor = ProcessesExecutor(1)
    yield KeptOpen(executor)
    executor.close()


@pytest.fixture
def make_house(folder: Path, url: str) -> Iterator[Callable[..., House]]:
    """Set up houses in one folder; all are closed at the end."""
    houses: list[House] = []

    def make(executor: Callable[[], Executor], **options: Any) -> House:
        houses.append(House(folder, executor, url=url, **options))
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
def desk(kind: str, make_house: Callable[..., House]) -> House:
    """Return a house whose engine is never started: jobs stay as they are."""
    return make_house(lambda: InlineExecutor(1))
