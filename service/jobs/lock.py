"""The lock that lets one engine alone run the jobs of a database."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from service.errors import StorageFailed


class EngineLock:
    """A file lock, held until release or the end of the process, however that comes."""

    def __init__(self, path: Path):
        self._path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this process has it."""
        return self._descriptor is not None

    def acquire(self) -> bool:
        """Take the lock if nobody has it, without waiting.

        Raises
        ------
        StorageFailed
            There can be no such lock in that place.
        """
        if self.held:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageFailed("The lock beside the database cannot be opened.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return False
            raise StorageFailed("The lock beside the database cannot be taken.") from error
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock up."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
