"""The lock that lets one engine alone run the jobs of a database, or one on each host."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from service.errors import StorageFailed

_MAX_NAME_BYTES = 64


class EngineLock:
    """A file lock, held until release or the end of the process, however that comes.

    ``previous`` is who had it before, once it is held: an engine that is gone for certain.
    """

    def __init__(self, path: Path):
        self._path = path
        self._descriptor: int | None = None
        self.previous: str | None = None

    @property
    def held(self) -> bool:
        """Whether this process has it."""
        return self._descriptor is not None

    def acquire(self, holder: str = "") -> bool:
        """Take the lock if nobody has it, without waiting, and leave the name of its holder in the file.

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
        self.previous = os.pread(descriptor, _MAX_NAME_BYTES, 0).decode("ascii", "replace") or None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode("ascii"), 0)
        return True

    def release(self) -> None:
        """Give the lock up."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
