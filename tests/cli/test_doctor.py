"""What `inkling doctor` finds, and which versions of SQLite it warns of."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result

from service.access import Scope
from service.bootstrap import opened_keys
from service.database import HEAD, has_wal_reset_race
from service.settings import Settings


@pytest.mark.parametrize(
    ("version", "has_it"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 3), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
    ],
)
def test_which_versions_have_the_race(version: tuple[int, ...], has_it: bool) -> None:
    assert has_wal_reset_race(version) is has_it


def test_the_doctor(run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def doctor() -> Result:
        return run("doctor", "--data-dir", tmp_path)

    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 53, 0))
    mistyped = run("doctor", "--data-dir", tmp_path / "mistyped")
    assert mistyped.exit_code == 1 and "no such data folder" in mistyped.output
    assert list(tmp_path.iterdir()) == [], "nothing is created"
    assert doctor().exit_code == 0 and list(tmp_path.iterdir()) == [], "nothing is created"
    with opened_keys(Settings(data_dir=tmp_path)):
        pass

    def files() -> dict[str, int]:
        return {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}

    before = files()
    well = doctor()
    assert files() == before, "nothing is changed"
    used = (tmp_path / "inkling.db").stat().st_size / 1e6
    assert f"schema {int(HEAD)}, this program {int(HEAD)}" in well.output and f"database {used:.1f} MB" in well.output
    with closing(sqlite3.connect(tmp_path / "inkling.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0006'")
    older = run("doctor", "--json", "--data-dir", tmp_path)
    assert (
        f"schema 6, this program {int(HEAD)}: it will migrate at start" in json.loads(older.output)["facts"]["database"]
    )
    with closing(sqlite3.connect(tmp_path / "inkling.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", (HEAD,))
    assert well.exit_code == 0 and "without a key" in well.output and "race" not in well.output
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 1, 1))
    warned = doctor()
    assert warned.exit_code == 0 and "WAL-reset race" in warned.output and "nearly full" in warned.output
    with opened_keys(Settings(data_dir=tmp_path)) as keys:
        key, _ = keys.create("only", [Scope.READ])
        assert "1 valid of 1" in doctor().output
        keys.revoke(key.id)
    locked_out = doctor()
    assert locked_out.exit_code == 1 and "no valid key" in locked_out.output
    (tmp_path / "inkling.db").write_bytes(b"no database at all " * 1000)
    assert doctor().exit_code == 1


@pytest.mark.parametrize("command", [["doctor"], ["keys", "list"], ["backup", "digits.zip"], ["restore", "digits.zip"]])
def test_what_is_about_this_machine_does_not_answer_of_another(
    run: Callable[..., Result], command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INKLING_URL", "http://digits.example.org")
    refused = run(*command)
    assert refused.exit_code == 2 and "INKLING_URL names http://digits.example.org" in refused.output
