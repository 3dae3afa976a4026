"""The database behind a URL: its connections and transactions, advisory locks, clock, and migration."""

import logging
import os
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Double,
    Engine,
    column,
    create_engine,
    event,
    func,
    inspect,
    literal_column,
    make_url,
    select,
    text,
)
from sqlalchemy import table as sql_table
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError, TimeoutError

from service.errors import InvalidField, StorageFailed, StorageFull

from .sqlite_driver import sqlite3

logger = logging.getLogger(__name__)

BUSY_TIMEOUT_MS = 5_000
"""Leases last several times as long."""

ALLOWED_URLS = "sqlite:///path or postgresql://user:password@host/database"

_RETRY_S = 0.5
_WRITES = {"inkling_writes": True}
_READS = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""All queries of a reading transaction see the same snapshot, as they always do on SQLite."""
_POSTGRESQL = {
    "application_name": "inkling",
    "connect_timeout": "5",
    # A server or network that vanishes without closing connections is detected, also during a query.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    # Locks are waited for briefly, and a process that is suspended while it holds one loses it.
    "options": "-c lock_timeout=5s -c idle_in_transaction_session_timeout=15s",
}
"""Options of libpq that the URL does not set."""
_POOLED_BEGIN = "SET LOCAL lock_timeout = '5s'; SET LOCAL idle_in_transaction_session_timeout = '15s'"
"""The same through PgBouncer in transaction mode, whose connections change between transactions."""
_REFUSALS = {
    "authentication failed": "The database refuses the user or the password.",
    "no password supplied": "The database asks for a password, and the URL has none.",
    "unsupported startup parameter": "PgBouncer refuses the connection: add ?pgbouncer=true to the URL.",
}
"""What another try would not change."""
_FULL = ("database or disk is full", "No space left", "could not extend file")
_INCREMENTAL = 2
"""The value of SQLite's auto_vacuum with which pages can be given back."""
_FREED_PAGES = 500
"""In one transaction: a few milliseconds."""
_LOCK_CLASS = 0x1D16
"""Distinguishes our advisory locks from those of other programs on the same database."""
HEAD = "0017"
"""The newest migration, stated here so that an ordinary start need not import Alembic."""


class AdvisoryLock(IntEnum):
    """Sections that only one transaction at a time may be in, across all processes and hosts on one database.

    On SQLite every writing transaction excludes the others anyway.
    """

    #: Changing the tables.
    MIGRATION = 1
    #: Accepting work: the key is looked up, the queue counted, and the rows inserted, as one step.
    SUBMISSION = 2

    def acquire(self, connection: Connection) -> None:
        """Wait for the lock; it is released when the transaction ends."""
        if connection.dialect.name != "sqlite":
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK_CLASS, self.value)))


def file_size(path: Path) -> int:
    """Return the bytes of a file, 0 if it was removed meanwhile or is none."""
    try:
        found = path.lstat()
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def now_s(engine: Engine) -> ColumnElement[float]:
    """Return an SQL expression for the seconds since 1970: hosts agree on leases without synchronised clocks."""
    if engine.dialect.name == "sqlite":
        return literal_column("((julianday('now') - 2440587.5) * 86400.0)", Double)
    return literal_column("extract(epoch FROM clock_timestamp())", Double)


