"""Disks that fail: full, read-only, denied, or broken, under a service that runs."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from tests.chaos.supervisor import Program

INSIDE = ("unshare", "--mount", "--map-root-user")
"""A program that is started so has mounts of its own, which end with it."""
WITHOUT_OVERRIDE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
"""Root ignores permissions; a program that is started with this may not."""


def small_disk(path: Path, size: str) -> tuple[str, ...]:
    """Return what starts a program with a small file system of its own at a folder."""
    path.mkdir()
    mount = 'mount -t tmpfs -o size="$1" none "$0" && shift && exec "$@"'
    return *INSIDE, "sh", "-c", mount, str(path), size


def seen_by(service: Program, path: Path) -> Path:
    """Return a path as it is among the mounts of a service."""
    return Path(f"/proc/{service.process.pid}/root{path}")


@contextmanager
def device_errors(service: Program, calls: str, *files: Path, thread: int | None = None) -> Iterator[list[int]]:
    """Let system calls end as a device that fails lets them (EIO): all of a service, those on files, or of a thread.

    The list that it yields has afterwards the threads that met them, in order.
    """
    which = ("-f", "-p", str(service.process.pid)) if thread is None else ("-p", str(thread))
    on = [option for file in files for option in ("-P", str(file))]
    trace = service.log.with_suffix(".strace")
    what = ("-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO", "-o", str(trace))
    met: list[int] = []
    with subprocess.Popen(["strace", *which, *on, *what], stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        try:
            assert " attached" in strace.stderr.readline()
            yield met
        finally:
            strace.terminate()
            strace.stderr.read()
    met += [int(line.split()[0]) for line in trace.read_text().splitlines() if thread is None and "INJECTED" in line]


def unsynced(service: Program, store: Path) -> AbstractContextManager[Any]:
    """Let nothing of the store become durable."""
    return device_errors(service, "fsync")


def unnamed(service: Program, store: Path) -> AbstractContextManager[Any]:
    """Let no file get its name."""
    return device_errors(service, "link,linkat")


def _database_errors(service: Program, data: Path, calls: str) -> AbstractContextManager[Any]:
    return device_errors(service, calls, data / "inkling.db", data / "inkling.db-wal")


def unwritten_database(service: Program, data: Path) -> AbstractContextManager[Any]:
    return _database_errors(service, data, "pwrite64")


def unsynced_database(service: Program, data: Path) -> AbstractContextManager[Any]:
    return _database_errors(service, data, "fdatasync")


def unread_database(service: Program, data: Path) -> AbstractContextManager[Any]:
    return _database_errors(service, data, "pread64")


@contextmanager
def full(service: Program, path: Path) -> Iterator[None]:
    """Leave no byte free."""
    ballast = seen_by(service, path) / "ballast.bin"
    with ballast.open("wb", buffering=0) as file:
        for n_bytes in (1 << 20, 1 << 12):
            try:
                while file.write(bytes(n_bytes)):
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC
    assert shutil.disk_usage(ballast.parent).free == 0
    yield
    ballast.unlink()


@contextmanager
def read_only(service: Program, path: Path) -> Iterator[None]:
    """Make the disk read-only."""
    enter = ("nsenter", "--target", str(service.process.pid), "--user", "--mount", "--preserve-credentials")
    remount = (*enter, "mount", "-o")
    subprocess.run([*remount, "remount,ro", str(path)], check=True)
    yield
    subprocess.run([*remount, "remount,rw", str(path)], check=True)


@contextmanager
def denied(service: Program, path: Path) -> Iterator[None]:
    """Take the permission to write away."""
    folders = [path, *(folder for folder in path.rglob("*") if folder.is_dir())]
    for folder in folders:
        folder.chmod(0o500)
    yield
    for folder in folders:
        folder.chmod(0o700)


@contextmanager
def broken(service: Program, path: Path) -> Iterator[None]:
    """Let no file of the service grow: a write gives fewer bytes than it was given, or an error."""
    limits = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (4096, limits[1]))
    yield
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, limits)
