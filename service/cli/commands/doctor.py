"""``inkling doctor``."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3

import click

from service import __version__
from service.bootstrap import is_open, opened_keys
from service.cli.failure import debug_option
from service.cli.settings_options import read_settings
from service.cli.terminal import facts, terminal
from service.database import has_wal_reset_race
from service.errors import ServiceError

_MIN_FREE_BYTES = 256 * 2**20


@click.command()
@click.option("--data-dir", metavar="FOLDER", help="Folder of the service. [INKLING_DATA_DIR; default data]")
@debug_option
def command(data_dir: str | None) -> None:
    """Look at versions, the data folder and the keys, and say what may give trouble.

    The settings are those that `inkling serve` would have here. The exit code is 1 if something must be mended.

    \b
    Example:
      inkling doctor --data-dir /var/lib/inkling
    """
    settings = read_settings({"data_dir": data_dir})
    warnings, errors = [], []
    if not settings.database_url and has_wal_reset_race(sqlite3.sqlite_version_info):
        warnings.append(
            "This SQLite has the WAL-reset race: rarely, writers that meet a checkpoint damage a database. "
            "Use 3.51.3 or later, or 3.50.7 or 3.44.6; or another database."
        )
    about = {"Inkling": __version__, "Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
    try:
        with opened_keys(settings) as keys:
            valid = [key for key in keys.all() if key.state == "valid"]
            about["keys"] = f"{len(valid)} valid of {len(keys.all())}"
            about["access"] = "without a key" if is_open(settings, keys) else "with a key"
            if not valid and not is_open(settings, keys):
                errors.append("There is no valid key, so nobody gets in: inkling keys create NAME --scope admin")
        free_bytes = shutil.disk_usage(settings.data_dir).free
        about["data folder"] = f"{settings.data_dir.absolute()}, {free_bytes / 2**30:,.1f} GiB free"
        if free_bytes < _MIN_FREE_BYTES:
            warnings.append("The disk is nearly full.")
        if not os.access(settings.data_dir, os.W_OK):
            errors.append("The data folder cannot be written to.")
    except ServiceError as error:
        errors.append(error.message)
    terminal().print(facts(about))
    for text, colour in [*((text, "yellow") for text in warnings), *((text, "red") for text in errors)]:
        click.secho(f"\n{text}", fg=colour)
    if errors:
        raise click.exceptions.Exit(1)
