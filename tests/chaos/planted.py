"""Mutants: faults that are injected into the process under test, each of which the tests must detect."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from service.database import JOBS, Database, job_rows
from service.jobs import Recorder, engine
from service.jobs.executors import processes
from service.registry import Registry
from service.registry.manifest import Manifest
from service.stores import LocalStore


def row_before_file() -> None:
    """Commit the row that names a version first, and store the version then."""
    register, finish = Registry.register, Recorder.finish
    late: list[Callable[[], Manifest]] = []

    def register_later(registry: Registry, name: str, draft: Any, best: Any, last: Any, **options: Any) -> Manifest:
        late.append(lambda: register(registry, name, draft, best, last, **options))
        version = registry.latest(name) + 1
        return draft.as_version(name=name, version=version, weights_sha256="0" * 64, size_bytes=1)

    def finish_first(recorder: Recorder, *args: Any) -> bool:
        finished = finish(recorder, *args)
        while late:
            late.pop()()
        return finished

    Registry.register = register_later  # type: ignore[method-assign, assignment]
    Recorder.finish = finish_first  # type: ignore[method-assign, assignment]


def written_in_place() -> None:
    """Write files under their final name."""

    def create(store: LocalStore, key: str, data: bytes) -> None:
        path: Path = store._path(key)
        store._make_root()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise FileExistsError(key) from error
        os.write(descriptor, data)
        os.fsync(descriptor)
        os.close(descriptor)

    LocalStore.create = create  # type: ignore[method-assign, assignment]


def no_fence() -> None:
    """Let an engine whose claim has been taken over write."""

    def held_by_anybody(connection: Any, job_id: str, fence: int) -> bool:
        row = JOBS.find(connection, job_id)
        return row is not None and row.state in job_rows.CLAIMED

    def move_by_anybody(*args: Any, fence: int | None = None, **kwargs: Any) -> bool:
        return bool(move(*args, **kwargs))

    move = job_rows.move
    job_rows.lock_claimed = held_by_anybody
    job_rows.move = move_by_anybody


def leases() -> None:
    """No fault: let several engines work on one SQLite file, by claims and leases, as those of several hosts do."""
    Database.exclusive = property(lambda _: False)  # type: ignore[assignment, method-assign]
    socket.gethostname = lambda: f"host-{os.getpid()}"
    engine.HEARTBEAT_S = 0.2  # how often abandoned claims are looked for
    engine.LEASE_S = 3.0  # how long a new engine waits before it takes over others' claims


def poison() -> None:
    """Kill the worker of one job each time; see `poisoned.py`."""
    processes._PROGRAM = (
        f"from tests.chaos.poisoned import poison_this_process; poison_this_process(); {processes._PROGRAM}"
    )


FAULTS: Mapping[str, Callable[[], None]] = {
    fault.__name__: fault for fault in (row_before_file, written_in_place, no_fence, leases, poison)
}
