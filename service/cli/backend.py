"""The one interface that every command is written against: Inkling on this machine, or a server.

`LocalBackend` and `RemoteBackend` have the same methods, return the plain data of the HTTP API and raise the same
errors. Commands on this machine do not go through the web application in their own process, which would make one of
the two enough: with FastAPI imported and the application composed, `inkling predict` takes half as long again.
"""

import functools
import shlex
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

import click
from click.core import ParameterSource

from service.errors import NotFound

from .names import not_found_message, split_reference
from .root import AS_JSON, debug_option, examples

if TYPE_CHECKING:  # else each is imported when it is opened
    from .local import LocalBackend
    from .remote import RemoteBackend

Json = dict[str, Any]
Backend: TypeAlias = "LocalBackend | RemoteBackend"


def with_backend(
    *shown: str, creates: bool = False, as_json: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``--url``, ``--key-file``, ``--data-dir`` and ``--debug``; call the command with the backend they name.

    A model may be given as ``NAME/3`` or ``NAME@alias`` wherever there is a ``version`` too.

    Parameters
    ----------
    shown : the examples of its help.
    creates : whether it may make the data folder.
    as_json : add ``--json``.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
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
            _split_reference(options)
            typed_url, other_url = url if is_url_typed else None, None if data_dir else url
            with ExitStack() as stack:
                backend = _open(stack, typed_url, other_url, key_file, data_dir, creates=creates)
                try:
                    return command(backend, **options)
                except NotFound as error:
                    raise type(error)(not_found_message(error, backend, options)) from error

        command_ = examples(*shown)(run) if shown else run
        return AS_JSON(command_) if as_json else command_

    return decorate


def _split_reference(options: dict[str, Any]) -> None:
    for option in {"name", "model"} & options.keys():
        name, reference = split_reference(options[option] or "")
        if reference is None or "version" not in options:
            continue
        if options["version"] is not None or options.get("alias") is not None:
            raise click.UsageError(f"{options[option]} names a version already.")
        is_alias = "alias" in options and not reference.isdecimal()
        options |= {option: name, "alias" if is_alias else "version": reference}
        if reference.isdecimal():
            options["version"] = int(reference)
    is_by_option = {"model", "version"} <= options.keys() and options["version"] is not None
    if is_by_option and (options["model"] is None or options.get("alias") is not None):
        raise click.UsageError("--version needs --model, and excludes --alias.")


def _open(
    stack: ExitStack,
    typed_url: str | None,
    url: str | None,
    key_file: Path | None,
    data_dir: str | None,
    *,
    creates: bool,
) -> Backend:
    """Open what the options name, importing only that: a server needs no database here."""
    typed = {"--url": typed_url, "--key-file": key_file, "--data-dir": data_dir}
    arguments = "".join(f" {name} {shlex.quote(str(value))}" for name, value in typed.items() if value)
    if url:
        from .remote import RemoteBackend  # noqa: PLC0415

        return stack.enter_context(closing(RemoteBackend(url, key_file, arguments=arguments)))
    from .local import LocalBackend  # noqa: PLC0415
    from .settings_options import read_settings  # noqa: PLC0415

    settings = read_settings({"data_dir": data_dir})
    place = settings.data_dir
    if not (creates or place.exists() or settings.database_url):
        # Nothing is created to be looked at: the shipped models answer from a folder that is removed again.
        folder = stack.enter_context(TemporaryDirectory(prefix="inkling-"))
        settings = settings.model_copy(update={"data_dir": Path(folder)})
    return stack.enter_context(closing(LocalBackend(settings, place=place, arguments=arguments)))
