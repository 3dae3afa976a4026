"""Runs tests in several processes (``-n 2``): together what shares a costly fixture, and first what takes long."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

TOGETHER = ("core", "registry", "reports")
"""Folders that one process runs as a whole, so that their fixtures are made once. Elsewhere that unit is a file."""
ON_DASK = "jobs/dask"
"""What one process runs of many files, on one cluster."""
LONGEST_FIRST = (
    "project/test_container.py",
    ON_DASK,
    "web/test_supervisor.py",
    "chaos",
    "browser",
    "extras",
    "project/test_commands_in_docs.py",
    "reports",
    "jobs",
    "fuzz",
    "core",
    "registry",
)
"""So that no process runs long after the others."""


def unit_of(nodeid: str) -> str:
    """Return what one process runs as a whole: a folder, a file, or what needs the Dask cluster."""
    _, folder, *file = nodeid.partition("::")[0].split("/")
    if folder == "jobs" and ("dask" in nodeid.partition("[")[2] or file == ["test_dask.py"]):
        return ON_DASK
    return folder if folder in TOGETHER else "/".join((folder, *file))


def rank(unit: str) -> int:
    """Return the place of a unit: smaller ones begin earlier."""
    return next((place for place, start in enumerate(LONGEST_FIRST) if unit.startswith(start)), len(LONGEST_FIRST))


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a free process the next unit."""

    def _split_scope(self, nodeid: str) -> str:  # the method that xdist's own schedulers override too
        return unit_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Distribute whole units, in the order in which they were collected."""
    config.option.loadscopereorder = False
    return ByFile(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process runs long after the others."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank(unit_of(item.nodeid)))
