"""Which versions of SQLite can lose what several connections write at once."""

from __future__ import annotations

_MENDED = {(3, 44): 6, (3, 50): 7, (3, 51): 3}
"""Patch levels that have the fix, where a minor version has one; all after 3.51 do."""


def has_wal_reset_race(version: tuple[int, ...]) -> bool:
    """Tell whether a version can damage a database in WAL mode: one connection writes while another resets the log.

    From 3.7.0 to 3.51.2, but for 3.44.6 and 3.50.7 and their successors (sqlite.org/wal.html, "the WAL-reset bug").
    A distribution may have mended it without another number.
    """
    minor, patch = (version[0], version[1]), version[2]
    return (3, 7) <= minor <= (3, 51) and not (minor in _MENDED and patch >= _MENDED[minor])
