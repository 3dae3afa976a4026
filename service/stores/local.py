"""Blobs as files below a local folder, on a file system with hard links.

A new blob is written to ``.tmp``, made durable, read back, and then linked to its name. A link never replaces
a file, so creation is exclusive, and after a kill at any moment the blob is absent or whole.
"""

import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from service.errors import Corrupted, StorageFailed, StorageFull

from .interface import KEY_PART, split_key

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a named pipe would block.
_OLD_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OLD_S = 3600.0
"""No running writer has a temporary file as old as this."""


class LocalStore:
    """A `BlobStore` in a local folder. Nothing is written before the first `create`: it may be absent or read-only."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._tmp = self._root / ".tmp"

    def read(self, key: str, *, max_bytes: int, fresh: bool = False) -> bytes:
        try:
            descriptor = os.open(self._path(key), _OLD_FILE)
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
                    raise Corrupted("A stored file is not a regular file of the expected size.")
                return _read_up_to(descriptor, status.st_size)
            finally:
                os.close(descriptor)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileNotFoundError(key) from error
        except OSError as error:
            if error.errno == errno.ELOOP:  # O_NOFOLLOW met a symbolic link
                raise Corrupted("A stored file is not a regular file.") from error
            raise _storage_error(error) from error

    def create(self, key: str, data: bytes) -> None:
        target = self._path(key)
        tmp = self._tmp / secrets.token_hex(16)
        try:
            self._make_root()
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_durably(tmp, data)
            try:
                target.hardlink_to(tmp)
                created = True
            except FileExistsError:
                created = False
            # Also when the name is taken: its writer may have crashed before making the name durable.
            self._sync_up_from(target.parent)
        except OSError as error:
            raise _storage_error(error) from error
        finally:
            with suppress(OSError):  # `clean` removes it later
                tmp.unlink(missing_ok=True)
        if not created:
            raise FileExistsError(key)

    def list(self, folder: str) -> list[str]:
        path = self._path(folder) if folder else self._root
        try:
            with os.scandir(path) as entries:
                return sorted(entry.name for entry in entries if KEY_PART.fullmatch(entry.name))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _storage_error(error) from error

    def delete(self, key: str) -> None:
        path = self._path(key)
        try:
            path.unlink(missing_ok=True)
            _sync_folder(path.parent)
        except (FileNotFoundError, NotADirectoryError):
            pass  # nor is there a folder
        except OSError as error:
            raise _storage_error(error) from error

    def walk(self) -> Iterator[tuple[str, float]]:
        now_s = time.time()
        for folder, folders, names in os.walk(self._root):
            folders[:] = filter(KEY_PART.fullmatch, folders)
            for name in filter(KEY_PART.fullmatch, names):
                path = Path(folder, name)
                with suppress(FileNotFoundError):  # deleted meanwhile
                    yield path.relative_to(self._root).as_posix(), now_s - path.lstat().st_mtime

    def check(self) -> None:
        """The kernel guarantees that a link never replaces a file."""

    def clean(self) -> None:
        """Called at start; younger files are left for the next start."""
        oldest_s = time.time() - _OLD_S
        try:
            for tmp in self._tmp.iterdir():
                if tmp.lstat().st_mtime < oldest_s:
                    tmp.unlink(missing_ok=True)
        except FileNotFoundError:
            pass  # nothing was ever written, or another process is cleaning too
        except OSError as error:
            raise _storage_error(error) from error

    def _path(self, key: str) -> Path:
        return self._root.joinpath(*split_key(key))

    def _make_root(self) -> None:
        if self._tmp.is_dir():  # made last, so everything above it is durable
            return
        missing = [path for path in (self._root, *self._root.parents) if not path.exists()]
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in missing:
            _sync_folder(path.parent)
        self._tmp.mkdir(mode=0o700, exist_ok=True)

    def _sync_up_from(self, folder: Path) -> None:
        # Not only new folders: another process may have made one and crashed before its name was durable.
        for path in (folder, *folder.parents):
            _sync_folder(path)
            if path == self._root:
                return


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_durably(tmp: Path, data: bytes) -> None:
    descriptor = os.open(tmp, _NEW_FILE, 0o600)
    try:
        rest = memoryview(data)
        while rest:  # near a quota or a limit a write may be short
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
        os.lseek(descriptor, 0, os.SEEK_SET)
        if _read_up_to(descriptor, len(data) + 1) != data:
            raise StorageFailed("The bytes that were written could not be read back.")
    finally:
        os.close(descriptor)


def _read_up_to(descriptor: int, n_bytes: int) -> bytes:
    chunks = []
    while n_bytes > 0 and (chunk := os.read(descriptor, n_bytes)):
        chunks.append(chunk)
        n_bytes -= len(chunk)
    return b"".join(chunks)


def _storage_error(error: OSError) -> StorageFailed:
    if error.errno in _FULL:
        return StorageFull("No space is left for the model store.")
    return StorageFailed("The model store cannot be read or written.")
