"""The one interface that every command is written against: Inkling on this machine, or a server.

`LocalBackend` and `RemoteBackend` have the same methods, return the plain data of the HTTP API and raise the same
errors. Commands on this machine do not go through the web application in their own process, which would make one of
the two enough: with FastAPI imported and the application composed, `inkling predict` takes half as long again.
"""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import click
from click.core import ParameterSource

from .root import debug_option

if TYPE_CHECKING:  # else each is imported when it is opened
    from .local import LocalBackend
    from .remote import RemoteBackend

Json = dict[str, Any]
Picture = Literal["loss", "accuracy", "weights"]
SweepPicture = Literal["accuracy", "norms", "weights", "heatmap"]
PictureFormat = Literal["png", "svg"]
Backend: TypeAlias = "LocalBackend | RemoteBackend"


def with_backend(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--url``, ``--key-file``, ``--data-dir`` and ``--debug``; call the command with the backend they name."""

    @click.option(
        "--url",
        envvar="INKLING_URL",
        metavar="URL",
        help="Use a running server, as in http://127.0.0.1:8000. [INKLING_URL]",
    )
    @click.option(
        "--key-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="File with the key for that server. [or the key itself in INKLING_KEY]",
    )
    @click.option(
        "--data-dir",
        metavar="FOLDER",
        help="Folder of the database and the model store, if there is no --url. [INKLING_DATA_DIR; default data]",
    )
    @debug_option
    @click.pass_context
    @functools.wraps(command)
    def run(
        ctx: click.Context, /, *, url: str | None, key_file: Path | None, data_dir: str | None, **options: Any
    ) -> Any:
        is_url_typed = ctx.get_parameter_source("url") is ParameterSource.COMMANDLINE
        if data_dir and is_url_typed:
            raise click.UsageError("--url and --data-dir exclude each other.")
        with closing(_open(url if is_url_typed else None, None if data_dir else url, key_file, data_dir)) as backend:
            return command(backend, **options)

    return run


def _open(typed_url: str | None, url: str | None, key_file: Path | None, data_dir: str | None) -> Backend:
    """Open what the options name, importing only that: a server needs no database here."""
    typed = {"--url": typed_url, "--key-file": key_file, "--data-dir": data_dir}
    arguments = "".join(f" {name} {shlex.quote(str(value))}" for name, value in typed.items() if value)
    if url:
        from .remote import RemoteBackend  # noqa: PLC0415

        key = key_file.read_text() if key_file else os.environ.get("INKLING_KEY", "")
        return RemoteBackend(url, key.strip(), arguments=arguments)
    from .local import LocalBackend  # noqa: PLC0415
    from .settings_options import read_settings  # noqa: PLC0415

    return LocalBackend(read_settings({"data_dir": data_dir}), arguments=arguments)
