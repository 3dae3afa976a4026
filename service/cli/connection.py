"""Which Inkling a command talks to: ``--url`` for a server, ``--data-dir`` for this machine."""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from .backend import Backend
from .failure import debug_option

_URL = click.option(
    "--url",
    envvar="INKLING_URL",
    metavar="URL",
    help="Talk to a running server, as in http://127.0.0.1:8000. [INKLING_URL]",
)
_DATA_DIR = click.option(
    "--data-dir",
    metavar="FOLDER",
    help="Folder of the database and the model store, if there is no --url. [INKLING_DATA_DIR; default data]",
)


_KEY_FILE = click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="File with the key for that server. [or the key itself in INKLING_KEY]",
)


def with_backend(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--url``, ``--key-file``, ``--data-dir`` and ``--debug``; call the command with the backend they name."""

    @_URL
    @_KEY_FILE
    @_DATA_DIR
    @debug_option
    @click.pass_context
    @functools.wraps(command)
    def run(
        ctx: click.Context, /, *, url: str | None, key_file: Path | None, data_dir: str | None, **options: Any
    ) -> Any:
        is_url_typed = ctx.get_parameter_source("url") is ParameterSource.COMMANDLINE
        if data_dir and is_url_typed:
            raise click.UsageError("--url and --data-dir exclude each other.")
        if data_dir or not url:
            backend = _open_local(data_dir)
        else:
            key = key_file.read_text() if key_file else os.environ.get("INKLING_KEY", "")
            typed = {"--url": url if is_url_typed else None, "--key-file": key_file}
            arguments = "".join(f" {name} {shlex.quote(str(value))}" for name, value in typed.items() if value)
            backend = _open_remote(url, key.strip(), arguments=arguments)
        with backend:
            return command(backend, **options)

    return run


# Only what is needed is imported: help and usage need neither, and a server elsewhere needs no database here.


def _open_remote(url: str, key: str, *, arguments: str) -> Backend:
    from .remote import RemoteBackend  # noqa: PLC0415

    return RemoteBackend(url, key, arguments=arguments)


def _open_local(data_dir: str | None) -> Backend:
    from .local import LocalBackend  # noqa: PLC0415
    from .settings_options import read_settings  # noqa: PLC0415

    arguments = f" --data-dir {shlex.quote(data_dir)}" if data_dir else ""
    return LocalBackend(read_settings({"data_dir": data_dir}), arguments=arguments)
