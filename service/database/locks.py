"""Locks that a transaction holds until it ends, across all processes and hosts on one database.

On SQLite every transaction that writes is alone from its beginning; on PostgreSQL those that must be alone say so.
"""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy import Connection, func, select

_INKLING = 0x1D16
"""Sets these apart from the advisory locks of other programs on the same database."""


class Alone(IntEnum):
    """What only one transaction at a time does."""

    #: Changing the tables.
    MIGRATES = 1
    #: Accepting work: the key is looked up, the queue counted, and the rows written, as one step.
    ACCEPTS = 2


def hold(connection: Connection, what: Alone) -> None:
    """Wait until no other transaction does this, and keep others from it until this one ends."""
    if connection.dialect.name != "sqlite":
        connection.execute(select(func.pg_advisory_xact_lock(_INKLING, what.value)))
