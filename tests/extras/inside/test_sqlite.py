"""The extra that brings a newer SQLite is used where Python's own may damage a database, and by all that opens one."""

from __future__ import annotations

import sqlite3 as own
import zipfile
from pathlib import Path

from sqlalchemy import text

from service.backup import back_up
from service.bootstrap import opened_keys
from service.database import Database, has_wal_reset_race, sqlite3
from service.settings import Settings


def test_the_newer_one_is_used_if_it_is_needed() -> None:
    assert not has_wal_reset_race(sqlite3.sqlite_version_info)
    assert (sqlite3 is own) is not has_wal_reset_race(own.sqlite_version_info)


def test_databases_and_backups_are_opened_by_it(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    with opened_keys(settings):
        pass
    database = Database(settings.resolved_database_url)
    with database.read() as connection:
        assert connection.execute(text("SELECT sqlite_version()")).scalar_one() == sqlite3.sqlite_version
    assert database.path is not None
    back_up(database.path, {}, tmp_path / "backup.zip", version="1")
    database.close()
    assert zipfile.is_zipfile(tmp_path / "backup.zip")
