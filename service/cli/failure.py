"""How the command line fails: one red line on stderr and an exit code, a traceback only when asked for.

1: it did not work. 2: the command was not understood. 78: the service must be configured first (EX_CONFIG).
130: interrupted by Ctrl-C.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, TypeVar

import click

from service.errors import KeysRequired, ServiceError

INTERRUPTED = 130
_DEBUG = "service.cli.debug"
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Failure(click.ClickException):
    """An error as a person reads it: what happened, where, and what is allowed."""

    def __init__(self, message: str, *, field: str | None = None, allowed: str | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.allowed = allowed

    @classmethod
    def of(cls, error: ServiceError) -> Failure:
        """Take over the words of an error."""
        kind = Misconfigured if isinstance(error, KeysRequired) else cls
        return kind(error.message, field=error.field, allowed=error.allowed)

    def format_message(self) -> str:
        """Return field, message and allowed range in one line, none of them twice."""
        line = self.message
        if self.field is not None and self.field not in line:
            line = f"{self.field}: {line}"
        if self.allowed is not None and self.allowed not in line:
            line = f"{line.removesuffix('.')}; allowed: {self.allowed}."
        return line

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the line."""
        click.secho(f"Error: {self.format_message()}", file=file, err=True, fg="red")


class Misconfigured(Failure):
    """The service cannot start before something about its configuration is decided."""

    exit_code = 78


def debug_option(function: _Function) -> _Function:
    """Add ``--debug``."""

    def remember(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[_DEBUG] = True  # shared by a context and its parents

    decorate = click.option(
        "--debug", is_flag=True, expose_value=False, callback=remember, help="Show the traceback of an error."
    )
    return decorate(function)


@contextmanager
def reported(ctx: click.Context) -> Iterator[None]:
    """Turn errors into `Failure`, unless ``--debug`` was given."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(err=True)  # the terminal's own ^C stands at the start of the line
        ctx.exit(INTERRUPTED)
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        if ctx.meta.get(_DEBUG) or (isinstance(error, OSError) and error.errno == errno.EPIPE):
            raise  # click ends quietly when the reader of a pipe has gone
        if isinstance(error, ServiceError):
            raise Failure.of(error) from error
        raise Failure(f"Something went wrong that should not ({type(error).__name__}); --debug shows where.") from error
