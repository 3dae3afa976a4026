"""The database behind a URL: how it is opened, and how its transactions begin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError, TimeoutError

from service.errors import StorageFailed, StorageFull

BUSY_TIMEOUT_MS = 5_000
"""Leases last several times as long."""

_WRITES = {"inkling_writes": True}
_FULL = ("database or disk is full", "No space left", "could not extend file")


class Database:
    """Short transactions on SQLite or PostgreSQL.

    `read` and `write` each open one transaction; leaving the block commits it, an exception rolls it back.
    Writers on SQLite take the write lock at the start (``BEGIN IMMEDIATE``), since a transaction that turns
    from reading to writing in the middle fails at once where another writes.

    Errors of the database leave as `StorageFailed` or `StorageFull`.

    Parameters
    ----------
    url : as SQLAlchemy reads it.
    busy_timeout_ms : how long a writer on SQLite waits for another one.
    """

    def __init__(self, url: str, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS):
        self.engine = _open(url, busy_timeout_ms)

    @property
    def exclusive(self) -> bool:
        """Whether one engine alone may run jobs here: SQLite is a file on one machine."""
        return self.engine.dialect.name == "sqlite"

    @property
    def path(self) -> Path | None:
        """The file of the database, None where it is not one."""
        url = self.engine.url
        return Path(url.database).resolve() if self.exclusive and url.database else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that only reads."""
        with _storage_errors(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that writes. What it wrote is durable once the block is left."""
        with _storage_errors(), self.engine.execution_options(**_WRITES).begin() as connection:
            yield connection

    def ping(self) -> None:
        """Raise `StorageFailed` if the database does not answer."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if any(words in str(error.orig) for words in _FULL):
            raise StorageFull("There is no space left for the database.") from error
        raise StorageFailed("The database does not answer at the moment.") from error
    except TimeoutError as error:
        raise StorageFailed("The database is asked too much at the moment.") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StorageFailed("The connection to the database was lost.") from error
        if type(error) is DatabaseError:  # what SQLite says of a file that is damaged or is none of its own
            raise StorageFailed("The database is damaged.") from error
        raise


def _open(url: str, busy_timeout_ms: int) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    # Waiting is SQLite's own business (busy_timeout); threads share nothing but the file.
    engine = create_engine(parsed, connect_args={"check_same_thread": False}, pool_size=8, max_overflow=32)
    event.listen(engine, "connect", partial(_prepare_sqlite, busy_timeout_ms))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(busy_timeout_ms: int, connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where _begin_sqlite says, not where the driver guesses
    for pragma in (
        f"busy_timeout={busy_timeout_ms}",
        "journal_mode=WAL",
        "synchronous=FULL",  # a commit that was answered survives a power cut
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("inkling_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
