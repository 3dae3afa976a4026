"""The folder in which several processes keep their figures, each for all to read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.errors import StorageFailed

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The library's variable that names it."""
_MEMORY = Path("/dev/shm")  # noqa: S108 - in it a folder with a name that nobody can know before


@contextmanager
def shared_figures(data_dir: Path) -> Iterator[None]:
    """Have this process, and those that it starts, keep their figures where each can read all.

    That is in memory, where it can be: they are mapped files, and whoever writes to a page of one that finds no room on
    its disk is killed.

    Raises
    ------
    StorageFailed : there is no room in memory, and the data folder cannot be written to.
    """
    try:
        folder = tempfile.mkdtemp(prefix="inkling-", dir=_MEMORY)
    except OSError:
        folder = _folder_in(data_dir)
    os.environ[SHARED] = folder
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def figures_of_the_first() -> Iterator[None]:
    """Have this process keep its figures where the one that started it said; leave none behind if that was killed."""
    first = os.getppid()
    folder = Path(os.environ[SHARED])
    folder.mkdir(mode=0o700, exist_ok=True)  # somebody may have tidied up
    yield
    if os.getppid() != first:  # it could not tidy up itself
        shutil.rmtree(folder, ignore_errors=True)


def _folder_in(data_dir: Path) -> str:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        return tempfile.mkdtemp(prefix="metrics-", dir=data_dir)
    except OSError as error:
        raise StorageFailed("The data folder cannot be written to; choose another with --data-dir.") from error
