"""Bringing a database up to the schema that this program knows."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from service.errors import StorageFailed

from .connection import Database

_SCRIPTS = "service.database:migrations"


def migrate(database: Database) -> None:
    """Run all migrations that are missing, in one transaction.

    Raises
    ------
    StorageFailed
        The database was written by a newer version of this program, which is not touched.
    """
    config = Config()
    config.set_main_option("script_location", _SCRIPTS)
    scripts = ScriptDirectory.from_config(config)
    with database.write() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
        if present == scripts.get_current_head():
            return
        if present is not None and present not in {script.revision for script in scripts.walk_revisions()}:
            raise StorageFailed(
                "The database was written by a newer version of Inkling; use that version, or another data folder."
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