class Database:
    """Short transactions on SQLite or PostgreSQL.

    `read` and `write` each open one transaction; leaving the block commits it, an exception rolls it back. Writers on
    SQLite take the write lock at the start (``BEGIN IMMEDIATE``): a transaction that begins by reading and then writes
    fails at once while another one writes.

    Errors of the database are raised as `StorageFailed` or `StorageFull`. Lost connections, as by a restart of the
    server, are replaced when the next transaction begins.

    Parameters
    ----------
    url : see `ALLOWED_URLS`; another kind is an `InvalidField`, and one without its driver `StorageFailed`.
    busy_timeout_ms : how long a writer on SQLite waits for another one.
    read_only : never creates or changes a file, not even beside the one of a database that nobody uses.
    targets : programs to which what ends is to be sent; see `delivery_rows`.
    """

    def __init__(
        self,
        url: str,
        *,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
        read_only: bool = False,
        targets: Collection[str] = (),
    ):
        self.engine = _open(url, busy_timeout_ms, read_only)
        self._reading = self.engine if self.engine.dialect.name == "sqlite" else self.engine.execution_options(**_READS)
        self._writing = self.engine.execution_options(**_WRITES, inkling_targets=targets)

    @property
    def exclusive(self) -> bool:
        """Whether only one engine may run jobs: SQLite is a file on one machine."""
        return self.engine.dialect.name == "sqlite"

    @property
    def path(self) -> Path | None:
        """The file of an SQLite database, None for PostgreSQL."""
        url = self.engine.url
        return Path(url.database).resolve() if self.exclusive and url.database else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that only reads."""
        with _storage_errors(), self._reading.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that writes. Its changes are durable once the block is left."""
        with _storage_errors(), self._writing.begin() as connection:
            yield connection

    def schema(self) -> int | None:
        """Return the number of the newest migration that was run, None if there was none."""
        with self.read() as connection:
            revision = _revision(connection)
        return None if revision is None else int(revision)

    def newest_ids(self, table: str, limit: int) -> list[str]:
        """Return the ids in a table that numbers its rows, the newest first; of a database of any schema."""
        rows = sql_table(table, column("number"), column("id"))
        with self.read() as connection:
            return list(connection.execute(select(rows.c.id).order_by(rows.c.number.desc()).limit(limit)).scalars())

    def size_bytes(self) -> int:
        """Return how much of a disk it uses."""
        if path := self.path:
            return sum(map(file_size, path.parent.glob(f"{path.name}*")))
        with self.read() as connection:
            return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())

    def shrink(self, *, rewrite: bool = False) -> None:
        """Give unused pages of SQLite back to the disk, in short transactions. PostgreSQL does so itself.

        With ``rewrite`` a file of before this was possible is written anew; others cannot write meanwhile.
        """
        if not self.exclusive:
            return
        with _storage_errors(), _driver_errors(), self.engine.connect() as connection:
            sqlite = connection.connection.driver_connection
            assert sqlite is not None

            def pragma(name: str) -> int:
                return int(sqlite.execute(f"PRAGMA {name}").fetchone()[0])

            if pragma("auto_vacuum") != _INCREMENTAL and rewrite:
                sqlite.executescript("PRAGMA auto_vacuum=INCREMENTAL; VACUUM")
            while (n_free := pragma("freelist_count")) and pragma("auto_vacuum") == _INCREMENTAL:
                # Not `execute`: that takes one step of a statement without columns, which is one page.
                sqlite.executescript(f"PRAGMA incremental_vacuum({_FREED_PAGES})")
                if pragma("freelist_count") >= n_free:
                    break  # others free them as fast
            sqlite.execute(f"PRAGMA wal_checkpoint({'TRUNCATE' if rewrite else 'PASSIVE'})").fetchone()

    def ping(self) -> None:
        """Raise `StorageFailed` if the database does not answer."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def wait(self, within_s: float) -> None:
        """Wait until a server that may still be starting answers; raise `StorageFailed` if it does not in time."""
        deadline, log = time.monotonic() + within_s, logger.warning
        while not self.exclusive:
            try:
                return self.ping()
            except StorageFailed as error:
                for words, sentence in _REFUSALS.items():
                    if words in str(error.__cause__):
                        raise StorageFailed(sentence) from error
                if time.monotonic() > deadline:
                    raise
                log("%s Waiting up to %g s. (%s)", error.message, within_s, _first_line(error))
                log = logger.debug
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
            raise StorageFull("No space is left for the database.") from error
        raise StorageFailed("The database does not answer.") from error
    except TimeoutError as error:
        raise StorageFailed("The database is overloaded.") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StorageFailed("The connection to the database was lost.") from error
        if type(error) is DatabaseError:  # raised by SQLite for a file that is damaged or not a database
            raise StorageFailed("The database is damaged.") from error
        raise


@contextmanager
def _driver_errors() -> Iterator[None]:
    """Raise errors of the driver, which is used directly for what is outside of transactions, as SQLAlchemy does."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise OperationalError(None, None, error) from error


