"""A service that trains in this process, and a quick report that it has finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from service.bootstrap import Service
from service.reports import Contents, Findings, Report, ReportOptions
from service.settings import Settings
from tests.postgresql import Server

DEADLINE_S = 100.0

Eventually = Callable[[Callable[[], bool]], None]

QUICK = ReportOptions(quick=True, l2_penalties=(1.0,))


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.05)

    return wait


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run over both kinds of database; the contents are tested with one."""
    if "kind" in metafunc.fixturenames:
        once = metafunc.module.__name__.endswith(("_contents", "_claims", "_network_report", "_over_seeds"))
        kinds = ["sqlite"] if once else ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)]
        metafunc.parametrize("kind", kinds, scope="session")


@pytest.fixture(scope="session")
def start(kind: str, request: pytest.FixtureRequest) -> Iterator[Callable[[Path], Service]]:
    """Make services, each folder with a database of its own."""
    urls: dict[Path, str | None] = {}
    # Requested here, it outlives the services; requested in `start_in`, it would not.
    server: Server | None = request.getfixturevalue("postgresql") if kind == "postgresql" else None
    with ExitStack() as at_end:

        def start_in(folder: Path) -> Service:
            if server and folder not in urls:
                urls[folder] = at_end.enter_context(server.migrated_database())
            settings = Settings(data_dir=folder, executor="inline", workers=1, database_url=urls.get(folder))
            return Service(settings)

        yield start_in


@pytest.fixture(scope="session")
def service(start: Callable[[Path], Service], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with start(tmp_path_factory.mktemp("data")) as service:
        yield service


@pytest.fixture(scope="session")
def finished(service: Service, eventually: Eventually) -> Report:
    report = service.reports.submit(QUICK)
    eventually(lambda: service.reports.get(report.id).state.final)
    return service.reports.get(report.id)


@pytest.fixture(scope="session")
def networks(service: Service, eventually: Eventually) -> Report:
    report = service.reports.submit(ReportOptions(assignment=2, quick=True))
    eventually(lambda: service.reports.get(report.id).state.final)
    return service.reports.get(report.id)


@pytest.fixture(scope="session")
def findings(contents: Contents) -> Findings:
    assert isinstance(contents.findings, Findings)
    return contents.findings


@pytest.fixture(scope="session")
def contents(service: Service, finished: Report) -> Contents:
    return service.reports.contents(finished.id)
