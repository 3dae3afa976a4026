"""The lock that lets one engine alone run the jobs of a data folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


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
        """Take the lock if nobody has it, without waiting."""
        if self.held:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock up."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
