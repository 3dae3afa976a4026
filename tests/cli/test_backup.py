"""Backups: of a service in use, whole or absent, and restored to the byte."""

from __future__ import annotations

import os
import signal
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from service.backup import back_up, check
from service.backup import restore as restore_backup
from service.bootstrap import Service, open_stores
from service.core import TrainingConfig
from service.errors import Corrupted, StorageFailed
from service.jobs import JobRequest
from service.settings import Settings

Run = Callable[..., Result]


@pytest.fixture
def original(tmp_path: Path) -> Iterator[Service]:
    """Return a service, not started, with models and jobs."""
    parts = Service(Settings(data_dir=tmp_path / "original"))
    parts.require_keys_if_exposed()
    parts.install_models()
    parts.jobs.submit(JobRequest(config=TrainingConfig()))
    yield parts
    parts.stop()


def contents_of(folder: Path) -> dict[str, bytes]:
    """Return the stored files of a data folder, without temporary ones, which the next start removes."""
    files = [file for name in ("model_store", "datasets") for file in (folder / name).rglob("*") if file.is_file()]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if file.parent.name != ".tmp"}


def job_ids(folder: Path) -> list[str]:
    parts = Service(Settings(data_dir=folder))
    try:
        parts.require_keys_if_exposed()
        return [job.id for job in parts.jobs.page(limit=200)[0]]
    finally:
        parts.stop()


def test_a_backup_while_others_write(run: Run, original: Service, tmp_path: Path) -> None:
    accepted: list[str] = [job.id for job in original.jobs.page()[0]]
    done = threading.Event()

    def submit() -> None:
        while not done.is_set():
            accepted.append(original.jobs.submit(JobRequest(config=TrainingConfig(seed=len(accepted)))).id)

    writer = threading.Thread(target=submit)
    writer.start()
    n_before = len(accepted)
    made = run("backup", tmp_path / "digits.zip", "--data-dir", tmp_path / "original")
    done.set()
    writer.join()
    assert made.exit_code == 0 and "checked" in made.output, made.output
    restored = run("restore", tmp_path / "digits.zip", "--data-dir", tmp_path / "restored")
    assert restored.exit_code == 0, restored.output
    found = set(job_ids(tmp_path / "restored"))
    assert set(accepted[:n_before]) <= found <= set(accepted)
    assert contents_of(tmp_path / "restored") == contents_of(tmp_path / "original")
    assert (tmp_path / "digits.zip").stat().st_mode & 0o777 == 0o600
    for again in ("backup", "restore"):  # neither replaces anything
        refused = run(again, tmp_path / "digits.zip", "--data-dir", tmp_path / "restored")
        assert (refused.exit_code == 1 and "exists" in refused.output) or "already" in refused.output


@pytest.mark.slow
def test_a_changed_backup_is_refused(original: Service, tmp_path: Path) -> None:
    settings, file = original.settings, tmp_path / "digits.zip"
    stores = dict(zip(("model_store", "datasets"), open_stores(settings), strict=True))
    back_up(settings.data_dir / "inkling.db", stores, file, version="1")
    whole = file.read_bytes()
    for place in range(0, len(whole), len(whole) // 40):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            assert check(file).files  # only a byte that says nothing may change, as a date of the archive
        except Corrupted:
            continue
    end = whole.rindex(b"PK\5\6") + 16  # of it, the place of the directory: later, its members begin before the file
    offset = int.from_bytes(whole[end : end + 4], "little") + 1000
    file.write_bytes(whole[:end] + offset.to_bytes(4, "little") + whole[end + 4 :])
    with pytest.raises(Corrupted):
        check(file)
    for method in range(20):  # of the first member, which is deflated
        directory = whole.index(b"PK\1\2")
        other = bytearray(whole)
        other[8] = other[directory + 10] = method
        file.write_bytes(other)
        if method != zipfile.ZIP_DEFLATED:
            with pytest.raises((Corrupted, StorageFailed)):
                check(file)
    for manifest in ("[" * 1000 + "]" * 1000, "[]", "{}", '{"format": 1, "files": 3}'):
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("backup.json", manifest)
        with pytest.raises(Corrupted):
            check(file)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Corrupted):
        restore_backup(file, tmp_path / "inkling.db", stores)


def killed_at(number: int, folder: Path, work: Callable[[], Any]) -> bool:
    """Do work in a child that is killed at its ``number``-th call about a file in the folder; return whether it was."""
    child = os.fork()
    if child == 0:
        seen = 0

        def count(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal seen
            if event.partition(".")[0] in ("open", "os", "sqlite3") and str(folder) in repr(arguments):
                seen += 1
                if seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.slow
def test_a_kill_leaves_a_backup_and_a_restored_folder_whole_or_absent(original: Service, tmp_path: Path) -> None:
    settings, target = original.settings, tmp_path / "target"
    stores = dict(zip(("model_store", "datasets"), open_stores(settings), strict=True))
    target.mkdir()
    original.stop()
    file, number = target / "digits.zip", 1
    while killed_at(number, target, lambda: back_up(settings.data_dir / "inkling.db", stores, file, version="1")):
        if file.exists():
            check(file)
            file.unlink()
        number += 1
    assert number > 8 and check(file).files and [each.name for each in target.iterdir()] == ["digits.zip"]

    restored, number = tmp_path / "restored", 1
    restored.mkdir()
    again = Settings(data_dir=restored)
    new_stores = dict(zip(("model_store", "datasets"), open_stores(again), strict=True))
    while killed_at(number, restored, lambda: restore_backup(file, restored / "inkling.db", new_stores)):
        if (restored / "inkling.db").exists():
            break
        number += 7
    assert number > 8
    assert contents_of(restored) == contents_of(settings.data_dir)
    assert job_ids(restored) == job_ids(settings.data_dir)
