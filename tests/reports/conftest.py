"""A service that trains in this process, and a quick report that it has finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.bootstrap import Service, build
from service.reports import Contents, Report, ReportOptions
from service.settings import Settings

DEADLINE_S = 100.0

Eventually = Callable[[Callable[[], bool]], None]

QUICK = ReportOptions(quick=True, l2_penalties=(1.0,))


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.01)

    return wait


@pytest.fixture(scope="session")
def start() -> Callable[[Path], Service]:
    return lambda folder: build(Settings(data_dir=folder, executor="inline", workers=1))


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
def contents(service: Service, finished: Report) -> Contents:
    return service.reports.contents(finished.id)
