"""What a first start makes in a data folder, made once: a new process takes half a second to import what migrates."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from service.database import Database, migrate


@cache
def _empty_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "inkling.db"
        database = Database(f"sqlite:///{file}")
        migrate(database)
        database.close()
        return file.read_bytes()


def add_database(folder: Path) -> None:
    """Put an empty database of the present schema into a data folder that has none."""
    file = folder / "inkling.db"
    if not file.exists():
        file.write_bytes(_empty_database())
