"""Bringing a database up to the schema that this program knows."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from service.errors import StorageFailed

from .connection import AdvisoryLock, Database

HEAD = "0008"
"""The newest migration. Known here so that an ordinary start need not import Alembic, which takes a while."""


def migrate(database: Database) -> None:
    """Run all migrations that are missing, in one transaction.

    Raises
    ------
    StorageFailed
        The database was written by a newer version of this program, which is not touched.
    """
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
