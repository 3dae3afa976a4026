"""Runs tests in several processes (``-n 2``): together what shares a costly fixture, by itself what measures time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from functools import cache

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


@pytest.hookimpl(wrapper=True, tryfirst=True)  # so that waiting does not count against the timeout
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run what is marked ``alone`` while no other process runs a test."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    turnstile, running = _locks(item.config)
    # A process that waits to be alone holds the turnstile, so that no other test begins meanwhile.
    fcntl.flock(turnstile, fcntl.LOCK_EX)
    fcntl.flock(running, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
    fcntl.flock(turnstile, fcntl.LOCK_UN)
    try:
        return (yield)
    finally:
        fcntl.flock(running, fcntl.LOCK_UN)


@cache
def _locks(config: pytest.Config) -> tuple[int, int]:
    """Open two things that all processes of this project have, and those of another, run within a test, have not."""
    assert config.inipath is not None
    return os.open(config.rootpath, os.O_RDONLY), os.open(config.inipath, os.O_RDONLY)
