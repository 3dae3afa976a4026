"""What the registry asks of a place that keeps bytes: small enough for a folder and for an object store.

There is no rename, no overwriting and no deletion. Everything that must be atomic is one `create`, which an
object store has as a conditional write (``If-None-Match: *``).
"""

from __future__ import annotations

from typing import Protocol


class BlobStore(Protocol):
    """Named, immutable, durable blobs.

    A key is one or more parts joined by ``/``, as a path is: ``digits/3/manifest.json``. Keys are made by the
    registry, from checked names; a key that could leave the store is a ValueError. Safe to use from several
    threads and processes at once.
    """

    def read(self, key: str, *, max_bytes: int) -> bytes:
        """The bytes of a blob.

        Raises
        ------
        FileNotFoundError
            There is no such blob.
        Corrupted
            It is larger than ``max_bytes``, or not a plain file.
        StorageFailed
            The store cannot be read.
        """
        ...

    def create(self, key: str, data: bytes) -> None:
        """Make a new blob: whole, durable and visible when this returns, or not at all.

        Of several who create the same key at the same time, exactly one succeeds.

        Raises
        ------
        FileExistsError
            The key is taken, and what has it is durable. It stays as it is.
        StorageFull, StorageFailed
            The store refused. The blob is absent; or, when only its durability could not be confirmed, whole.
        """
        ...

    def list(self, folder: str) -> list[str]:
        """The sorted names directly below ``folder``, of blobs and folders alike; empty when there is none.

        ``""`` is the root. No blob is opened.
        """
        ...

    def check(self) -> None:
        """Raise StorageFailed where the place does not keep these promises. Called at start."""
        ...

    def clean(self, *, older_than_s: float = 3600.0) -> None:
        """Remove what writers that died have left behind, when it is older than any writer alive can be."""
        ...
