"""The interface of every store: small enough for a folder and for an object store.

There is no renaming or overwriting. Everything that must be atomic is one `create`, which an object store offers as a
conditional write (``If-None-Match: *``). What a deletion removes is made unreachable by a `create` before it.
"""

import re
from collections.abc import Iterator
from typing import Protocol

# Beginning with a letter or a digit, no part is ``.``, ``..``, empty or hidden.
KEY_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def split_key(key: str) -> list[str]:
    """Return the parts of a key; raise ValueError if it could leave the store."""
    parts = key.split("/")
    if not all(map(KEY_PART.fullmatch, parts)):
        raise ValueError(f"{key!r} is not a key")
    return parts


class BlobStore(Protocol):
    """Named, immutable, durable blobs.

    A key is one or more parts joined by ``/``, as in ``digits/3/manifest.json``. Keys are made from checked names;
    a key that could leave the store is a ValueError. Safe for use by several threads and processes at once.
    """

    def read(self, key: str, *, max_bytes: int, fresh: bool = False) -> bytes:
        """Return the bytes of a blob; ``fresh``, for keys that may be created again after a deletion, passes caches by.

        Raises `FileNotFoundError`; `Corrupted` if it has more than ``max_bytes`` or is no plain file; `StorageFailed`.
        """

    def create(self, key: str, data: bytes) -> None:
        """Create a blob: it is whole, durable and visible when this returns, or absent.

        Of several simultaneous calls with the same key, exactly one succeeds; the others raise `FileExistsError`. With
        `StorageFull` or `StorageFailed` it is absent or, when only its durability could not be confirmed, whole.
        """

    def list(self, folder: str) -> list[str]:
        """Return the sorted names of blobs and folders directly below ``folder``; empty when there is none.

        ``""`` is the root. No blob is opened.
        """

    def delete(self, key: str) -> None:
        """Delete a blob durably, if it is there; raise `StorageFailed` if the store cannot be written."""

    def walk(self) -> Iterator[tuple[str, float]]:
        """Yield the key of every blob, in any order, and the seconds since it was created."""

    def check(self) -> None:
        """Raise StorageFailed if the store does not keep these promises. Called at start."""

    def clean(self) -> None:
        """Remove temporary files of writers that crashed, if they are older than any running writer."""
