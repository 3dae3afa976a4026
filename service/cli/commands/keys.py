"""``inkling keys``."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import click

from service.access import Key, Keys, Scope
from service.bootstrap import opened_keys
from service.cli.failure import debug_option
from service.cli.settings_options import read_settings
from service.cli.terminal import columns, terminal

_DATA_DIR = click.option(
    "--data-dir",
    metavar="FOLDER",
    help="Folder of the service whose keys these are. [INKLING_DATA_DIR; default data]",
)
_ALLOWS = "".join(f"\n\n{scope}: {scope.allows}" for scope in Scope)


@click.group(epilog=f"What the scopes allow:{_ALLOWS}")
def command() -> None:
    """Make, list and revoke the keys of the service on this machine.

    A service on loopback needs none until the first is made; from then on, and on every other address, every
    request needs one. Changes take effect within a second, also on a running service.

    \b
    Examples:
      inkling keys create my-phone --scope predict
      inkling keys list
      inkling keys revoke 3f9c1e0b7a52
    """


@command.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    required=True,
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it allows; may be given several times.",
)
@click.option("--days", type=click.IntRange(1, 36_500), help="How long it is valid. [default: until it is revoked]")
@_DATA_DIR
@debug_option
def create(name: str, scopes: tuple[str, ...], days: int | None, data_dir: str | None) -> None:
    """Make a key and print it, this once: only its checksum is kept.

    \b
    Examples:
      inkling keys create laptop --scope admin
      inkling keys create app --scope predict --scope read --days 90
    """
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with _keys(data_dir) as keys:
        key, secret = keys.create(name, map(Scope, scopes), expires_at=expires_at)
    click.echo(f"Key {key.id} for {name}, {_scopes(key)}. It is shown this once; keep it:", err=True)
    click.echo(secret)


@command.command("list")
@_DATA_DIR
@debug_option
def list_keys(data_dir: str | None) -> None:
    """List all keys, without their secrets.

    \b
    Example:
      inkling keys list
    """
    with _keys(data_dir) as keys:
        found = keys.all()
    if not found:
        click.echo("There are no keys. Make one: inkling keys create NAME --scope admin")
        return
    table = columns("id", "name", "scopes", "state", "made", "expires")
    for key in found:
        expires = f"{key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "never"
        table.add_row(key.id, key.name, _scopes(key), key.state, f"{key.created_at:%Y-%m-%d %H:%M}", expires)
    terminal().print(table)


@command.command()
@click.argument("key_id", metavar="ID")
@_DATA_DIR
@debug_option
def revoke(key_id: str, data_dir: str | None) -> None:
    """Let a key open nothing any more. The service stays closed even when this was the last one.

    \b
    Example:
      inkling keys revoke 3f9c1e0b7a52
    """
    with _keys(data_dir) as keys:
        key = keys.revoke(key_id)
    click.echo(f"Key {key.id} for {key.name} is revoked; a running service knows within a second.")


def _keys(data_dir: str | None) -> AbstractContextManager[Keys]:
    return opened_keys(read_settings({"data_dir": data_dir}))


def _scopes(key: Key) -> str:
    return ", ".join(sorted(key.scopes))
