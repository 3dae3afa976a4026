"""``inkling serve``."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import click

from service.bootstrap import is_open, opened_keys
from service.cli.failure import debug_option
from service.cli.settings_options import read_settings, settings_options
from service.settings import Settings


@click.command()
@settings_options
@debug_option
def command(**given: Any) -> None:
    """Start the web service, and train what is handed in, until Ctrl-C.

    Every option can also be given as a variable, which its option overrides.

    \b
    Examples:
      inkling serve
      inkling serve --port 8080 --data-dir /var/lib/inkling --workers 2
      INKLING_HOST=0.0.0.0 inkling serve
    """
    settings = read_settings(given)
    # By its name, because web and command line are siblings: neither may import the other.
    serve = import_module("service.web.server").run
    serve(settings, on_ready=lambda url: click.echo(_welcome(settings, url)))


def _welcome(settings: Settings, url: str) -> str:
    """Return where everything is, and what to try first: lines to copy that work as they stand."""
    workers = f"{settings.workers} job{'s' if settings.workers > 1 else ''} at a time"
    if settings.executor == "inline":
        workers += ", in this process"
    if settings.executor == "dask":
        workers = f"on the Dask cluster of {settings.dask_scheduler}, a job for each of its threads"
    access, curl = "with a key, in INKLING_KEY here below", 'curl -H "Authorization: Bearer $INKLING_KEY"'
    with opened_keys(settings) as keys:
        if is_open(settings, keys):
            reach = "who can reach it" if settings.allow_anonymous else "on this machine, until there is a key"
            access, curl = f"everybody {reach}", "curl"
    address = click.style(url, bold=True)
    return f"""\
Inkling answers at {address} - documentation of every address: {url}/docs

  database       {_without_password(settings.resolved_database_url)}
  model store    {settings.store_place}
  default model  {settings.default_model}
  training       {workers}
  access         {access}

Try it, from another terminal:
  {curl} {url}/api/v1/models
  {curl} -o digit.png "{url}/api/v1/datasets/mnist/images/0.png?part=test&upscale=10"
  {curl} -H "Content-Type: image/png" --data-binary @digit.png {url}/api/v1/predict
  {curl} -H "Content-Type: application/json" -d '{{"model": "softmax", "epochs": 20}}' {url}/api/v1/jobs
  inkling train --follow --url {url}

Ctrl-C stops it; jobs that are not done then go on at the next start.
"""


def _without_password(database_url: str) -> str:
    return re.sub(r"(://[^:/@]*:)[^@]*@", r"\1***@", database_url)
