"""Run by test_migrations.py: migrate one file again and again, killed each time one statement later."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys

from alembic import command, script  # noqa: F401 - once, and not in every child
from sqlalchemy import event

from service.database import Database, migrate


def migrate_until(url: str, n_statements: int) -> None:
    """Migrate, and die by SIGKILL after a number of statements, if there are so many."""
    database = Database(url)
    made = []

    def count(*_: object) -> None:
        made.append(None)
        if len(made) == n_statements:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(database.engine, "after_cursor_execute", count)
    migrate(database)


if __name__ == "__main__":
    path = sys.argv[1]
    n_statements = 0
    while True:
        n_statements += 1
        child = os.fork()
        if child == 0:
            migrate_until(f"sqlite:///{path}", n_statements)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            break
        with sqlite3.connect(path) as connection:
            assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
        connection.close()
    print("killed", n_statements - 1, "times")
