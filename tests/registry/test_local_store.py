"""The local store: exclusive, durable, whole or absent, and honest about a full disk."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import which
from threading import Barrier

import pytest

from service.errors import Corrupted, StorageFailed
from service.stores import LocalStore

RunDriver = Callable[..., subprocess.Popen[str]]


def leftovers(root: Path) -> list[Path]:
    return list((root / ".tmp").iterdir())


def test_what_is_created_is_read_back(store: LocalStore, root: Path) -> None:
    store.create("digits/1/weights.npz", b"abc")
    assert store.read("digits/1/weights.npz", max_bytes=3) == b"abc"
    assert (root / "digits/1/weights.npz").stat().st_mode & 0o777 == 0o600
    assert (root / "digits/1/weights.npz").stat().st_nlink == 1
    assert leftovers(root) == []


def test_an_empty_blob_is_a_blob(store: LocalStore) -> None:
    store.create("empty", b"")
    assert store.read("empty", max_bytes=0) == b""


def test_a_key_is_created_once(store: LocalStore, root: Path) -> None:
    store.create("a/b", b"first")
    with pytest.raises(FileExistsError):
        store.create("a/b", b"second")
    assert store.read("a/b", max_bytes=100) == b"first"
    assert leftovers(root) == []


def test_of_many_who_create_a_key_one_succeeds(store: LocalStore) -> None:
    n_writers = 8
    barrier = Barrier(n_writers)

    def create(content: bytes) -> bytes | None:
        barrier.wait()
        try:
            store.create(f"race/{attempt}", content)
        except FileExistsError:
            return None
        return content

    with ThreadPoolExecutor(n_writers) as pool:
        for attempt in range(10):
            winners = [w for w in pool.map(create, [bytes([i]) * 1000 for i in range(n_writers)]) if w]
            assert len(winners) == 1
            assert store.read(f"race/{attempt}", max_bytes=1000) == winners[0]


def test_absent_blobs_and_folders(store: LocalStore) -> None:
    assert store.list("") == store.list("digits") == []
    store.clean()
    store.create("digits/1/manifest.json", b"{}")
    for key in ("digits/2/manifest.json", "other", "digits/1/manifest.json/more"):
        with pytest.raises(FileNotFoundError):
            store.read(key, max_bytes=10)
    assert store.list("digits/1/manifest.json") == []


def test_a_listing_is_sorted_and_hides_what_is_hidden(store: LocalStore, root: Path) -> None:
    for key in ("b/2", "b/10", "a/1", "c"):
        store.create(key, b"")
    (root / "no name of ours").touch()
    assert store.list("") == ["a", "b", "c"]
    assert store.list("b") == ["10", "2"]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/etc",
        "..",
        "../x",
        "a/../b",
        "a//b",
        "a/",
        ".tmp/x",
        "a\\b",
        "a/b\0",
        "a\n",
        "é",
        "-a",
    ],
)
def test_a_key_that_could_leave_the_store_is_a_mistake_of_the_caller(store: LocalStore, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        store.create(key, b"")
    with pytest.raises(ValueError, match="not a key"):
        store.read(key, max_bytes=10)


def test_a_blob_larger_than_allowed_is_not_read(store: LocalStore) -> None:
    store.create("big", b"x" * 11)
    with pytest.raises(Corrupted):
        store.read("big", max_bytes=10)


def test_only_plain_files_are_read(store: LocalStore, root: Path, tmp_path: Path) -> None:
    store.create("plain", b"x")
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "folder").mkdir()
    os.mkfifo(root / "pipe")
    for key in ("link", "folder", "pipe"):
        with pytest.raises(Corrupted):
            store.read(key, max_bytes=100)


def test_only_old_leftovers_are_cleaned(store: LocalStore, root: Path) -> None:
    store.create("a/1", b"kept")
    old, young = root / ".tmp" / "old", root / ".tmp" / "young"
    for tmp in (old, young):
        tmp.write_bytes(b"half")
    os.utime(old, (0, 0))
    os.utime(root / "a/1", (0, 0))
    store.clean()
    assert leftovers(root) == [young]
    assert store.read("a/1", max_bytes=10) == b"kept"


def test_a_file_in_a_folder_s_place_is_a_failure_and_not_a_taken_key(store: LocalStore, root: Path) -> None:
    store.create("a", b"")
    with pytest.raises(StorageFailed):
        store.create("a/1/manifest.json", b"")
    assert leftovers(root) == []


def test_what_the_system_refuses_is_a_failure_of_the_store(store: LocalStore, root: Path) -> None:
    too_long = "x" * 300
    root.mkdir()
    (root / ".tmp").touch()
    for refused in (
        lambda: store.read(too_long, max_bytes=10),
        lambda: store.list(too_long),
        lambda: store.create("a/1", b""),
        store.clean,
    ):
        with pytest.raises(StorageFailed):
            refused()


def test_the_order_of_system_calls(store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, str]] = []
    fsync, link = os.fsync, os.link

    def seen_fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        calls.append(("fsync", "tmp" if path.parent.name == ".tmp" else str(path.relative_to(root.parent))))
        fsync(descriptor)

    def seen_link(source: Path, target: Path, **kwargs: bool) -> None:
        calls.append(("link", str(Path(target).relative_to(root.parent))))
        link(source, target, **kwargs)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(os, "link", seen_link)
    written = [
        ("fsync", "tmp"),
        ("link", "model_store/a/1/weights.npz"),
        ("fsync", "model_store/a/1"),
        ("fsync", "model_store/a"),
        ("fsync", "model_store"),
    ]

    store.create("a/1/weights.npz", b"x")
    assert calls == [("fsync", "."), *written]

    calls.clear()
    with pytest.raises(FileExistsError):
        store.create("a/1/weights.npz", b"y")
    assert calls == written


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.EACCES])
def test_a_failing_fsync_leaves_nothing_behind(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    store.create("a/1", b"x")

    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(StorageFailed) as raised:
            store.create("a/2", b"x")
    assert type(raised.value) is StorageFailed
    assert str(root) not in raised.value.message
    assert store.list("a") == ["1"]
    assert leftovers(root) == []


def test_a_disk_that_keeps_other_bytes_is_noticed(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(len(data))))
    with pytest.raises(StorageFailed):
        store.create("a/1", b"x")
    assert store.list("a") == []
    assert leftovers(root) == []


def test_short_writes_and_a_file_size_limit(run_driver: RunDriver, root: Path) -> None:
    """RLIMIT_FSIZE makes `write` short and then refuses with EFBIG: no torn file may come of it."""
    driver = run_driver("full_disk.py", "limit", root)
    out, _ = driver.communicate(timeout=60)
    assert (driver.returncode, out) == (0, "full 45 whole 19\n")


def test_a_full_file_system(run_driver: RunDriver, root: Path) -> None:
    """A small tmpfs of its own where the system lets us mount one, else the limit again."""
    root.mkdir()
    mount = 'mount -t tmpfs -o size=256k none "$0" && exec "$@"'
    inside = ("unshare", "--mount", "--map-root-user", "sh", "-c", mount, str(root))
    trial = [*inside, "true"]
    if which("unshare") and subprocess.run(trial, capture_output=True, check=False).returncode == 0:
        driver = run_driver("full_disk.py", "fill", root, before=inside)
    else:
        driver = run_driver("full_disk.py", "limit", root)
    out, _ = driver.communicate(timeout=60)
    assert driver.returncode == 0
    assert out.startswith("full")
