"""The driver of SQLite: Python's own, or one that is installed beside it and has a version without the WAL-reset bug.

A process uses one only: closing a file through another one would drop the locks of the first.
"""

from contextlib import suppress
from importlib import import_module
from typing import Any

_OTHERS = ("sqlean.dbapi2", "pysqlite3.dbapi2")
"""Of the extra ``sqlite``; and another one, the versions of which have had the bug so far."""
_PATCHED = {(3, 44): 6, (3, 50): 7, (3, 51): 3}
"""Patch levels in which the bug is fixed, by minor version; all versions after 3.51 have the fix."""


def has_wal_reset_race(version: tuple[int, ...]) -> bool:
    """Whether a version of SQLite can damage a database in WAL mode, when one connection writes and another resets.

    From 3.7.0 to 3.51.2, except 3.44.6, 3.50.7 and their successors (sqlite.org/wal.html, "the WAL-reset bug").
    A distribution may have applied the fix without changing the version.
    """
    minor, patch = (version[0], version[1]), version[2]
    return (3, 7) <= minor <= (3, 51) and not (minor in _PATCHED and patch >= _PATCHED[minor])


def _choose() -> Any:
    own = import_module("sqlite3")
    for name in _OTHERS if has_wal_reset_race(own.sqlite_version_info) else ():
        with suppress(ImportError):
            other = import_module(name)
            if not has_wal_reset_race(other.sqlite_version_info):
                return other
    return own


sqlite3 = _choose()