def _first_line(error: StorageFailed) -> str:
    cause = getattr(error.__cause__, "orig", None) or error.__cause__
    return str(cause).partition("\n")[0]


def _open(url: str, busy_timeout_ms: int, read_only: bool) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidField("This is not a database URL.", field="database_url", allowed=ALLOWED_URLS) from error
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return _open_postgresql(parsed.set(drivername="postgresql+psycopg"))
    if parsed.get_backend_name() != "sqlite":
        raise InvalidField("This kind of database is not supported.", field="database_url", allowed=ALLOWED_URLS)
    # The pool hands a connection to one thread at a time, so the driver's check is not needed.
    if read_only and parsed.database:
        file = Path(parsed.database).resolve()
        # Without a log nobody has it open, and SQLite would make one to read it.
        ending = "mode=ro" if file.with_name(f"{file.name}-wal").exists() else "immutable=1"
        creator = partial(sqlite3.connect, f"{file.as_uri()}?{ending}", uri=True, check_same_thread=False)
        engine = create_engine(parsed, module=sqlite3, creator=creator)
    else:
        if parsed.database:
            # The files beside it get the permissions of this one. One that exists must not be opened here: closing it
            # would drop the locks of this process's connections, and another process take the database for unused.
            with suppress(OSError):  # SQLite says what is wrong
                os.close(os.open(parsed.database, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        args = {"check_same_thread": False}
        engine = create_engine(parsed, module=sqlite3, connect_args=args, pool_size=8, max_overflow=32)
    event.listen(engine, "connect", partial(_prepare_sqlite, busy_timeout_ms, read_only))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _open_postgresql(url: URL) -> Engine:
    """Take what libpq does not know out of the URL: ``pgbouncer=true`` and psycopg's ``prepare_threshold``."""
    args: dict[str, Any] = {name: value for name, value in _POSTGRESQL.items() if name not in url.query}
    is_pooled = str(url.query.get("pgbouncer", "false")).lower() in ("true", "1")
    threshold = str(url.query.get("prepare_threshold", "None" if is_pooled else "5"))
    url = url.difference_update_query(["pgbouncer", "prepare_threshold"])
    args["prepare_threshold"] = int(threshold) if threshold.isdecimal() else None
    if is_pooled:
        args.pop("options", None)
    try:
        _check_options(url)
        engine = create_engine(url, connect_args=args, pool_pre_ping=True, pool_size=8, max_overflow=8, pool_timeout=10)
    except ModuleNotFoundError as error:
        raise StorageFailed("PostgreSQL needs a driver: pip install 'inkling-digits[postgresql]'.") from error
    if is_pooled:
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(_POOLED_BEGIN))
    return engine


def _check_options(url: URL) -> None:
    """Name an option that nobody knows, which would fail at each connection."""
    from psycopg import ProgrammingError  # noqa: PLC0415 - an extra
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415

    for name in url.query:
        if name == "schema":
            allowed = "?options=-csearch_path%3DNAME in its place"
            raise InvalidField("The URL has no option schema.", field="database_url", allowed=allowed)
        try:
            make_conninfo(**{name: "1"})
        except ProgrammingError:
            allowed = "those of libpq, pgbouncer and prepare_threshold"
            raise InvalidField(f"The URL has no option {name}.", field="database_url", allowed=allowed) from None


def _prepare_sqlite(busy_timeout_ms: int, read_only: bool, connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, not by the driver
    connection.execute(f"PRAGMA busy_timeout={busy_timeout_ms}")
    if read_only:
        return
    if not connection.execute("PRAGMA page_count").fetchone()[0]:  # of a file that has pages, it takes the write lock
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # `shrink` can give its pages back
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",  # a confirmed commit survives a power cut
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("inkling_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def migrate(database: Database) -> None:
    """Run all missing migrations in one transaction; raise `StorageFailed` if a newer version wrote the database."""
    with database.write() as connection:
        AdvisoryLock.MIGRATION.acquire(connection)
        if _revision(connection) != HEAD:
            _upgrade(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - an ordinary start does without
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "service.database:migrations")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if (_revision(connection) or HEAD) not in known:
        raise StorageFailed(
            "The database was written by a newer version of Inkling; use that version, or another data folder."
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
