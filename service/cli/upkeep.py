"""``inkling doctor``, ``clean``, ``backup``, ``restore`` and ``completion``: upkeep of what is on this machine."""

import os
import platform
import shutil
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class

from service import __version__
from service.access import Keys
from service.backup import Backup, back_up
from service.backup import restore as restore_backup
from service.bootstrap import Service, disk_use, inspected, is_open, kept, open_stores
from service.database import HEAD, Database, has_wal_reset_race, migrate, sqlite3
from service.errors import InvalidInput, ServiceError
from service.settings import Settings
from service.stores import BlobStore

from .root import cli, examples
from .settings_options import of_this_machine, read_settings
from .terminal import confirm, facts, print_json, terminal

_FILE = click.Path(dir_okay=False, path_type=Path)
_MIN_FREE_BYTES = 256 * 2**20


class _Findings:
    """What the doctor found: facts by name, warnings and errors."""

    def __init__(self, settings: Settings) -> None:
        self.facts = {"Inkling": __version__, "Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
        self.warnings: list[str] = []
        self.errors: list[str] = []
        self._settings = settings
        if not settings.database_url and has_wal_reset_race(sqlite3.sqlite_version_info):
            self.warnings.append(
                "This SQLite has the WAL-reset race: rarely, writers that meet a checkpoint damage a database. "
                "Install the extra sqlite (pip install 'inkling-digits[sqlite]'), or use PostgreSQL."
            )
        try:
            self._check_folder()
        except ServiceError as error:
            self.errors.append(error.message)

    def _check_folder(self) -> None:
        settings, folder = self._settings, self._settings.data_dir.absolute()
        if not folder.is_dir():
            self.facts["data folder"] = f"{folder}, not created yet"
            if "data_dir" in settings.model_fields_set:
                self.errors.append("There is no such data folder. If its name is right, inkling serve will create it.")
        else:
            free_bytes = shutil.disk_usage(folder).free
            self.facts["data folder"] = f"{folder}, {free_bytes / 2**30:,.1f} GiB free"
            if free_bytes < _MIN_FREE_BYTES:
                self.warnings.append("The disk is nearly full.")
            if not os.access(folder, os.W_OK):
                self.errors.append("The data folder cannot be written to.")
        with inspected(settings) as database:
            keys = Keys(database)
            if database.path is None or database.path.exists():
                self._check_database(database, keys)
            is_open_ = is_open(settings, keys)
        self.facts["access"] = "without a key" if is_open_ else "with a key"
        if not is_open_ and not any(key.state == "valid" for key in keys.all()):
            self.errors.append("There is no valid key, so nobody has access: inkling keys create NAME --scope admin")

    def _check_database(self, database: Database, keys: Keys) -> None:
        schema, head = database.schema() or 0, int(HEAD)
        later = ": it will migrate at start" if schema < head else ""
        self.facts["database"] = f"schema {schema}, this program {head}{later}"
        used = disk_use(self._settings, database)
        self.facts["disk use"] = ", ".join(f"{name} {n_bytes / 1e6:,.1f} MB" for name, n_bytes in used.items())
        if schema > head:
            self.errors.append("The database was written by a newer version of Inkling; use that version.")
        elif schema == head:
            keys.load()
            n_valid = sum(key.state == "valid" for key in keys.all())
            self.facts["keys"] = f"{n_valid} valid of {len(keys.all())}"


@click.command()
@of_this_machine("doctor --data-dir /var/lib/inkling", as_json=True)
def doctor(data_dir: str | None, as_json: bool) -> None:
    """Check versions, the data folder, the database and the keys for problems. Nothing is created or changed.

    The settings are those that `inkling serve` would have here. The exit code is 1 if there is an error.
    """
    found = _Findings(read_settings({"data_dir": data_dir}))
    if as_json:
        print_json({"facts": found.facts, "warnings": found.warnings, "errors": found.errors})
    else:
        terminal().print(facts(found.facts))
        for texts, colour in ((found.warnings, "yellow"), (found.errors, "red")):
            for text in texts:
                click.secho(f"\n{text}", fg=colour)
    if found.errors:
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--dry-run", is_flag=True, help="List what would be deleted, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--keep-jobs-days", metavar="DAYS", help="Delete jobs, sweeps and reports that ended more than so many days ago."
)
@click.option(
    "--keep-snapshots-days",
    metavar="DAYS",
    help="Keep only 16 snapshots of jobs that ended more than so many days ago.",
)
@click.option(
    "--keep-versions", metavar="NUMBER", help="Keep this many of the newest versions of each model, and those in use."
)
@of_this_machine("clean --keep-jobs-days 90 --dry-run", "clean --keep-versions 10 --yes", as_json=True)
def clean(dry_run: bool, yes: bool, as_json: bool, **given: str | None) -> None:
    """Delete what has expired, and give the space back to the disk. The service may be running.

    Options or, as for `inkling serve`, variables say how long things are kept; without any, nothing expires.
    """
    settings = read_settings(given)
    with inspected(settings) as database:
        if database.path and not database.path.exists():
            raise InvalidInput(f"There is no database in {database.path.parent}.")
        if dry_run and database.schema() != int(HEAD):
            raise InvalidInput("The database is of another version of Inkling; inkling serve brings it up to date.")
    service = Service(settings)
    try:
        migrate(service.database)
        expired = service.retention.expired(kept(settings))
        n_bytes = sum(item.n_bytes for item in expired)
        counts = ", ".join(f"{n:,} {kind}" for kind, n in Counter(item.kind for item in expired).items())
        if not as_json and (dry_run or expired):
            for item in expired if dry_run else ():
                click.echo(f"{item.kind:<9}  {item.id:<30}  {item.n_bytes / 1e6:8,.1f} MB")
            click.echo(f"Expired: {counts or 'nothing'}; {n_bytes / 1e6:,.1f} MB.")
        if expired and not dry_run:
            confirm("Delete it?", yes=yes)
        deleted, before = [], service.database.size_bytes()
        if not dry_run:
            deleted = [item for item in expired if service.retention.delete(item)]
            service.clean()
            service.database.shrink(rewrite=True)
        freed = max(0, before - service.database.size_bytes())
        if as_json:
            rows = [asdict(item) for item in expired]
            print_json({"expired": rows, "n_bytes": n_bytes, "n_deleted": len(deleted), "n_bytes_returned": freed})
        elif not dry_run:
            click.echo(f"Deleted {len(deleted):,} of {len(expired):,}; the database is {freed / 1e6:,.1f} MB smaller.")
    finally:
        service.stop()


