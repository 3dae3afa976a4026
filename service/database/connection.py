"""The database behind a URL: how it is opened, and how its transactions begin."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError, TimeoutError

from service.errors import InvalidField, StorageFailed, StorageFull

logger = logging.getLogger(__name__)

BUSY_TIMEOUT_MS = 5_000
"""Leases last several times as long."""

ALLOWED_URLS = "sqlite:///path or postgresql://user:password@host/database"

_RETRY_S = 0.5
_WRITES = {"inkling_writes": True}
_READS = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""All queries of a transaction that reads see the same moment, as they do on SQLite by themselves."""
_POSTGRESQL = {
    "application_name": "inkling",
    "connect_timeout": "5",
    # A server or a network that is gone without a word is noticed, by a query that is under way too.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    # Nobody waits long for a lock, and a process that is frozen while it holds one loses it.
    "options": "-c lock_timeout=5s -c idle_in_transaction_session_timeout=15s",
}
"""What libpq is told, unless the URL says otherwise."""
_FULL = ("database or disk is full", "No space left", "could not extend file")


class Database:
    """Short transactions on SQLite or PostgreSQL.

    `read` and `write` each open one transaction; leaving the block commits it, an exception rolls it back.
    Writers on SQLite take the write lock at the start (``BEGIN IMMEDIATE``), since a transaction that turns
    from reading to writing in the middle fails at once where another writes.

    Errors of the database leave as `StorageFailed` or `StorageFull`. Connections that were lost, as by a restart of
    the server, are replaced when the next transaction begins.

    Parameters
    ----------
    url : see `ALLOWED_URLS`.
    busy_timeout_ms : how long a writer on SQLite waits for another one.

    Raises
    ------
    InvalidField
        The URL is none of these.
    StorageFailed
        The driver is not installed.
    """

    def __init__(self, url: str, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS):
        self.engine = _open(url, busy_timeout_ms)
        self._reading = self.engine if self.engine.dialect.name == "sqlite" else self.engine.execution_options(**_READS)
        self._writing = self.engine.execution_options(**_WRITES)

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
        with _storage_errors(), self._reading.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that writes. What it wrote is durable once the block is left."""
        with _storage_errors(), self._writing.begin() as connection:
            yield connection

    def ping(self) -> None:
        """Raise `StorageFailed` if the database does not answer."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def wait(self, within_s: float) -> None:
        """Wait until a server that may have been started just now answers; raise `StorageFailed` if it does not."""
        deadline, complain = time.monotonic() + within_s, logger.warning
        while not self.exclusive:
            try:
                return self.ping()
            except StorageFailed as error:
                if time.monotonic() > deadline:
                    raise
                complain("%s It is waited for, %g s at most. (%s)", error.message, within_s, _first_line(error))
                complain = logger.debug
                time.sleep(_RETRY_S)

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


def _first_line(error: StorageFailed) -> str:
    cause = getattr(error.__cause__, "orig", None) or error.__cause__
    return str(cause).partition("\n")[0]


def _open(url: str, busy_timeout_ms: int) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidField("This is no URL of a database.", field="database_url", allowed=ALLOWED_URLS) from error
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return _open_postgresql(parsed.set(drivername="postgresql+psycopg"))
    if parsed.get_backend_name() != "sqlite":
        raise InvalidField("There is no such kind of database here.", field="database_url", allowed=ALLOWED_URLS)
    # Waiting is SQLite's own business (busy_timeout); threads share nothing but the file.
    engine = create_engine(parsed, connect_args={"check_same_thread": False}, pool_size=8, max_overflow=32)
    event.listen(engine, "connect", partial(_prepare_sqlite, busy_timeout_ms))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _open_postgresql(url: URL) -> Engine:
    told = {name: value for name, value in _POSTGRESQL.items() if name not in url.query}
    try:
        return create_engine(url, connect_args=told, pool_pre_ping=True, pool_size=8, max_overflow=8, pool_timeout=10)
    except ModuleNotFoundError as error:
        raise StorageFailed("PostgreSQL needs a driver: pip install 'inkling-digits[postgresql]'.") from error


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
