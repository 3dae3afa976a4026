"""``inkling serve`` and ``inkling keys``: the service on this machine."""

import re
import sys
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import click

from service.access import Keys, Scope, is_scope_of_a_key
from service.answers import utc_text
from service.bootstrap import is_open, opened_keys
from service.database import KeyRow
from service.settings import Settings

from .root import WholeNumber, debug_option, examples
from .settings_options import GroupedOptions, of_this_machine, read_settings, settings_options
from .terminal import columns, print_json, terminal

_ALLOWS = "".join(f"\n\n{scope.of_a_key}: {scope.allows}" for scope in Scope)


@click.command(cls=GroupedOptions)
@settings_options
@debug_option
@examples("serve", "serve --port 8080 --data-dir /var/lib/inkling --workers 2")
def serve(**given: Any) -> None:
    """Start the web service, and train the jobs that are submitted, until Ctrl-C.

    Every option can also be given as a variable, which its option overrides.

    INKLING_HOST=0.0.0.0 inkling serve
    """
    settings = read_settings(given)
    # By its name, because web and command line are siblings: neither may import the other.
    run = import_module("service.web.server").run
    run(settings, on_ready=lambda url: click.echo(_welcome(settings, url)))


@click.group(epilog=f"What the scopes allow:{_ALLOWS}")
@examples("keys create my-phone --scope predict", "keys list", "keys revoke 3f9c1e0b7a52")
def keys() -> None:
    """Create, list and revoke the keys of the service on this machine.

    A service on loopback needs none until the first is created; from then on, and on every other address, every
    request needs one. Changes take effect within a second, also on a running service.
    """


def _check_scopes(_: click.Context, __: click.Parameter, scopes: tuple[str, ...]) -> tuple[str, ...]:
    for scope in scopes:
        if not is_scope_of_a_key(scope):
            scopes_of_a_key = ", ".join(each.of_a_key for each in Scope)
            rule = " NAME is that of a collection: a-z, 0-9 and '-'." if scope.startswith("collect") else ""
            raise click.BadParameter(f"{scope!r} is none of {scopes_of_a_key}; each has a --scope of its own.{rule}")
    return scopes


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    required=True,
    multiple=True,
    metavar="|".join(scope.of_a_key for scope in Scope),
    callback=_check_scopes,
    help="What it allows; may be given several times.",
)
@click.option("--days", type=WholeNumber(1, 36_500), help="How long it is valid. [default: until it is revoked]")
@of_this_machine(
    "keys create laptop --scope admin",
    "keys create app --scope predict --scope read --days 90",
    "keys create lesson --scope collect:lesson-1 --days 1",
)
def create(name: str, scopes: tuple[str, ...], days: int | None, data_dir: str | None) -> None:
    """Create a key and print it, this once: only its checksum is stored."""
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with _opened(data_dir) as opened:
        key, secret = opened.create(name, scopes, expires_at=expires_at)
    click.echo(f"Key {key.id} for {name}, {', '.join(key.scopes)}. It is shown this once; keep it:", err=True)
    click.echo(secret)


@keys.command("list")
@of_this_machine("keys list", "keys list --json", as_json=True)
def list_keys(data_dir: str | None, *, as_json: bool) -> None:
    """List all keys, without their secrets."""
    with _opened(data_dir) as opened:
        found = opened.all()
    if as_json:
        print_json({"keys": list(map(_to_dict, found))})
        return
    if not found:
        click.echo("There are no keys. Create one: inkling keys create NAME --scope admin")
        return
    table = columns("id", "name", "scopes", "state", "created", "expires")
    for key in found:
        expires = f"{key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "never"
        table.add_row(key.id, key.name, ", ".join(key.scopes), key.state, f"{key.created_at:%Y-%m-%d %H:%M}", expires)
    terminal().print(table)


@keys.command()
@click.argument("key_id", metavar="ID")
@of_this_machine("keys revoke 3f9c1e0b7a52")
def revoke(key_id: str, data_dir: str | None) -> None:
    """Revoke a key. The service still needs one, even if this was the last."""
    with _opened(data_dir) as opened:
        key = opened.revoke(key_id)
    click.echo(f"Key {key.id} for {key.name} is revoked; a running service refuses it within a second.")


def _welcome(settings: Settings, url: str) -> str:
    """Return the places of everything, and lines to copy that work as they are."""
    workers = f"{settings.workers} job{'s' if settings.workers > 1 else ''} at a time"
    if settings.executor == "inline":
        workers += ", in this process"
    if settings.executor == "dask":
        workers = f"on the Dask cluster of {settings.dask_scheduler}, a job for each of its threads"
    access, curl = "with a key, in INKLING_KEY below", 'curl -H "Authorization: Bearer $INKLING_KEY"'
    with opened_keys(settings) as opened:
        if is_open(settings, opened):
            reach = "who can reach it" if settings.allow_anonymous else "on this machine, until there is a key"
            access, curl = f"everybody {reach}", "curl"
    database = re.sub(r"(://[^:/@]*:)[^@]*@", r"\1***@", settings.resolved_database_url)  # without the password
    command = sys.argv[0] if sys.argv[0].endswith("inkling") else "inkling"  # in .venv/bin it is not on the path
    elsewhere = ""
    if settings.host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        elsewhere = "\n  elsewhere      any address of this machine; of a container, where its port is published"
    return f"""\
Inkling answers at {click.style(url, bold=True)} - open it in a browser; documentation of the API: {url}/docs
{elsewhere}
  database       {database}
  model store    {settings.store_place}
  training       {workers}
  access         {access}

Try it, from another terminal:
  {curl} {url}/api/v1/models
  {curl} -o digit.png "{url}/api/v1/datasets/mnist/images/0.png?part=test&upscale=10"
  {curl} -H "Content-Type: image/png" --data-binary @digit.png {url}/api/v1/predict
  {curl} -H "Content-Type: application/json" -d '{{"model": "softmax", "epochs": 20}}' {url}/api/v1/jobs
  {command} train --follow --url {url}

Ctrl-C stops it; unfinished jobs continue at the next start.
"""


def _opened(data_dir: str | None) -> AbstractContextManager[Keys]:
    return opened_keys(read_settings({"data_dir": data_dir}))


def _to_dict(key: KeyRow) -> dict[str, Any]:
    times = {name: time and utc_text(time) for name, time in asdict(key).items() if name.endswith("_at")}
    return {"id": key.id, "name": key.name, "scopes": key.scopes, "state": key.state, **times}