@click.command()
@click.argument("file", type=_FILE)
@of_this_machine("backup digits.backup.zip --data-dir /var/lib/inkling")
def backup(file: Path, data_dir: str | None) -> None:
    """Copy the database, all models and all data sets into one file, and check it. The service may be running.

    A database on PostgreSQL is copied by pg_dump.
    """
    database, stores = _parts(data_dir)
    if not database.exists():
        raise InvalidInput(f"There is no database in {database.parent}.")
    made = back_up(database, stores, file, version=__version__)
    click.echo(f"{file}: {_contents(made)}, checked; {file.stat().st_size / 1e6:,.1f} MB.")


@click.command()
@click.argument("file", type=_FILE)
@of_this_machine("restore digits.backup.zip --data-dir restored")
def restore(file: Path, data_dir: str | None) -> None:
    """Restore a backup into a data folder without a database, every byte checked first.

    Jobs that were queued or running continue at the next start.
    """
    database, stores = _parts(data_dir)
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = restore_backup(file, database, stores)
    click.echo(f"Restored {_contents(found)} of {found.created_at} into {database.parent}.")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@examples("completion bash")
def completion(shell: str) -> None:
    """Print the completion of commands and options, to be read when your shell starts.

    \b
    bash  inkling completion bash >> ~/.bashrc
    zsh   inkling completion zsh >> ~/.zshrc
    fish  inkling completion fish > ~/.config/fish/completions/inkling.fish
    """
    found: Any = get_completion_class(shell)
    click.echo(found(cli, {}, "inkling", "_INKLING_COMPLETE").source())


def _parts(data_dir: str | None) -> tuple[Path, dict[str, BlobStore]]:
    settings = read_settings({"data_dir": data_dir})
    with inspected(settings) as database:
        path = database.path
    if path is None:
        raise InvalidInput("The database is on PostgreSQL: use pg_dump, and copy the files after it.")
    return path, dict(zip(("model_store", "datasets"), open_stores(settings), strict=True))


def _contents(found: Backup) -> str:
    return f"the database and {len(found.files) - 1:,} files"
