"""Job systems in temporary folders, over every executor and every kind of database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from service.jobs import Executor, InlineExecutor, ProcessesExecutor
from tests.jobs.dask_cluster import DaskCluster
from tests.jobs.job_system import JobSystem, SharedExecutor
from tests.new_folder import add_database
from tests.postgresql import Server
from tests.side_by_side import ON_DASK, unit_of

EXECUTORS: dict[str, tuple[Callable[[int], Executor], str]] = {
    "inline": (InlineExecutor, "sqlite"),
    "processes": (ProcessesExecutor, "sqlite"),
    "inline-postgresql": (InlineExecutor, "postgresql"),
}
"""Every executor and every kind of database, but not each with each: a cluster has PostgreSQL."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a data folder with an empty database."""
    add_database(tmp_path)
    return tmp_path


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Name a kind of database; a test with an idle system runs on both."""
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


@pytest.fixture(scope="module")
def two_dask_workers() -> DaskCluster:
    """Return a Dask cluster of two workers: that of the module before, if it still runs."""
    if not _cluster:
        _cluster.append(DaskCluster(2))
    return _cluster[0]


_cluster: list[DaskCluster] = []


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Close the cluster once no test on it follows: an idle one takes a tenth of a processor's time.

    Within a module it stays, since the fixture is that of a module, and tests on other executors may be in between.
    """
    if _cluster and not (nextitem and (nextitem.path == item.path or unit_of(nextitem.nodeid) == ON_DASK)):
        _cluster.pop().close()


@pytest.fixture(
    scope="module",
    params=[
        "inline",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("processes", "dask")),
        pytest.param("inline-postgresql", marks=pytest.mark.long),
    ],
)
def executor(request: pytest.FixtureRequest) -> Iterator[SharedExecutor]:
    """Return an executor with one slot, of each kind."""
    if request.param == "dask":
        cluster: DaskCluster = request.getfixturevalue("two_dask_workers")
        executor, database_kind = cast("Executor", cluster.executor()), "postgresql"
    else:
        make, database_kind = EXECUTORS[request.param]
        executor = make(1)
    yield SharedExecutor(executor, database_kind, n_slots=1)
    executor.close()


@pytest.fixture(scope="module")
def one_process() -> Iterator[SharedExecutor]:
    """Return an executor with one worker process."""
    executor = ProcessesExecutor(1)
    yield SharedExecutor(executor)
    executor.close()


@pytest.fixture
def make_system(folder: Path, url: str) -> Iterator[Callable[..., JobSystem]]:
    """Make job systems in one folder; all are closed at the end."""
    systems: list[JobSystem] = []

    def make(executor: Callable[[], Executor], **options: Any) -> JobSystem:
        systems.append(JobSystem(folder, executor, url=url, **options))
        return systems[-1]

    yield make
    for system in reversed(systems):
        system.close()


@pytest.fixture
def system(make_system: Callable[..., JobSystem], executor: SharedExecutor) -> JobSystem:
    """Return a job system whose engine runs, for each executor."""
    system = make_system(lambda: executor)
    system.engine.start()
    return system


@pytest.fixture
def idle(kind: str, make_system: Callable[..., JobSystem]) -> JobSystem:
    """Return a job system whose engine is never started: jobs stay queued."""
    return make_system(lambda: InlineExecutor(1))
