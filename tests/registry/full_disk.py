"""Run by test_local_store.py in a process of its own: write into a store that runs out of room.

``limit ROOT``: for file-size limits from 1 to 64 KiB, create a blob of 45 KiB. ``fill ROOT``: create blobs
until the file system is full, make room, and continue.
"""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

from service.errors import StorageFull
from service.stores import LocalStore

BLOB = bytes(range(256)) * 180


def limit(store: LocalStore) -> None:
    full = []
    for limit_kib in range(1, 65):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_kib * 1024 - 512, resource.RLIM_INFINITY))
        try:
            store.create(f"blobs/{limit_kib}", BLOB)
        except StorageFull:
            full.append(str(limit_kib))
    assert not set(full) & set(store.list("blobs"))
    assert all(store.read(f"blobs/{name}", max_bytes=len(BLOB)) == BLOB for name in store.list("blobs"))
    print("full", len(full), "whole", len(store.list("blobs")))


def fill(store: LocalStore, root: Path) -> None:
    ballast = root / "ballast.bin"
    ballast.write_bytes(bytes(64 * 1024))
    created = 0
    with contextlib.suppress(StorageFull):
        while created < 100:
            store.create(f"blobs/{created}", BLOB)
            created += 1
    assert 1 <= created < 100
    assert store.list("blobs") == sorted(map(str, range(created)))
    assert all(store.read(f"blobs/{n}", max_bytes=len(BLOB)) == BLOB for n in range(created))
    assert list((root / ".tmp").iterdir()) == []
    ballast.unlink()
    store.create(f"blobs/{created}", BLOB)
    print("full after", created, "and healed")


if __name__ == "__main__":
    place = Path(sys.argv[2])
    if sys.argv[1] == "limit":
        limit(LocalStore(place))
    else:
        fill(LocalStore(place), place)
